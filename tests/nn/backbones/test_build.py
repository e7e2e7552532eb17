import copy
import os
import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from explorer.config import ExplorerError
from explorer.nn.backbones.build import (
    add_fresh_layers,
    build_network,
    build_network_from_weights,
    build_without_weights,
    find_head,
    flatten_network,
    name_tensors,
)
from explorer.nn.backbones.layer_names import name_layers
from explorer.nn.backbones.registry import get_architecture, get_family
from explorer.nn.torchvision_guard import import_torchvision

SMALL = get_architecture("vgg_small")


def build_small(category_count: int = 4, *, batch_norm: bool) -> nn.Module:
    """Return a vgg_small whose batch norms have non-trivial statistics."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = build_network("vgg_small", category_count, batch_norm=batch_norm)
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.normal_(0, 0.2)
                layer.running_var.uniform_(0.5, 2)
                nn.init.uniform_(layer.weight, 0.5, 1.5)
                nn.init.normal_(layer.bias, 0, 0.2)
    return network


def draw_images(count: int = 2, size: int = 128) -> Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(5))


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    return {name: t.clone() for name, t in build_small(batch_norm=False).state_dict().items()}


@pytest.mark.parametrize("batch_norm", [False, True])
@torch.inference_mode()
def test_flattened_layers_compute_the_same(batch_norm: bool) -> None:
    network = build_small(batch_norm=batch_norm).eval()
    images = draw_images()
    layers = flatten_network(network)
    torch.testing.assert_close(layers(images), network(images), rtol=1e-4, atol=1e-5)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in layers)


def test_flattening_does_not_change_the_network() -> None:
    network = build_small(batch_norm=True).train()
    before = copy.deepcopy(network.state_dict())
    layers = flatten_network(network)
    assert all(module.training for module in network.modules())
    assert all(parameter.requires_grad for parameter in network.parameters())
    for layer in layers:
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)
    after = network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_flattened_layers_are_frozen_and_never_work_in_place() -> None:
    layers = flatten_network(build_small(batch_norm=True))
    assert not any(module.training for module in layers.modules())
    assert not any(parameter.requires_grad for parameter in layers.parameters())
    assert not any(getattr(layer, "inplace", False) for layer in layers)


def test_vgg_small_has_the_documented_layers() -> None:
    layers = flatten_network(build_small(40, batch_norm=True))
    described = [
        layer.out_channels if isinstance(layer, nn.Conv2d) else "P"
        for layer in layers
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d)
    ]
    assert described == [32, "P", 64, "P", 128, 128, "P", 256, 256, "P"]
    linears = [layer for layer in layers if isinstance(layer, nn.Linear)]
    sizes = [(a.in_features, a.out_features) for a in linears]
    assert sizes == [(4096, 512), (512, 512), (512, 40)]
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    assert {(a.kernel_size, a.stride, a.padding) for a in convolutions} == {
        ((3, 3), (1, 1), (1, 1))
    }
    assert SMALL.input_size == (128, 128)
    assert SMALL.mean == (0.485, 0.456, 0.406)
    assert SMALL.std == (0.229, 0.224, 0.225)
    with torch.inference_mode():
        assert layers[:16](draw_images(1)).shape == (1, 256, 8, 8)


def test_vgg16_gap_has_no_fully_connected_layers_but_the_head() -> None:
    with torch.device("meta"):
        network = build_network("vgg16_gap", 200, batch_norm=False)
        plain = build_network("vgg16", 200, batch_norm=False)
    own, others = network.state_dict(), plain.state_dict()
    convolutions = {name for name in others if name.startswith("features.")}
    assert own.keys() - convolutions == {
        *("features.31.weight", "features.31.bias", "classifier.1.weight", "classifier.1.bias")
    }
    assert all(own[name].shape == others[name].shape for name in convolutions)
    assert own["features.31.weight"].shape == (1024, 512, 1, 1)
    assert own["classifier.1.weight"].shape == (200, 1024)
    layers = flatten_network(network)
    names = name_layers(layers)
    assert [names["pool5"], names["avgpool"], len(layers)] == [31, 35, 37]
    assert get_family("vgg16_gap").z_layer == "avgpool"


def test_vgg_small_gap_is_vgg_small_up_to_the_last_pooling() -> None:
    network = build_network("vgg_small_gap", 40, batch_norm=True)
    convolutions = {n for n in build_small(40, batch_norm=True).state_dict() if "features" in n}
    own = network.state_dict()
    assert len(own.keys() - convolutions) == 4
    assert convolutions < own.keys()
    layers = flatten_network(network)
    images = draw_images(2)
    with torch.inference_mode():
        z = layers[: name_layers(layers)["avgpool"]](images)
        assert z.shape == (2, 512)
        assert (z >= 0).all()
        assert torch.allclose(layers(images), network.eval()(images), atol=1e-5)


def test_a_new_vgg_small_has_small_logits() -> None:
    head = build_small(40, batch_norm=True).classifier[-1].requires_grad_(False)
    assert float(head.weight.std()) == pytest.approx(0.01, rel=0.05)


def test_torchvision_can_be_imported_in_a_fresh_process() -> None:
    code = (
        "from explorer.nn.torchvision_guard import import_torchvision as load;"
        "vision = load(); assert load() is vision; vision.models.vgg16; import torchvision"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr


def test_weights_rebuild_their_network(weights: dict[str, Tensor]) -> None:
    state = torch.random.get_rng_state()
    network = build_network_from_weights("vgg_small", weights).eval()
    assert torch.equal(state, torch.random.get_rng_state())
    original = build_small(batch_norm=False).eval()
    with torch.inference_mode():
        assert torch.equal(network(draw_images(1)), original(draw_images(1)))


def test_batch_norm_is_recognised_and_its_counters_may_be_missing() -> None:
    original = build_small(batch_norm=True).eval()
    weights = {n: t for n, t in original.state_dict().items() if "num_batches" not in n}
    network = build_network_from_weights("vgg_small", weights).eval()
    with torch.inference_mode():
        assert torch.equal(network(draw_images(1)), original(draw_images(1)))


def test_a_missing_tensor_is_found_after_a_missing_counter() -> None:
    weights = dict(build_small(batch_norm=True).state_dict())
    weights = {name: t for name, t in weights.items() if "num_batches" not in name}
    del weights["features.4.weight"]
    with pytest.raises(ExplorerError, match=r"have no 'features.4.weight'.*with batch norm"):
        build_network_from_weights("vgg_small", weights)


def test_loaded_network_does_not_share_memory_with_the_weights(
    weights: dict[str, Tensor],
) -> None:
    before = weights["features.0.weight"].clone()
    nn.init.zeros_(build_network_from_weights("vgg_small", weights).features[0].weight)
    assert torch.equal(weights["features.0.weight"], before)


def damage(weights: dict[str, Tensor], kind: str) -> dict[str, Tensor]:
    damaged = dict(weights)
    if kind == "missing":
        del damaged["features.3.weight"]
    elif kind == "shape":
        damaged["features.3.weight"] = torch.zeros(64, 32, 5, 5)
    elif kind == "unknown":
        damaged["features.99.weight"] = torch.zeros(3)
    elif kind in ("nan", "inf"):
        damaged["features.3.weight"] = torch.full((64, 32, 3, 3), float(kind))
    elif kind == "headless":
        damaged = {n: t for n, t in weights.items() if not n.startswith("classifier")}
    else:
        damaged["classifier.6.bias"] = torch.tensor(1.0)
    return damaged


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", r"have no 'features.3.weight'"),
        ("shape", r"'features.3.weight' has shape \(64, 32, 5, 5\).*needs \(64, 32, 3, 3\)"),
        ("unknown", r"'features.99.weight'"),
        ("nan", r"'features.3.weight' contains NaN"),
        ("inf", r"'features.3.weight' contains NaN or infinite"),
        (
            "headless",
            r"no 'classifier.6.weight'.*'classifier.6.weight'\. The first one here is 'features.0",
        ),
        ("scalar", r"'classifier.6"),
    ],
)
def test_wrong_weights_are_refused_by_name(
    weights: dict[str, Tensor], kind: str, message: str
) -> None:
    with pytest.raises(ExplorerError, match=message):
        build_network_from_weights("vgg_small", damage(weights, kind))


@pytest.mark.parametrize("variance", [-1.0, -1e-6])
def test_negative_variances_are_refused(variance: float) -> None:
    weights = dict(build_small(batch_norm=True).state_dict())
    weights["features.5.running_var"][5] = variance
    with pytest.raises(ExplorerError, match=r"'features\.5\.running_var' .*negative.*damaged"):
        build_network_from_weights("vgg_small", weights)


def test_batch_norms_are_checked_once_they_are_folded() -> None:
    weights = dict(build_small(batch_norm=True).state_dict())
    weights["features.5.weight"][5] = 3e38
    weights["features.5.running_var"][5] = 0.0
    network = build_network_from_weights("vgg_small", weights)
    with pytest.raises(ExplorerError, match=r"Conv2d.*batch norm.*NaN or infinite"):
        flatten_network(network)


@pytest.mark.parametrize("name", ["features.3", "classifier.3"])
def test_pruned_networks_are_not_flattened(name: str) -> None:
    network = build_small(batch_norm=False)
    prune.random_unstructured(network.get_submodule(name), "weight", 0.5)
    with pytest.raises(ExplorerError, match=rf"Layer {name}, .*: its weight .*hook"):
        flatten_network(network)


def test_weights_of_another_architecture_are_refused(weights: dict[str, Tensor]) -> None:
    with pytest.raises(
        ExplorerError,
        match=r"needs.*Expected is a vgg16 with 4 categories, without batch norm.*"
        r"those of vgg_small: check --arch",
    ):
        build_network_from_weights("vgg16", weights)
    with pytest.raises(ExplorerError, match=r"no 'fc.weight'.*'conv1.weight'"):
        build_network_from_weights("resnet50", weights)
    with pytest.raises(ExplorerError, match=r"'vit'.*vgg19, vgg16, .*resnet50, .*vgg_small"):
        build_network_from_weights("vit", weights)


def test_no_weights_at_all_are_refused() -> None:
    with pytest.raises(ExplorerError, match=r"'classifier\.3\.weight', 'classifier\.6\.weight'\.$"):
        build_network_from_weights("vgg_small", {})


@pytest.mark.parametrize(
    ("architecture", "other"),
    [("vgg19_bn", "vgg13"), ("vgg13", "vgg11_bn"), ("vgg11", "vgg16"), ("resnet18", "resnet34")],
)
def test_the_architecture_of_wrong_weights_is_suggested(architecture: str, other: str) -> None:
    with torch.device("meta"):  # only shapes: the weights take half a gigabyte
        network = build_network(
            architecture,
            5,
            batch_norm=not architecture.startswith("vgg") or architecture.endswith("bn"),
        )
        weights = network.state_dict()
        with pytest.raises(ExplorerError, match=rf"with 5 categories.*those of .*{architecture}"):
            build_network_from_weights(other, weights)


def test_no_architecture_is_suggested_for_unknown_weights(weights: dict[str, Tensor]) -> None:
    with pytest.raises(
        ExplorerError, match=r"\. Check that --arch names the network of these weights\.$"
    ):
        build_network_from_weights("vgg_small", damage(weights, "shape"))


@torch.inference_mode()
def check_against_torchvision(architecture: str) -> None:
    """Compare with torchvision's own network, whose batch norms have non-trivial statistics."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        theirs = import_torchvision().models.get_model(architecture, num_classes=7).eval()
        for layer in theirs.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.normal_(0, 0.1)
                layer.running_var.uniform_(0.5, 2)
                layer.weight.uniform_(0.5, 1.5)
                layer.bias.normal_(0, 0.1)
    images = draw_images(1, size=224)
    expected = theirs(images)
    assert expected.std() > 1e-3, "equality would mean nothing otherwise"
    network = build_network_from_weights(architecture, theirs.state_dict())
    torch.testing.assert_close(network.eval()(images), expected)
    layers = flatten_network(network)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in layers)
    torch.testing.assert_close(layers(images), expected, rtol=1e-3, atol=1e-4 * expected.std())


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["vgg11", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn"]
)
def test_vggs_equal_torchvisions(name: str) -> None:
    check_against_torchvision(name)


@pytest.mark.parametrize("name", ["alexnet", "resnet18", "resnet50"])
def test_other_families_equal_torchvisions(name: str) -> None:
    check_against_torchvision(name)


@pytest.mark.parametrize("name", ["vgg11_bn", "alexnet", "resnet18", "resnet50", "vgg_small"])
def test_tensors_of_folded_layers_keep_their_names(name: str) -> None:
    with torch.device("meta"):
        trained = build_network(name, 3, batch_norm=False)
    named = name_tensors(name, flatten_network(trained))
    expected = {n: tensor.shape for n, tensor in trained.state_dict().items()}
    assert {n: tensor.shape for n, tensor in named.items()} == expected


@torch.inference_mode()
def test_a_folded_residual_network_is_rebuilt_from_its_tensors() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = build_network("resnet18", 3, batch_norm=True)
    layers, images = flatten_network(network), draw_images(1, 64)
    again = build_network_from_weights("resnet18", name_tensors("resnet18", layers))
    expected = network.eval()(images)
    torch.testing.assert_close(again.eval()(images), expected, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(flatten_network(again)(images), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "head"), [("vgg11", "classifier.6"), ("alexnet", "classifier.6"), ("resnet18", "fc")]
)
def test_the_head_is_the_last_layer(name: str, head: str) -> None:
    with torch.device("meta"):
        found = find_head(build_network(name, 17, batch_norm=True))
    assert (found.name, found.layer.out_features) == (head, 17)


def test_missing_layers_on_top_are_new() -> None:
    state = build_small(batch_norm=False).state_dict()
    known = {name: tensor for name, tensor in state.items() if name.startswith("features")}
    weights, fresh = add_fresh_layers("vgg_small", known, 9)
    assert fresh == ("classifier.0", "classifier.3", "classifier.6")
    assert all(torch.equal(weights[name], tensor) for name, tensor in known.items())
    network = build_network_from_weights("vgg_small", weights)
    assert find_head(network).layer.out_features == 9


def test_a_head_for_other_categories_is_new_and_the_rest_is_kept() -> None:
    network = build_small(batch_norm=False)
    state = network.state_dict()
    weights, fresh = add_fresh_layers("vgg_small", state, 9)
    assert fresh == ("classifier.6",)
    assert weights["classifier.6.weight"].shape[0] == 9
    assert torch.equal(weights["classifier.3.weight"], state["classifier.3.weight"])
    same, none = add_fresh_layers("vgg_small", state, len(state["classifier.6.bias"]))
    assert none == ()
    assert torch.equal(same["classifier.6.weight"], state["classifier.6.weight"])


def test_a_layer_that_is_missing_further_down_is_named() -> None:
    state = build_small(batch_norm=False).state_dict()
    known = {n: tensor for n, tensor in state.items() if not n.startswith("classifier.3")}
    with pytest.raises(ExplorerError, match=r"no layer 'classifier\.3', but layers above it"):
        add_fresh_layers("vgg_small", known, len(state["classifier.6.bias"]))


@pytest.mark.parametrize("name", ["vgg_small", "vgg16", "resnet18", "alexnet"])
def test_a_network_without_weights_has_its_shapes(name: str) -> None:
    shapes = {n: t.shape for n, t in build_network(name, 3, batch_norm=True).state_dict().items()}
    before = torch.random.get_rng_state()
    network = build_without_weights(name, 3, batch_norm=True)
    assert {n: t.shape for n, t in network.state_dict().items()} == shapes
    assert all(tensor.is_meta for tensor in network.parameters())
    assert before.equal(torch.random.get_rng_state())


def test_a_network_of_painted_birds_is_loaded_without_the_compiler() -> None:
    # Importing it takes longer than anything else at the first photo.
    code = (
        "import sys, numpy as np\n"
        "from explorer.config import DEMO_WORKSPACE\n"
        "from explorer.workspace.workspace import Workspace\n"
        "workspace = Workspace(DEMO_WORKSPACE)\n"
        "image = np.zeros((9, 9, 3), np.uint8)\n"
        "workspace.networks.explain(workspace.list_modules()[0], image)\n"
        "print('torch' in sys.modules, 'torch._dynamo' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.split() == ["True", "False"]
