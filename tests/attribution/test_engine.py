import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from explorer.attribution import contrastive_mwp
from explorer.attribution import trace as tracing
from explorer.attribution.engine import Engine
from explorer.attribution.pool_2x2 import Unpool2x2
from explorer.config import ExplorerError
from explorer.nn.backbones.architecture import Architecture
from explorer.nn.backbones.backbone import Backbone
from explorer.nn.devices import choose_device
from explorer.nn.fast import winograd


class CountConvolutions(TorchDispatchMode):
    """Counts convolutions: those of PyTorch, and batched products, which are Winograd's."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += "convolution" in str(func) or "bmm" in str(func)
        return func(*args, **(kwargs or {}))


def build_backbone() -> Backbone:
    """Build a seeded network that is wide enough for every implementation of convolutions."""
    with torch.random.fork_rng():
        torch.manual_seed(11)
        layers = nn.Sequential(
            nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(),
            nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(128, 128, 3, padding=1), nn.ReLU(),
            nn.Conv2d(128, 128, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(128, 128, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(6),
            nn.Flatten(),
            nn.Linear(128 * 36, 96), nn.ReLU(), nn.Dropout(),
            nn.Linear(96, 64), nn.ReLU(), nn.Dropout(),
            nn.Linear(64, 2),
        ).eval().requires_grad_(False)  # fmt: skip
    for layer in layers:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, generator=torch.Generator().manual_seed(2))
    return Backbone(Architecture("wide", (48, 48)), layers, ("a", "b"))


def draw_pixels(seed: int = 0) -> np.ndarray:
    # Smooth blobs as in photos, not noise.
    coarse = torch.randn((1, 3, 7, 7), generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(coarse, (48, 48), mode="bicubic")[0].numpy()


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return build_backbone()


@pytest.fixture(scope="module")
def top() -> list[nn.Module]:
    generator = torch.Generator().manual_seed(4)
    layers = [nn.Linear(96, 32), nn.ReLU(), nn.Linear(32, 5)]
    for layer in (layers[0], layers[2]):
        nn.init.kaiming_normal_(layer.weight, generator=generator)
    return [layer.requires_grad_(False) for layer in layers]


@pytest.fixture(scope="module")
def exact(backbone: Backbone, top: list[nn.Module]) -> Callable[[str, np.ndarray], np.ndarray]:
    layers = copy.deepcopy([*backbone.trunk, *top])

    def compute(stop: str, pixels: np.ndarray) -> np.ndarray:
        doubles = [layer.double() for layer in layers]
        images = torch.from_numpy(pixels)[None].double()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(winograd, "is_faster", lambda *_: False)
            maps: Tensor = contrastive_mwp(doubles, images, stop=backbone.get_stop(stop))
        return maps[0].numpy()

    return compute


@pytest.mark.parametrize(("precision", "error"), [("exact", 1e-5), ("float32", 3e-3)])
@pytest.mark.parametrize("stop", ["relu1", "pool1", "pool2"])
def test_maps_are_exact_to_rounding(
    top: list[nn.Module], exact: Callable, stop: str, precision: str, error: float
) -> None:
    maps = Engine(build_backbone(), precision).draw(draw_pixels(), top, stop)
    expected = exact(stop, draw_pixels())
    assert maps.dtype == np.float32
    assert maps.shape == expected.shape
    assert np.linalg.norm(maps - expected) <= error * np.linalg.norm(expected)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("stop", ["relu1", "pool1"])
def test_a_gpu_draws_as_exactly_as_a_cpu(top: list[nn.Module], exact: Callable, stop: str) -> None:
    device = choose_device("cuda")
    backbone = build_backbone()
    backbone.layers.to(device)
    layers = [copy.deepcopy(layer).to(device) for layer in top]
    maps = Engine(backbone, "exact").draw(draw_pixels(), layers, stop)
    expected = exact(stop, draw_pixels())
    assert np.linalg.norm(maps - expected) <= 1e-5 * np.linalg.norm(expected)


def test_near_ties_are_decided_as_in_exact_arithmetic(
    backbone: Backbone, top: list[nn.Module], exact: Callable
) -> None:
    # Pixels that differ only in their seventh digit.
    steps = np.random.default_rng(0).integers(0, 4, (3, 48, 48))
    pixels = (1 + steps * np.finfo(np.float32).eps).astype(np.float32)
    maps = Engine(backbone, "exact").draw(pixels, top, "relu1")
    expected = exact("relu1", pixels)
    assert np.linalg.norm(maps - expected) <= 1e-4 * np.linalg.norm(expected)


def test_the_first_of_equals_wins_despite_rounding(backbone: Backbone) -> None:
    trace = Engine(backbone, "exact").trace(np.full((3, 48, 48), 0.7, np.float32), "relu1")
    pool = next(step for step in trace.steps if isinstance(step, Unpool2x2))
    first, *others = (share[..., 2:-2, 2:-2] for share in pool.shares)
    assert first.any()
    assert not any(share.any() for share in others)


@pytest.mark.parametrize("stop", ["relu1", "pool1"])
def test_bfloat16_correlates_with_the_exact_maps(
    backbone: Backbone, top: list[nn.Module], exact: Callable, stop: str
) -> None:
    maps = Engine(backbone, "bfloat16").draw(draw_pixels(), top, stop)
    expected = exact(stop, draw_pixels())
    assert maps.dtype == np.float32
    assert not np.allclose(maps, expected, rtol=1e-4)  # it is another precision
    for found, right in zip(maps, expected, strict=True):
        assert np.corrcoef(found.ravel(), right.ravel())[0, 1] >= 0.999


def test_scores_do_not_depend_on_the_precision(backbone: Backbone) -> None:
    exact, reduced = (Engine(backbone, name) for name in ("exact", "bfloat16"))
    z = exact.trace(draw_pixels(), "relu1").output
    torch.testing.assert_close(reduced.trace(draw_pixels(), "relu1").output, z)
    expected, _ = backbone.compute_features(torch.from_numpy(draw_pixels())[None])
    torch.testing.assert_close(z, expected)


def test_scores_come_from_the_forward_pass_of_the_maps(
    backbone: Backbone, top: list[nn.Module]
) -> None:
    engine = Engine(backbone)
    engine.draw(draw_pixels(), top, "relu1")
    with CountConvolutions() as further:
        z, logits = engine.score(draw_pixels(), "relu1")
    assert further.count == 0
    expected = backbone.compute_features(torch.from_numpy(draw_pixels())[None])
    for found, right in zip((z, logits), expected, strict=True):
        np.testing.assert_allclose(found, right[0].numpy(), rtol=1e-4, atol=1e-5)


def test_unknown_precisions_are_refused(backbone: Backbone) -> None:
    with pytest.raises(ExplorerError, match=r"'int8'.*exact, float32, bfloat16"):
        Engine(backbone, "int8")


def test_another_category_costs_no_forward_pass(
    backbone: Backbone, top: list[nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(winograd, "_STRIP_BYTES", 2**40)  # one product each, not strips
    engine, other = Engine(backbone), [nn.Linear(96, 5).requires_grad_(False)]
    engine.draw(draw_pixels(), top, "relu1")
    with CountConvolutions() as second:
        maps = engine.draw(draw_pixels(), other, "relu1")
    # Forward: five convolutions; normalisers: of the four above the first ReLU, and the average.
    engine._passes.clear()
    with CountConvolutions() as first:
        expected = engine.draw(draw_pixels(), other, "relu1")
    assert first.count == second.count + 5 + 4 + 1
    np.testing.assert_array_equal(maps, expected)


def test_winograd_is_used_unless_normalisers_are_small(
    backbone: Backbone, top: list[nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    convolve = winograd.convolve

    def count(x: Tensor, filters: Tensor) -> Tensor:
        if x.dtype == torch.float32:  # only the backward pass is
            calls.append(1)
        return convolve(x, filters)

    monkeypatch.setattr(winograd, "convolve", count)
    Engine(backbone, "exact").draw(draw_pixels(), top, "relu1")
    used = len(calls)
    assert used > 0
    # A bias activates neurons whose normaliser is close to zero.
    biased = build_backbone()
    for layer in biased.layers:
        if isinstance(layer, nn.Conv2d):
            layer.weight.mul_(1e-3)
            layer.bias.fill_(1)
    calls.clear()
    maps = Engine(biased, "exact").draw(draw_pixels(), top, "relu1")
    assert not calls
    assert np.isfinite(maps).all()


def test_chunks_make_no_difference(
    backbone: Backbone, top: list[nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Engine(backbone).draw(draw_pixels(), top, "relu1")
    monkeypatch.setattr(tracing, "_CHUNK_VALUES", {"cpu": 1})
    chunks = Engine(backbone).draw(draw_pixels(), top, "relu1")
    np.testing.assert_allclose(chunks, whole, rtol=1e-5, atol=1e-9)


def test_a_batch_is_split_by_memory(
    backbone: Backbone, top: list[nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = [*backbone.trunk, *top]
    images = torch.stack([torch.from_numpy(draw_pixels(seed)) for seed in range(5)])
    sizes: list[int] = []
    start_trace = tracing.start_trace
    monkeypatch.setattr(
        "explorer.attribution.excitation.start_trace",
        lambda x, exact: sizes.append(len(x)) or start_trace(x, exact=exact),
    )
    whole = contrastive_mwp(layers, images, stop=2)
    assert sizes == [1, 4]
    sizes.clear()
    monkeypatch.setattr("explorer.attribution.excitation.MAX_TRACE_BYTES", 1)
    single = contrastive_mwp(layers, images, stop=2)
    assert sizes == [1] * 5
    torch.testing.assert_close(whole, single, rtol=1e-4, atol=1e-9)


def test_recent_forward_passes_are_kept(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(backbone)
    first = engine.trace(draw_pixels(0), "relu1")
    assert engine.trace(draw_pixels(0).copy(), "relu1") is first
    assert engine.trace(draw_pixels(0), "pool1") is not first
    monkeypatch.setattr("explorer.attribution.engine.MAX_TRACE_BYTES", 2 * first.nbytes)
    for seed in range(1, 4):
        engine.trace(draw_pixels(seed), "relu1")
    assert sum(trace.nbytes for trace in engine._passes.values()) <= 2 * first.nbytes
    assert engine.trace(draw_pixels(0), "relu1") is not first


def test_the_last_forward_pass_is_kept_however_large(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explorer.attribution.engine.MAX_TRACE_BYTES", 1)
    engine = Engine(backbone)
    for seed in range(2):
        last = engine.trace(draw_pixels(seed), "relu1")
        assert engine.trace(draw_pixels(seed), "relu1") is last
    assert len(engine._passes) == 1


def test_coarse_maps_and_kept_outputs_come_from_the_pass_of_fine_ones(
    backbone: Backbone, top: list[nn.Module]
) -> None:
    images = torch.from_numpy(draw_pixels())[None]
    with CountConvolutions() as whole:
        fresh = Engine(backbone).draw(draw_pixels(), top, "pool1")
    engine = Engine(backbone)
    fine = engine.draw(draw_pixels(), top, "relu1")
    with CountConvolutions() as counted:
        coarse = engine.draw(draw_pixels(), top, "pool1")
    assert 0 < counted.count < whole.count  # without the layers below
    with CountConvolutions() as counted:
        kept = engine.compute_map(draw_pixels(), "pool1")
        pooled = engine.compute_pooled(draw_pixels())
    assert counted.count == 0
    np.testing.assert_array_equal(coarse, fresh)
    torch.testing.assert_close(kept, backbone.compute_map(images, "pool1"))
    torch.testing.assert_close(pooled, backbone.compute_pooled(images))
    # Fine maps are drawn again from the same pass, which nothing has changed.
    np.testing.assert_array_equal(engine.draw(draw_pixels(), top, "relu1"), fine)


def test_no_photo_gets_the_kept_outputs_of_another(
    backbone: Backbone, top: list[nn.Module]
) -> None:
    engine = Engine(backbone)
    engine.draw(draw_pixels(0), top, "relu1")
    found = engine.draw(draw_pixels(1), top, "pool1")
    np.testing.assert_array_equal(found, Engine(backbone).draw(draw_pixels(1), top, "pool1"))


def test_dimensions_of_z_are_drawn_from_the_same_trace(backbone: Backbone) -> None:
    images = torch.from_numpy(draw_pixels())[None]
    to_z = list(backbone.trunk)[:-1]
    expected = contrastive_mwp(to_z, images, stop=2, neurons=[7, 3], exact=True)[0].numpy()
    found = Engine(backbone, "exact").draw(draw_pixels(), (), "relu1", [7, 3])
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_threads_share_an_engine(backbone: Backbone, top: list[nn.Module]) -> None:
    engine, photos = Engine(backbone), [draw_pixels(seed % 3) for seed in range(12)]
    alone = [Engine(backbone).draw(photo, top, "pool1") for photo in photos[:3]]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda photo: engine.draw(photo, top, "pool1"), photos))
    for index, maps in enumerate(together):
        np.testing.assert_array_equal(maps, alone[index % 3])


def test_rounding_errors_of_the_top_do_not_dominate_the_map() -> None:
    # Nearly equal weights make P⁺ and P⁻ nearly equal further down: their difference is small
    # compared with the rounding error that its sum would have in float32.
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers: list[nn.Module] = [nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten()]
        layers += [nn.Linear(400, 400), nn.ReLU(), nn.Linear(400, 400), nn.ReLU()]
        layers += [nn.Linear(400, 3)]
        for layer in layers:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.weight.data = 1 + 0.05 * torch.randn_like(layer.weight)
        layers[-1].weight.data = torch.randn(3, 400)
        images = torch.rand(1, 1, 10, 10)
    maps = contrastive_mwp(layers, images)
    exact = contrastive_mwp([copy.deepcopy(layer).double() for layer in layers], images.double())
    assert (maps - exact).norm() <= 1e-4 * exact.norm()


def test_maps_are_those_of_the_right_neurons(small_backbone: Backbone) -> None:
    height, width = small_backbone.architecture.input_size
    pixels = np.random.default_rng(0).normal(size=(3, height, width)).astype(np.float32)
    images = torch.from_numpy(pixels)[None]
    stop = small_backbone.stops["pool3"]
    layers = list(small_backbone.layers)
    category = small_backbone.categories[1]
    engine = Engine(small_backbone, "exact")
    logit = engine.draw_logit(pixels, category, "pool3")
    expected = contrastive_mwp(layers, images, stop=stop, neurons=[1], exact=True)[0].numpy()
    np.testing.assert_array_equal(logit, expected)

    z_maps = engine.draw(pixels, (), "pool3", [3, 0])
    to_z = list(small_backbone.trunk)[:-1]
    assert isinstance(to_z[-1], nn.Linear)
    expected = contrastive_mwp(to_z, images, stop=stop, neurons=[3, 0], exact=True)[0].numpy()
    np.testing.assert_array_equal(z_maps, expected)

    top = [nn.Linear(small_backbone.z_size, 2)]
    maps = engine.draw(pixels, top, "pool3")
    assert maps.shape == (2, *expected.shape[1:])
