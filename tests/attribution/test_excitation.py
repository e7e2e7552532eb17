import copy
import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

from explorer.attribution import AttributionError, ExcitationBackprop, contrastive_mwp, mwp
from explorer.attribution import layers as attribution_layers
from explorer.attribution.layers import make_rules
from explorer.attribution.trace import start_trace
from explorer.config import ExplorerError

GOLDEN = Path(__file__).parents[1] / "golden"
GOLDEN_LAYERS: dict[str, list[str]] = json.loads((GOLDEN / "layers.json").read_text())
STOPS = {"input": 0, "after_first_relu": 2}


def build_golden(name: str, dtype: torch.dtype) -> tuple[nn.Sequential, dict[str, Tensor]]:
    tensors = load_file(GOLDEN / f"{name}.safetensors")
    model = nn.Sequential(*(eval(text, vars(nn)) for text in GOLDEN_LAYERS[name]))
    prefix = "weights."
    model.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if prefix in k})
    return model.to(dtype), tensors


def build_network(dtype: torch.dtype = torch.float64) -> nn.Sequential:
    """Build a network with every kind of layer, for images of 3 x 12 x 10."""
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, 1),
        nn.Dropout(0.5),
        nn.Conv2d(6, 8, 3, padding="same", groups=2),
        nn.ReLU(inplace=True),
        nn.AvgPool2d(2),
        nn.AdaptiveAvgPool2d(2),
        nn.Identity(),
        nn.Flatten(),
        nn.Linear(32, 16),
        nn.ReLU(),
        nn.Linear(16, 5),
    )
    randomise_statistics(model)
    return model.to(dtype)


def randomise_statistics(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            if module.affine:
                nn.init.normal_(module.weight)
                nn.init.normal_(module.bias)


def build_images(batch: int = 3, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randn(batch, 3, 12, 10, dtype=dtype, generator=generator)


def keep_positive(model: nn.Sequential) -> nn.Sequential:
    """Make every weight and bias positive, so that no normaliser is zero."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.neg_().clamp_(max=0)
    return model


# --- A slow reference: one image and one neuron at a time, with every layer as a dense matrix -----


def compute_matrix(block: nn.Module, shape: torch.Size) -> Tensor:
    """Return the linear part of `block` for one input of `shape`, as (outputs, inputs)."""
    units = torch.eye(shape.numel(), dtype=torch.float64).reshape(-1, *shape)
    return (block(units) - block(torch.zeros_like(units))).flatten(1).T


def route_max_pool(pool: nn.MaxPool2d, x: Tensor, P: Tensor) -> Tensor:
    (kernel, stride, padding, dilation) = (
        (v, v) if isinstance(v, int) else v
        for v in (pool.kernel_size, pool.stride, pool.padding, pool.dilation)
    )
    height, width = x.shape[1:]
    P_in = torch.zeros_like(x)
    for c, i, j in itertools.product(*map(range, P.shape)):
        ys = [i * stride[0] - padding[0] + k * dilation[0] for k in range(kernel[0])]
        xs = [j * stride[1] - padding[1] + k * dilation[1] for k in range(kernel[1])]
        window = [(u, v) for u in ys for v in xs if 0 <= u < height and 0 <= v < width]
        P_in[(c, *max(window, key=lambda at: float(x[(c, *at)])))] += P[c, i, j]
    return P_in


def share_out(matrix: Tensor, a: Tensor, P: Tensor) -> Tensor:
    """Return the sum over o of P_o a_i W⁺_oi / (W⁺a)_o, in a plain loop."""
    P_in = torch.zeros_like(a)
    for row, p in zip(matrix.clamp(min=0), P, strict=True):
        if row @ a > 0:
            P_in += p * row * a / (row @ a)
    return P_in


@torch.no_grad()
def compute_slow_map(
    model: nn.Sequential, image: Tensor, neuron: int, stop: int, contrastive: bool
) -> Tensor:
    layers = list(copy.deepcopy(model).eval())
    for i, layer in enumerate(layers):
        if isinstance(layer, nn.BatchNorm2d):
            layers[i - 1 : i + 1] = [nn.Sequential(layers[i - 1], layer), nn.Identity()]
        if isinstance(layer, nn.ReLU):
            layer.inplace = False
    inputs = [image]
    for layer in layers:
        inputs.append(layer(inputs[-1][None])[0])
    P = torch.eye(len(inputs[-1]), dtype=torch.float64)[neuron]
    for i in reversed(range(stop, len(layers))):
        layer, x = layers[i], inputs[i]
        if isinstance(layer, nn.MaxPool2d):
            P = route_max_pool(layer, x, P)
        elif isinstance(layer, nn.ReLU | nn.Identity | nn.Dropout | nn.Flatten):
            P = P.reshape(x.shape)
        else:
            matrix, a = compute_matrix(layer, x.shape), x.flatten().clamp(min=0)
            P_in = share_out(matrix, a, P.flatten())
            if contrastive and i == len(layers) - 1:
                P_in = P_in - share_out(-matrix, a, P.flatten())
            P = P_in.reshape(x.shape)
    return P.sum(0).clamp(min=0)


def compute_slow_maps(model: nn.Sequential, x: Tensor, stop: int, contrastive: bool) -> Tensor:
    neurons = range(model[-1].out_features)
    return torch.stack(
        [
            torch.stack([compute_slow_map(model, image, n, stop, contrastive) for n in neurons])
            for image in x
        ]
    )


# --- Known numbers --------------------------------------------------------------------------------


def test_network_solved_by_hand():
    # x = 1 2 3. Kernel A = (1 2) gives 5 8; kernel B = (-1 1) gives 1 1; Z = (5, 8, 1, 1).
    model = nn.Sequential(
        nn.Conv2d(1, 2, (1, 2), bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2, bias=False)
    )
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, 2.0], [-1.0, 1.0]]).reshape(2, 1, 1, 2))
        model[3].weight.copy_(torch.tensor([[2.0, 0.0, -1.0, 6.0], [-1.0, 1.0, 0.0, 0.0]]))
    x = torch.tensor([1.0, 2.0, 3.0]).reshape(1, 1, 1, 3)

    # Neuron 0: W⁺a = 2·5 + 6·1 = 16, so P⁺ = (10/16, 0, 0, 6/16); (−W)⁺a = 1, so P⁻ = (0, 0, 1, 0).
    # A at 0 had 1·1 + 2·2 = 5: 5/8 splits into 1/8 and 1/2. B⁺ = (0 1): 3/8 goes whole to x₂.
    # Contrastive: B at 0 hands -1 whole to x₁, which then holds 1/2 - 1 < 0.
    # Neuron 1: P⁺ = (0, 1, 0, 0), A at 1 had 2 + 2·3 = 8: 1/4 and 3/4. P⁻ = (1, 0, 0, 0): 1/5, 4/5.
    expected = torch.tensor([[1 / 8, 1 / 2, 3 / 8], [0, 1 / 4, 3 / 4]]).reshape(1, 2, 1, 3)
    contrastive = torch.tensor([[1 / 8, 0, 3 / 8], [0, 0, 3 / 4]]).reshape(1, 2, 1, 3)
    torch.testing.assert_close(mwp(model, x), expected)
    torch.testing.assert_close(contrastive_mwp(model, x), contrastive)

    # At the convolution's output the channels add up: 5/8 + 0 and 0 + 3/8; with P⁻ 5/8 - 1 < 0.
    at_output = torch.tensor([[5 / 8, 3 / 8], [0, 1]]).reshape(1, 2, 1, 2)
    torch.testing.assert_close(mwp(model, x, stop=1), at_output)
    at_output = torch.tensor([[0, 3 / 8], [0, 1]]).reshape(1, 2, 1, 2)
    torch.testing.assert_close(contrastive_mwp(model, x, stop=1), at_output)


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("method", ["mwp", "cmwp"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", GOLDEN_LAYERS)
def test_maps_equal_the_reference(name, dtype, method, stop):
    model, tensors = build_golden(name, dtype)
    expected = tensors[f"{method}.{stop}"]
    maps = mwp(model, tensors["x"].to(dtype), stop=STOPS[stop], contrastive=method == "cmwp")
    assert maps.dtype == dtype
    assert maps.shape == expected.shape
    assert maps.isfinite().all()
    error = (maps - expected).abs()
    assert error.max() <= 1e-5 * expected.abs().max()
    assert (error.amax((2, 3)) <= 1e-5 * expected.abs().amax((2, 3))).all()
    assert torch.equal(maps.amax((2, 3)) == 0, expected.amax((2, 3)) == 0)


# --- Against the slow reference -------------------------------------------------------------------


@pytest.mark.parametrize("contrastive", [False, True])
@pytest.mark.parametrize("stop", range(11))
def test_every_stop_equals_the_slow_reference(stop, contrastive):
    model, x = build_network(), build_images(2)
    maps = mwp(model, x, stop=stop, contrastive=contrastive)
    expected = compute_slow_maps(model, x, stop, contrastive)
    torch.testing.assert_close(maps, expected, rtol=1e-10, atol=1e-14)
    assert maps.amax() > 0


pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def convolutions(draw):
    groups = draw(st.sampled_from([1, 2]))
    same = draw(st.booleans())
    padding = "same" if same else draw(st.sampled_from(["valid", 0, 2, (2, 1)]))
    return nn.Conv2d(
        2, 4, draw(pairs), (1, 1) if same else draw(pairs), padding, draw(pairs), groups,
        bias=draw(st.booleans()),
    )  # fmt: skip


@st.composite
def pools(draw):
    kernel, stride = draw(pairs), draw(pairs)
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    kind = draw(st.sampled_from(["max", "average", "adaptive"]))
    ceil_mode = draw(st.booleans())
    if kind == "max":
        return nn.MaxPool2d(kernel, stride, padding, draw(st.integers(1, 2)), ceil_mode=ceil_mode)
    if kind == "average":
        return nn.AvgPool2d(kernel, stride, padding, ceil_mode, draw(st.booleans()))
    return nn.AdaptiveAvgPool2d(draw(st.sampled_from([1, (2, None), (3, 2), (7, 5)])))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@settings(max_examples=40, deadline=None, derandomize=True)
@given(convolutions(), pools(), st.booleans(), st.booleans(), st.integers(0, 2**31))
def test_random_networks_equal_the_slow_reference(conv, pool, norm, contrastive, seed):
    torch.manual_seed(seed)
    body = nn.Sequential(conv, *([nn.BatchNorm2d(4)] if norm else []), nn.ReLU(), pool)
    randomise_statistics(body)
    body.double().eval()
    x = torch.randn(1, 2, 9, 8, dtype=torch.float64)
    try:
        size = body(x).numel()
    except RuntimeError:
        reject()  # a window larger than what the convolution leaves
    model = nn.Sequential(*body, nn.Flatten(), nn.Linear(size, 2).double())
    maps = mwp(model, x, contrastive=contrastive)
    expected = compute_slow_maps(model, x, 0, contrastive)
    torch.testing.assert_close(maps, expected, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("height", range(3, 10))
@pytest.mark.parametrize("width", range(3, 10))
def test_odd_sizes_leave_a_row_or_column_out_of_2_by_2_windows(height, width):
    torch.manual_seed(height * width)
    size = 3 * (height // 2) * (width // 2)
    model = nn.Sequential(
        nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(size, 2)
    ).double()
    x = torch.randn(1, 3, height, width, dtype=torch.float64)
    expected = compute_slow_maps(model, x, 0, True)
    torch.testing.assert_close(contrastive_mwp(model, x), expected, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_batch_norm_is_folded(affine, bias):
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(4, affine=affine)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=bias), norm, nn.ReLU(), nn.Flatten(), nn.Linear(320, 2)
    ).double()
    randomise_statistics(model)
    x = build_images(1)
    expected = compute_slow_maps(model, x, 0, False)
    torch.testing.assert_close(mwp(model, x), expected, rtol=1e-10, atol=1e-14)
    assert torch.equal(mwp(model, x, stop=1), mwp(model, x, stop=2))
    output = start_trace(x).extend(make_rules(model, x)).output
    torch.testing.assert_close(output, model.eval()(x), rtol=1e-10, atol=1e-14)


# --- Properties -----------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", range(11))
def test_mass_is_one_where_no_normaliser_is_zero(stop):
    model = keep_positive(build_network())
    mass = mwp(model, build_images().abs() + 0.01, stop=stop).sum((2, 3))
    torch.testing.assert_close(mass, torch.ones_like(mass), rtol=1e-12, atol=0)


@pytest.mark.parametrize("stop", [0, 3, 5])
def test_mass_never_exceeds_one(stop):
    for seed in range(20):
        torch.manual_seed(seed)
        model = build_network(torch.float32)
        for module in model:
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.normal_(module.weight)
                nn.init.normal_(module.bias, -1)
        maps = mwp(model, build_images(dtype=torch.float32), stop=stop)
        assert maps.min() >= 0
        assert maps.sum((2, 3)).max() <= 1 + 1e-5


@pytest.mark.parametrize("method", [mwp, contrastive_mwp])
def test_images_of_a_batch_are_independent(method):
    model, x = build_network(), build_images(4)
    maps = method(model, x)
    one_by_one = torch.cat([method(model, image[None]) for image in x])
    torch.testing.assert_close(maps, one_by_one, rtol=1e-10, atol=1e-14)
    torch.testing.assert_close(method(model, x.flip(0)), maps.flip(0), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("neurons", [[2], [4, 0], (3, 3, 1), list(np.array([1, 2]))])
@pytest.mark.parametrize("method", [mwp, contrastive_mwp])
def test_chosen_neurons_are_a_slice_in_the_order_asked(method, neurons):
    model, x = build_network(), build_images()
    maps = method(model, x, neurons=neurons)
    expected = method(model, x)[:, list(neurons)]
    torch.testing.assert_close(maps, expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("stop", [0, 3, 5, 8])
def test_memory_layout_changes_nothing(stop):
    model, x = build_network(), build_images()
    expected = contrastive_mwp(model, x, stop=stop)
    maps = contrastive_mwp(model, x.to(memory_format=torch.channels_last), stop=stop)
    torch.testing.assert_close(maps, expected, rtol=1e-10, atol=1e-14)


def test_map_does_not_depend_on_the_scale_of_the_image():
    model, x = build_golden("vgg_like", torch.float64)[0], torch.rand(1, 3, 24, 24).double()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
    for scale in (1e-3, 1e6):
        torch.testing.assert_close(mwp(model, x * scale), mwp(model, x), rtol=1e-9, atol=1e-14)


def test_negative_input_receives_nothing():
    model, x = keep_positive(build_network()), build_images()
    maps = mwp(model, x, stop=0)
    assert (maps[(x <= 0).all(1)[:, None].expand_as(maps)] == 0).all()
    assert maps.sum((2, 3)).max() <= 1 + 1e-12


def test_neuron_without_weights_has_an_empty_map():
    model = build_network()
    with torch.no_grad():
        model[-1].weight[1] = 0
    for method in (mwp, contrastive_mwp):
        peaks = method(model, build_images()).amax((0, 2, 3))
        assert peaks[1] == 0
        assert peaks.isfinite().all()
        assert (peaks > 0).sum() == 4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tiny_normalisers_stay_finite(dtype):
    # The bias activates the hidden neuron. Its normaliser is so small that 1 / W⁺a overflows, and
    # 0 times infinity is not a number.
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 1), nn.Linear(1, 1)).to(dtype)
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([[1.0, 0.0]]))
        model[1].bias.fill_(1)
        model[2].weight.fill_(1)
    x = torch.full((1, 1, 1, 2), torch.finfo(dtype).tiny / 1024, dtype=dtype)
    # The sums of float32 are computed in float64, where this normaliser is not tiny.
    share = float(dtype == torch.float32)
    for method in (mwp, contrastive_mwp):
        assert method(model, x).flatten().tolist() == [share, 0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tiny_normalisers_of_convolutions_count_as_zero(dtype):
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Flatten(), nn.Linear(2, 1)).to(dtype)
    with torch.no_grad():
        model[0].weight.fill_(1)
        model[0].bias.fill_(1)
        model[2].weight.fill_(1)
    x = torch.tensor([torch.finfo(dtype).tiny / 1024, 1], dtype=dtype).reshape(1, 1, 1, 2)
    for method in (mwp, contrastive_mwp):
        assert method(model, x).flatten().tolist() == pytest.approx([0, 2 / 3])


def test_empty_batch():
    for stop, size in ((0, (12, 10)), (5, (6, 5))):
        assert contrastive_mwp(build_network(), build_images(0), stop=stop).shape == (0, 5, *size)


# --- The caller's model and images stay as they are -----------------------------------------------


@pytest.mark.parametrize("training", [False, True])
def test_model_and_images_are_not_changed(training):
    model, x = build_network().train(training), build_images().requires_grad_()
    model.register_forward_hook(lambda *_: pytest.fail("a layer was called"))
    for layer in model:
        layer.register_forward_hook(lambda *_: pytest.fail("a layer was called"))
    state, image = copy.deepcopy(model.state_dict()), x.detach().clone()
    hooks = [len(module._forward_hooks) for module in model.modules()]
    modes = [module.training for module in model.modules()]

    maps = contrastive_mwp(model, x)

    assert not maps.requires_grad
    assert not maps.is_inference()
    assert torch.is_grad_enabled()
    assert torch.equal(x, image)
    assert x.grad is None
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert [len(module._forward_hooks) for module in model.modules()] == hooks
    assert [module.training for module in model.modules()] == modes
    assert not any(module._backward_hooks for module in model.modules())


def test_mode_of_the_model_does_not_matter():
    model, x = build_network(), build_images()
    assert torch.equal(mwp(model.train(), x), mwp(model.eval(), x))


def test_relu_in_place_does_not_change_the_image():
    model = nn.Sequential(nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(360, 2).double())
    x = build_images()
    image = x.clone()
    mwp(model, x)
    assert torch.equal(x, image)


def test_works_in_inference_mode():
    model, x = build_network(), build_images()
    with torch.inference_mode():
        maps = mwp(model, x)
    assert torch.equal(maps, mwp(model, x))


def test_threads_do_not_disturb_each_other():
    model = build_network()
    batches = [build_images() + shift for shift in torch.linspace(-1, 1, 8)]
    serial = [contrastive_mwp(model, x) for x in batches]
    with ThreadPoolExecutor(2) as pool:
        parallel = list(pool.map(lambda x: contrastive_mwp(model, x), batches))
    for maps, expected in zip(parallel, serial, strict=True):
        torch.testing.assert_close(maps, expected, rtol=1e-10, atol=1e-14)


# --- Invalid input --------------------------------------------------------------------------------


class DoubledConv(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([nn.Sigmoid()], r"Layer 0, Sigmoid\(\): not supported"),
        ([nn.Identity(), nn.Sequential()], "Layer 1, Sequential.*not supported"),
        ([DoubledConv(3, 3, 1)], "Layer 0, DoubledConv.*not supported"),
        (
            [nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect")],
            "Layer 0.*padding_mode='reflect'",
        ),
        ([nn.BatchNorm2d(3)], "Layer 0, BatchNorm2d.*no Conv2d"),
        ([nn.Conv2d(3, 3, 1), nn.ReLU(), nn.BatchNorm2d(3)], "Layer 2, BatchNorm2d.*no Conv2d"),
        ([nn.Conv2d(3, 3, 1), nn.BatchNorm2d(4)], "Layer 1, BatchNorm2d.*3 channels"),
        (
            [nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, track_running_stats=False)],
            "Layer 1, BatchNorm2d.*running statistics",
        ),
        ([nn.Flatten(2)], "Layer 0, Flatten.*start_dim=1"),
        ([nn.Linear(10, 4)], "Layer 0, Linear.*Flatten must come first"),
        ([nn.Conv2d(4, 3, 1)], "Layer 0, Conv2d.*cannot take"),
        ([nn.MaxPool2d(50)], "Layer 0, MaxPool2d.*cannot take"),
        ([nn.Conv2d(3, 3, 1).double()], "Layer 0, Conv2d.*float64"),
    ],
)
def test_layers_that_do_not_fit_are_named(layers, message):
    with pytest.raises(AttributionError, match=message):
        mwp([*layers, nn.Flatten(), nn.Linear(360, 2)], torch.rand(1, 3, 12, 10))


HOOKS = {
    "weight norm": torch.nn.utils.weight_norm,
    "spectral norm": torch.nn.utils.spectral_norm,
    "pruned weights": partial(prune.random_unstructured, name="weight", amount=0.5),
    "pruned biases": partial(prune.random_unstructured, name="bias", amount=0.5),
}


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of the old weight norm
@pytest.mark.parametrize("hook", HOOKS.values(), ids=HOOKS)
@pytest.mark.parametrize("index", [0, 2])
def test_weights_that_a_hook_makes_are_refused(hook, index):
    layers = [nn.Conv2d(3, 3, 1), nn.Flatten(), nn.Linear(360, 2)]
    hook(layers[index])
    with pytest.raises(AttributionError, match=rf"Layer {index}, .*hook.*prune\.remove"):
        mwp(layers, torch.rand(1, 3, 12, 10))


def test_a_pruned_batch_norm_is_refused():
    norm = prune.l1_unstructured(nn.BatchNorm2d(3), "weight", 1)
    with pytest.raises(AttributionError, match=r"Layer 1, BatchNorm2d.*made by a hook"):
        mwp([nn.Conv2d(3, 3, 1), norm, nn.Flatten(), nn.Linear(360, 2)], torch.rand(1, 3, 12, 10))


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    ("hook", "remove"),
    [
        (HOOKS["weight norm"], torch.nn.utils.remove_weight_norm),
        (HOOKS["spectral norm"], torch.nn.utils.remove_spectral_norm),
        (HOOKS["pruned weights"], lambda layer: prune.remove(layer, "weight")),
        (parametrizations.weight_norm, lambda layer: layer),
        (parametrizations.spectral_norm, lambda layer: layer),
    ],
)
def test_the_cure_for_weights_that_a_hook_makes_works_after_loading(hook, remove):
    def build():
        return nn.Sequential(hook(nn.Conv2d(3, 3, 1)), nn.Flatten(), nn.Linear(360, 2)).eval()

    trained, loaded, x = build(), build(), torch.rand(1, 3, 12, 10)
    with torch.no_grad():
        trained(x)
        loaded.load_state_dict(trained.state_dict())
        plain = [nn.Conv2d(3, 3, 1), *trained[1:]]
        plain[0].weight.copy_(trained[0].weight)
        plain[0].bias.copy_(trained[0].bias)
    remove(loaded[0])
    torch.testing.assert_close(contrastive_mwp(loaded, x), contrastive_mwp(plain, x))


@pytest.mark.parametrize("variance", [-1.0, -1e-6])
def test_a_negative_variance_is_refused(variance):
    norm = nn.BatchNorm2d(3)
    norm.running_var[1] = variance
    with pytest.raises(AttributionError, match=r"Layer 1, BatchNorm2d.*variance is negative"):
        mwp([nn.Conv2d(3, 3, 1), norm, nn.Flatten(), nn.Linear(360, 2)], torch.rand(1, 3, 12, 10))


@pytest.mark.parametrize("layers", [[], [nn.Linear(3, 2), nn.ReLU()]])
def test_last_layer_must_be_linear(layers):
    with pytest.raises(AttributionError, match="last layer must be a Linear"):
        mwp(layers, torch.rand(1, 3, 12, 10))


@pytest.mark.parametrize(
    "x",
    [
        torch.rand(3, 12, 10),
        torch.ones(1, 3, 12, 10, dtype=torch.int64),
        torch.ones(1, 3, 12, 10, dtype=torch.float16),
    ],
)
def test_images_of_the_wrong_kind_are_refused(x):
    with pytest.raises(AttributionError, match="Images must be"):
        mwp(build_network(), x)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_are_refused(value):
    model, x = build_network(), build_images()
    x[1, 2, 3, 4] = value
    with pytest.raises(AttributionError, match="images contain values"):
        mwp(model, x)
    with torch.no_grad():
        model[0].weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(AttributionError, match="output is not finite"):
        mwp(model, build_images())


@pytest.mark.parametrize("stop", [-1, 14, True, 1.0])
def test_invalid_stops_are_refused(stop):
    with pytest.raises(AttributionError, match="stop must be"):
        mwp(build_network(), build_images(), stop=stop)


@pytest.mark.parametrize("stop", [11, 12, 13])
def test_stops_without_height_and_width_are_refused(stop):
    with pytest.raises(AttributionError, match=f"stop={stop}.*no height and width"):
        mwp(build_network(), build_images(), stop=stop)


@pytest.mark.parametrize("neurons", [[], [5], [-1], [0.0], [True, False]])
def test_invalid_neurons_are_refused(neurons):
    with pytest.raises(AttributionError, match="neurons must be"):
        mwp(build_network(), build_images(), neurons=neurons)


def test_errors_are_explorer_errors_and_value_errors():
    assert issubclass(AttributionError, ExplorerError)
    assert issubclass(AttributionError, ValueError)


def test_prepared_weights_give_the_same_maps_again_and_again() -> None:
    model, images = build_network(), build_images()
    prepared = ExcitationBackprop(model)
    for x in (images, images[:1] * 0.5):
        assert torch.equal(prepared.draw(x, stop=3), contrastive_mwp(model, x, stop=3))
        assert torch.equal(prepared.draw(x, contrastive=False), mwp(model, x))


def test_weights_are_prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    make = attribution_layers.make_rule
    monkeypatch.setattr(
        attribution_layers, "make_rule", lambda layer: made.append(layer) or make(layer)
    )
    prepared = ExcitationBackprop(build_network())
    at_first = len(made)
    prepared.draw(build_images())
    prepared.draw(build_images())
    assert at_first == len(made) > 0


def test_images_that_do_not_fit_prepared_weights_are_refused() -> None:
    prepared = ExcitationBackprop(build_network())
    with pytest.raises(
        AttributionError, match=r"float32 on cpu do not fit layers in torch\.float64"
    ):
        prepared.draw(build_images().float())
    with pytest.raises(AttributionError, match=r"must be a Linear"):
        ExcitationBackprop([nn.ReLU()])


def test_the_forward_pass_is_in_double_precision_on_request() -> None:
    """Two values that are equal in float32 only decide which pixel wins a pooling window."""
    layers = [nn.Conv2d(2, 1, 1, bias=False), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1, 1)]
    with torch.no_grad():
        layers[0].weight[:] = torch.tensor([1.0, 1.0])[:, None, None]
        layers[3].weight[:] = 1
    images = torch.ones(1, 2, 2, 2)
    images[0, 1] = 2.0**-30
    images[0, 1, 1, 1] = 2.0**-29  # the largest sum, by less than float32 can tell from 1
    rough, exact = (mwp(layers, images, exact=exact)[0, 0] for exact in (False, True))
    assert rough[0, 0] == 1, "the first of equal values wins"
    assert exact[1, 1] == 1
    assert rough.sum() == exact.sum() == 1
