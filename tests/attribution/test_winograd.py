import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st

from explorer.attribution import winograd


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


@given(
    channels=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    size=st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 13)),
    seed=st.integers(0, 99),
)
def test_equals_the_convolution(
    channels: tuple[int, int], size: tuple[int, int, int], seed: int
) -> None:
    (inputs, outputs), (count, height, width) = channels, size
    x = draw(count, inputs, height, width, seed=seed)
    weight = draw(outputs, inputs, 3, 3, seed=seed)
    found = winograd.convolve(x, winograd.transform_weight(weight))
    torch.testing.assert_close(found, F.conv2d(x, weight, padding=1), rtol=1e-12, atol=1e-12)


def test_impulses_are_known() -> None:
    # A single pixel hands out the kernel turned around, wherever in a tile it lies.
    weight = torch.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    for column in range(1, 9):
        x = torch.zeros(1, 1, 3, 10)
        x[0, 0, 1, column] = 1
        found = winograd.convolve(x, winograd.transform_weight(weight))
        expected = torch.zeros(3, 10)
        expected[:, column - 1 : column + 2] = weight[0, 0].flip(0, 1)
        torch.testing.assert_close(found[0, 0], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 3e-6), (torch.bfloat16, 2e-2)])
def test_rounds_as_stated(dtype: torch.dtype, error: float) -> None:
    x, weight = draw(1, 128, 24, 24).abs(), draw(128, 128, 3, 3).abs()
    exact = F.conv2d(x, weight, padding=1)
    filters = tuple(f.to(dtype) for f in winograd.transform_weight(weight))
    found = winograd.convolve(x.to(dtype), filters)
    assert found.dtype == dtype
    assert (found.double() - exact).norm() <= error * exact.norm()


@pytest.mark.parametrize(
    ("weight", "maps", "expected"),
    [
        ((128, 128, 3, 3), (1, 128, 28, 28), True),
        ((64, 128, 3, 3), (1, 128, 28, 28), True),
        ((64, 64, 3, 3), (1, 64, 28, 28), False),
        ((128, 3, 3, 3), (1, 3, 28, 28), False),
        ((128, 128, 1, 1), (1, 128, 28, 28), False),
        ((128, 128, 3, 3), (1, 128, 28, 14), False),
        ((128, 128, 3, 3), (0, 128, 28, 28), False),
    ],
)
def test_pays_for_wide_layers_and_maps(
    weight: tuple[int, ...], maps: tuple[int, ...], expected: bool
) -> None:
    assert winograd.pays(torch.empty(weight), torch.empty(maps)) is expected
    assert not winograd.pays(torch.empty(weight), torch.empty(maps, dtype=torch.float64))
