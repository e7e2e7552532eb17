"""Documented results do not depend on how PyTorch is set; see `explorer.nn.arithmetic`."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from switches import SWITCHES
from torch import Tensor

from explorer.attribution import contrastive_mwp, mwp
from explorer.attribution.engine import Engine
from explorer.attribution.explain import compute_explanation
from explorer.attribution.gradcam import draw_grad_cam
from explorer.nn.backbones.backbone import Backbone
from explorer.nn.checkpoint import load_backbone, save_backbone
from explorer.nn.probe import LinearProbe
from explorer.nn.rebuilding import rebuild_z
from explorer.nn.settings import ModuleShape
from explorer.nn.srae import ExplanationModule, apply_module

Results = dict[str, NDArray[np.float32]]


def draw_pixels(backbone: Backbone) -> NDArray[np.float32]:
    height, width = backbone.architecture.input_size
    return np.random.default_rng(0).normal(size=(3, height, width)).astype(np.float32)


def make_module(backbone: Backbone) -> ExplanationModule:
    generator = torch.Generator().manual_seed(1)
    return ExplanationModule(backbone.z_size, ModuleShape(), generator).eval()


def make_probe(backbone: Backbone) -> LinearProbe:
    rng = np.random.default_rng(1)
    return LinearProbe(rng.normal(size=(3, backbone.z_size)), rng.normal(size=3), np.ones(3), 0.5)


def compute_maps(backbone: Backbone) -> Results:
    images = torch.from_numpy(draw_pixels(backbone))[None]
    layers = list(backbone.layers)
    plain, contrastive = (
        function(layers, images, stop=backbone.get_stop("relu1"), neurons=[3])
        for function in (mwp, contrastive_mwp)
    )
    assert float(plain.sum()) == pytest.approx(1, abs=1e-5)
    return to_arrays({"plain": plain, "contrastive": contrastive})


def compute_with_the_engine(backbone: Backbone) -> Results:
    pixels, engine = draw_pixels(backbone), Engine(backbone)
    z, logits = engine.score(pixels, "relu1")
    return {
        "z": z,
        "logits": logits,
        "score": engine.draw_logit(pixels, backbone.categories[0], "relu1"),
        "probe": engine.draw(pixels, make_probe(backbone).get_attribution_layers(), "relu1"),
    }


def explain(backbone: Backbone) -> Results:
    found = compute_explanation(
        Engine(backbone), make_module(backbone), backbone.categories[1], draw_pixels(backbone)
    )
    scores = np.array([found.y_hat, found.y_bar], np.float32)
    names = ("logits", "x_features", "contributions", "maps")
    return {"scores": scores, **{name: getattr(found, name) for name in names}}


def compute_features(backbone: Backbone) -> Results:
    images = torch.from_numpy(draw_pixels(backbone))[None]
    z, logits = backbone.compute_features(images)
    return to_arrays({"z": z, "logits": logits, "pooled": backbone.compute_pooled(images)})


def compute_grad_cam(backbone: Backbone) -> Results:
    return {"maps": draw_grad_cam(backbone, draw_pixels(backbone), backbone.categories[0])}


def apply_modules(backbone: Backbone) -> Results:
    z = np.random.default_rng(2).random((4, backbone.z_size), np.float32)
    module = make_module(backbone)
    (x_features, y_bar), probe = apply_module(module, z), apply_module(make_probe(backbone), z)
    rebuilt = rebuild_z(module, z, held=1)
    return {"x_features": x_features, "y_bar": y_bar, "probe": probe[1], "rebuilt": rebuilt}


def to_arrays(tensors: dict[str, Tensor]) -> Results:
    assert not any(tensor.requires_grad for tensor in tensors.values())
    return {name: tensor.numpy() for name, tensor in tensors.items()}


COMPUTATIONS: tuple[Callable[[Backbone], Results], ...] = (
    compute_maps,
    compute_with_the_engine,
    explain,
    compute_features,
    compute_grad_cam,
    apply_modules,
)


@pytest.mark.parametrize("compute", COMPUTATIONS, ids=lambda compute: compute.__name__)
def test_no_switch_changes_a_result(
    small_backbone: Backbone, compute: Callable[[Backbone], Results]
) -> None:
    expected = compute(small_backbone)
    for name, switch in SWITCHES.items():
        with switch():
            found = compute(small_backbone)
        for kind, values in expected.items():
            assert found[kind].dtype == np.float32, (name, kind)
            np.testing.assert_array_equal(found[kind], values, err_msg=f"{name}, {kind}")


@pytest.mark.parametrize("name", ["default float64", "default float16", "inference mode"])
def test_a_network_is_the_same_however_it_was_loaded(
    small_backbone: Backbone, tmp_path: Path, name: str
) -> None:
    save_backbone(tmp_path / "network.safetensors", small_backbone, {})
    with SWITCHES[name]():
        loaded = load_backbone(tmp_path / "network.safetensors")[0]
    assert {tensor.dtype for tensor in loaded.layers.parameters()} == {torch.float32}
    assert loaded.sha256 == small_backbone.sha256
    for compute in (compute_with_the_engine, compute_grad_cam):
        for kind, values in compute(small_backbone).items():
            np.testing.assert_array_equal(compute(loaded)[kind], values)
