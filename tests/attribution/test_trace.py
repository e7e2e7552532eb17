"""How a photo's way down is kept and gone: in which pieces, formats and layouts."""

import pytest
import torch
from torch import Tensor, nn

from explorer.attribution import AttributionError, steps
from explorer.attribution import trace as tracing
from explorer.attribution.fast.pairs import UnpoolPairs
from explorer.attribution.steps import (
    FullyConnected,
    Reshape,
    Scale,
    Step,
    to_channels_last,
)
from explorer.attribution.trace import Trace, begin, read_layers


class Spy(Step):
    """Notes how many neurons come at once."""

    def __init__(self) -> None:
        self.counts: list[int] = []

    def __call__(self, P: Tensor) -> Tensor:
        self.counts.append(P.shape[1])
        return P


@pytest.mark.parametrize(
    ("limit", "counts"),
    [(90, [5]), (89, [4, 1]), (36, [2, 2, 1]), (18, [1] * 5), (18, [1, 1]), (1, [1] * 5)],
)
def test_neurons_go_down_in_pieces_of_a_bounded_size(
    monkeypatch: pytest.MonkeyPatch, limit: int, counts: list[int]
) -> None:
    monkeypatch.setattr(tracing, "_VALUES_AT_ONCE", {"cpu": limit})
    P, spy = torch.rand(1, sum(counts), 2, 3, 3), Spy()
    torch.testing.assert_close(tracing._draw(P, [spy]), P.sum(2))
    assert spy.counts == counts


def test_channels_are_added_up_in_more_than_bfloat16() -> None:
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


def test_factors_are_joined_with_pools_and_with_one_another() -> None:
    images = torch.rand((1, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    found = begin(images).follow(read_layers(build_layers(), images))
    kinds = [type(step).__name__ for step in found.steps]
    lower = ["Scale", "Convolution", "UnpoolPairs"]
    assert kinds == [*lower, "Convolution", "UnpoolPairs", "Reshape", "Scale", "FullyConnected"]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    "options",
    [{}, {"stride": 2}, {"dilation": 2}, {"groups": 2}, {"padding": 0}, {"padding": 2}],
    ids=str,
)
@torch.no_grad()
def test_wide_convolutions_of_every_kind_are_computed_as_they_are(
    options: dict[str, int], bias: bool
) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = nn.Conv2d(128, 128, 3, bias=bias, **{"padding": 1, **options})
        images = torch.rand(1, 128, 21, 21)
    (rule,) = read_layers([layer], images)
    torch.testing.assert_close(rule.forward(images), layer(images), rtol=1e-4, atol=1e-5)


def test_what_comes_in_is_never_written_over() -> None:
    images = torch.randn((1, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    before = images.clone()
    layers = [nn.ReLU(), nn.Conv2d(3, 4, 3).requires_grad_(False)]
    Trace(images, ()).follow(read_layers(layers, images))
    assert torch.equal(images, before)


def test_only_exact_maps_take_the_way_up_in_double_precision() -> None:
    images = torch.rand(1, 3, 8, 8)
    assert begin(images).output.dtype == torch.float64
    assert begin(images, is_exact=False).output.dtype == torch.float32


def test_layers_that_have_no_rule_are_told_which_have() -> None:
    with pytest.raises(AttributionError, match=r"use Conv2d, Linear, ReLU, .*, Identity, or Batch"):
        read_layers([nn.Tanh()], torch.rand(1, 3, 8, 8))


def test_memory_of_a_trace_is_that_of_its_tensors_without_the_networks_own() -> None:
    weight = nn.Parameter(torch.rand(3, 8))
    kept = (
        Scale(torch.rand(1, 2, 4, 4)),
        UnpoolPairs(tuple(torch.rand(1, 2, 2, 2) for _ in range(4))),
        Reshape((2, 2, 2), torch.float32),
        FullyConnected(torch.rand(1, 8), weight, torch.ones(3, dtype=torch.bool)),
    )
    assert Trace(torch.rand(1, 3), kept).nbytes == 4 * 32 + 4 * 4 * 8 + 4 * 8 + 3


def test_a_trace_of_nothing_draws_nothing() -> None:
    with pytest.raises(AttributionError, match="must be a Linear"):
        begin(torch.rand(1, 3, 4, 4)).draw()


def test_maps_are_laid_out_as_convolutions_like_it() -> None:
    P = torch.rand(2, 3, 4, 5, 6)
    found = to_channels_last(P)
    assert torch.equal(found, P)
    assert found.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)
    flat = torch.rand(2, 3, 4)
    assert to_channels_last(flat) is flat


@pytest.mark.parametrize(("most", "dtype"), [(24, torch.float64), (23, torch.float32)])
def test_a_huge_layer_is_summed_in_its_own_format(
    monkeypatch: pytest.MonkeyPatch, most: int, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(steps, "_EXACT_WEIGHTS", most)
    layer = FullyConnected(torch.rand(1, 8), torch.rand(3, 8), torch.ones(3, dtype=torch.bool))
    assert layer(torch.rand(1, 2, 3)).dtype == dtype
    assert layer.start([0, 2], contrastive=True).dtype == dtype


def test_rows_that_hold_nothing_are_left_out_and_the_rest_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(steps, "_WEIGHTS_IN_CACHE", 1)
    is_active = torch.tensor([True, False, True])
    layer = FullyConnected(torch.rand(1, 8), torch.rand(3, 8), is_active)
    assert [rows.tolist() for rows in layer._split_rows()] == [[0], [2]]
    monkeypatch.setattr(steps, "_WEIGHTS_IN_CACHE", 16)
    assert [rows.tolist() for rows in layer._split_rows()] == [[0, 2]]
