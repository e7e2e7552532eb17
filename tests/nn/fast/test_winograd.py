import itertools

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st

from explorer.nn.fast import onednn, winograd


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


@given(
    channels=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    size=st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 13)),
    seed=st.integers(0, 99),
)
def test_equals_pytorchs_convolution(
    channels: tuple[int, int], size: tuple[int, int, int], seed: int
) -> None:
    (inputs, outputs), (count, height, width) = channels, size
    x = draw(count, inputs, height, width, seed=seed)
    weight = draw(outputs, inputs, 3, 3, seed=seed)
    found = winograd.convolve(x, winograd.Filters(weight, x.dtype))
    torch.testing.assert_close(found, F.conv2d(x, weight, padding=1), rtol=1e-12, atol=1e-12)


def test_a_single_pixel_gives_the_kernel() -> None:
    # A single pixel gives the flipped kernel, wherever it is in a tile.
    weight = torch.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    for row, column in itertools.product(range(1, 9), repeat=2):
        x = torch.zeros(1, 1, 10, 10)
        x[0, 0, row, column] = 1
        found = winograd.convolve(x, winograd.Filters(weight, x.dtype))
        expected = torch.zeros(10, 10)
        expected[row - 1 : row + 2, column - 1 : column + 2] = weight[0, 0].flip(0, 1)
        torch.testing.assert_close(found[0, 0], expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 3e-6), (torch.bfloat16, 1.6e-2)])
def test_rounding_errors_are_as_documented(dtype: torch.dtype, error: float) -> None:
    x, weight = draw(1, 128, 24, 24).abs(), draw(128, 128, 3, 3).abs()
    exact = F.conv2d(x, weight, padding=1)
    found = winograd.convolve(x.to(dtype), winograd.Filters(weight, dtype))
    assert found.dtype == dtype
    assert (found.double() - exact).norm() <= error * exact.norm()


@pytest.mark.parametrize(
    ("weight", "maps", "expected"),
    [
        ((128, 128, 3, 3), (1, 128, 28, 28), True),
        ((64, 128, 3, 3), (1, 128, 28, 28), False),
        ((64, 64, 3, 3), (1, 64, 28, 28), False),
        ((128, 127, 3, 3), (1, 127, 28, 28), False),
        ((128, 128, 3, 3), (1, 128, 28, 10), True),
        ((128, 128, 3, 3), (1, 128, 28, 9), False),
        ((128, 3, 3, 3), (1, 3, 28, 28), False),
        ((128, 128, 1, 1), (1, 128, 28, 28), False),
        ((128, 128, 3, 3), (1, 128, 28, 7), False),
        ((128, 128, 3, 3), (0, 128, 28, 28), False),
    ],
)
def test_is_faster_for_wide_layers_and_maps(
    weight: tuple[int, ...], maps: tuple[int, ...], expected: bool
) -> None:
    assert winograd.is_faster(torch.empty(weight), torch.empty(maps)) is expected


def test_is_faster_for_narrower_layers_in_float64() -> None:
    weight, maps = torch.empty(64, 64, 3, 3), torch.empty(1, 64, 28, 28)
    assert winograd.is_faster(weight, maps.double())
    assert not winograd.is_faster(weight, maps[..., :14].double())
    assert not winograd.is_faster(weight, maps.half())


def test_maps_in_float32_do_without_onednn(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight = draw(2, 32, 9, 7, dtype=torch.float32), draw(16, 32, 3, 3, dtype=torch.float32)
    found = winograd.convolve(x, winograd.Filters(weight, x.dtype))
    monkeypatch.setattr(onednn, "is_available", lambda *_: False)
    plain = winograd.convolve(x, winograd.Filters(weight, x.dtype))
    torch.testing.assert_close(found, plain, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found, F.conv2d(x, weight, padding=1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("bytes_in_cache", [1, 3000, 10**9])
def test_strips_make_no_difference(monkeypatch: pytest.MonkeyPatch, bytes_in_cache: int) -> None:
    monkeypatch.setattr(winograd, "_STRIP_BYTES", bytes_in_cache)
    x, weight = draw(3, 4, 13, 9), draw(2, 4, 3, 3, seed=1)
    found = winograd.convolve(x, winograd.Filters(weight, x.dtype))
    torch.testing.assert_close(found, F.conv2d(x, weight, padding=1), rtol=1e-12, atol=1e-12)


@given(
    count=st.integers(1, 5),
    down=st.integers(1, 9),
    size=st.integers(1, 40),
    cache=st.integers(1, 400),
)
def test_strips_cover_every_row_once_and_fit_in_the_cache(
    count: int, down: int, size: int, cache: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winograd, "_STRIP_BYTES", cache)
        strips = list(winograd._split_into_strips(count, down, size))
    found = [
        (image, row)
        for images, rows in strips
        for image in range(images.start, images.stop)
        for row in range(rows.start, rows.stop)
    ]
    assert found == list(itertools.product(range(count), range(down)))
    for images, rows in strips:
        held = (images.stop - images.start) * (rows.stop - rows.start)
        assert held == 1 or held * size <= cache
