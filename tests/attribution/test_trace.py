"""The backward pass: its chunks, number formats, memory layouts and memory."""

import pytest
import torch
from torch import Tensor, nn

from explorer.attribution import AttributionError, steps
from explorer.attribution import trace as tracing
from explorer.attribution.layers import make_rules
from explorer.attribution.pool_2x2 import Unpool2x2
from explorer.attribution.steps import (
    Branches,
    FullyConnected,
    Reshape,
    Scale,
    Step,
    to_channels_last,
)
from explorer.attribution.trace import Trace, start_trace


class Spy(Step):
    """Records how many neurons it is called with."""

    def __init__(self) -> None:
        self.counts: list[int] = []

    def __call__(self, P: Tensor) -> Tensor:
        self.counts.append(P.shape[1])
        return P


@pytest.mark.parametrize(
    ("limit", "counts"),
    [(90, [5]), (89, [4, 1]), (36, [2, 2, 1]), (18, [1] * 5), (18, [1, 1]), (1, [1] * 5)],
)
def test_neurons_are_processed_in_chunks_of_bounded_size(
    monkeypatch: pytest.MonkeyPatch, limit: int, counts: list[int]
) -> None:
    monkeypatch.setattr(tracing, "_CHUNK_VALUES", {"cpu": limit})
    P, spy = torch.rand(1, sum(counts), 2, 3, 3), Spy()
    torch.testing.assert_close(tracing._draw(P, [spy]), P.sum(2))
    assert spy.counts == counts


def test_bfloat16_channels_are_summed_in_float32() -> None:
    P = torch.rand((1, 1, 64, 2, 2), generator=torch.Generator().manual_seed(0)).bfloat16()
    torch.testing.assert_close(
        tracing._draw(P, []), P.float().sum(2), rtol=1e-6, atol=0, check_dtype=True
    )


def build_layers() -> list[nn.Module]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers: list[nn.Module] = [nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        layers += [nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        layers += [nn.Flatten(), nn.Linear(16, 2)]
    return [layer.requires_grad_(False) for layer in layers]


def test_factors_are_fused_with_pools_and_with_each_other() -> None:
    images = torch.rand((1, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    found = start_trace(images).extend(make_rules(build_layers(), images))
    kinds = [type(step).__name__ for step in found.steps]
    lower = ["Scale", "Convolution", "Unpool2x2"]
    assert kinds == [*lower, "Convolution", "Unpool2x2", "Reshape", "Scale", "FullyConnected"]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    "options",
    [{}, {"stride": 2}, {"dilation": 2}, {"groups": 2}, {"padding": 0}, {"padding": 2}],
    ids=str,
)
@torch.no_grad()
def test_wide_convolutions_of_every_kind_equal_pytorchs(
    options: dict[str, int], bias: bool
) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = nn.Conv2d(128, 128, 3, bias=bias, **{"padding": 1, **options})
        images = torch.rand(1, 128, 21, 21)
    (rule,) = make_rules([layer], images)
    torch.testing.assert_close(rule.forward(images), layer(images), rtol=1e-4, atol=1e-5)


def test_the_input_is_never_overwritten() -> None:
    images = torch.randn((1, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    before = images.clone()
    layers = [nn.ReLU(), nn.Conv2d(3, 4, 3).requires_grad_(False)]
    Trace(images, ()).extend(make_rules(layers, images))
    assert torch.equal(images, before)


def test_only_exact_maps_use_float64_in_the_forward_pass() -> None:
    images = torch.rand(1, 3, 8, 8)
    assert start_trace(images).output.dtype == torch.float64
    assert start_trace(images, exact=False).output.dtype == torch.float32


def test_an_unsupported_layer_is_refused_with_a_list_of_supported_ones() -> None:
    with pytest.raises(AttributionError, match=r"use Conv2d, Linear, ReLU, .*, Identity, or Batch"):
        make_rules([nn.Tanh()], torch.rand(1, 3, 8, 8))


def test_memory_of_a_trace_excludes_the_weights_of_the_network() -> None:
    weight = nn.Parameter(torch.rand(3, 8))
    kept = (
        Scale(torch.rand(1, 2, 4, 4)),
        Unpool2x2(tuple(torch.rand(1, 2, 2, 2) for _ in range(4))),
        Reshape((2, 2, 2), torch.float32),
        FullyConnected(torch.rand(1, 8), weight, torch.ones(3, dtype=torch.bool)),
    )
    size = 4 * 32 + 4 * 4 * 8 + 4 * 8 + 3
    assert Trace(torch.rand(1, 3), kept).nbytes == size
    branches = Branches((kept, kept[:1]))
    assert Trace(torch.rand(1, 3), (*kept, branches)).nbytes == 2 * size + 4 * 32


def test_outputs_with_height_and_width_cannot_be_drawn() -> None:
    with pytest.raises(AttributionError, match="without height and width"):
        start_trace(torch.rand(1, 3, 4, 4)).draw()


def test_maps_are_converted_to_channels_last() -> None:
    P = torch.rand(2, 3, 4, 5, 6)
    found = to_channels_last(P)
    assert torch.equal(found, P)
    assert found.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)
    flat = torch.rand(2, 3, 4)
    assert to_channels_last(flat) is flat


@pytest.mark.parametrize(("most", "dtype"), [(24, torch.float64), (23, torch.float32)])
def test_a_huge_layer_is_summed_in_its_own_precision(
    monkeypatch: pytest.MonkeyPatch, most: int, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(steps, "_MAX_FLOAT64_WEIGHTS", most)
    layer = FullyConnected(torch.rand(1, 8), torch.rand(3, 8), torch.ones(3, dtype=torch.bool))
    assert layer(torch.rand(1, 2, 3)).dtype == dtype
    assert layer.start([0, 2], contrastive=True).dtype == dtype


def test_inactive_rows_are_skipped_and_the_others_split_into_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(steps, "_CHUNK_WEIGHTS", 1)
    is_active = torch.tensor([True, False, True])
    layer = FullyConnected(torch.rand(1, 8), torch.rand(3, 8), is_active)
    assert [rows.tolist() for rows in layer._chunk_rows()] == [[0], [2]]
    monkeypatch.setattr(steps, "_CHUNK_WEIGHTS", 16)
    assert [rows.tolist() for rows in layer._chunk_rows()] == [[0, 2]]
