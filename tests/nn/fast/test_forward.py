import pytest
import torch
from torch import Tensor, nn

from explorer.nn.fast import forward, winograd
from explorer.nn.fast.forward import FastForward

SHAPE = (3, 24, 20)
ROUNDING = {"rtol": 1e-4, "atol": 1e-5}


class Double(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


def make_layers() -> list[nn.Module]:
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(3, 128, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(128, 128, 3, padding=1),  # wide enough for Winograd's algorithm
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(128, 8, 3, padding="same", padding_mode="reflect"),
        nn.ReLU(),
        Double(),
        nn.Conv2d(8, 8, 3, padding="same", groups=2),
        nn.Flatten(),
        nn.Linear(8 * 12 * 10, 7),
        nn.ReLU(),
        nn.Linear(7, 5),
    ]
    return list(nn.Sequential(*layers).eval().requires_grad_(False))


def draw_images(count: int) -> Tensor:
    return torch.randn(count, *SHAPE, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("count", [1, 3, 7])
@pytest.mark.parametrize("cache", [1, 2**18, 2**24])
def test_equals_a_plain_pass(monkeypatch: pytest.MonkeyPatch, count: int, cache: int) -> None:
    monkeypatch.setattr(forward, "_CACHE_BYTES", cache)
    layers = make_layers()
    assert winograd.is_faster(layers[2].weight, torch.empty(1, 128, 24, 20))
    fast, images = FastForward(layers, SHAPE), draw_images(count)
    before = images.clone()
    for start, stop in ((0, 13), (0, 1), (0, 5), (0, 0)):
        expected = nn.Sequential(*layers[start:stop])(images)
        torch.testing.assert_close(fast.run(images, start, stop), expected, **ROUNDING)
    assert images.equal(before)


def test_the_input_of_a_part_is_not_changed() -> None:
    layers = make_layers()
    fast = FastForward(layers, SHAPE)
    convolved = fast.run(draw_images(2), 0, 1)
    assert (convolved < 0).any()
    before = convolved.clone()
    found = fast.run(convolved, 1, 13)  # begins with a ReLU
    assert convolved.equal(before)
    torch.testing.assert_close(found, nn.Sequential(*layers)(draw_images(2)), **ROUNDING)


def test_photos_at_once_are_limited_by_the_largest_output_up_to_the_next_pool(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forward, "_CACHE_BYTES", 4 * 100)
    sizes = [40, 50, 50, 10, 20, 5, 200, 2]
    assert forward._choose_photos_at_once(sizes) == [2, 2, 2, 2, 4, 4, 1, 1]
    assert forward._choose_photos_at_once([]) == []


def test_activations_of_large_layers_are_computed_for_few_photos(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forward, "_CACHE_BYTES", 2 * 4 * 64 * 24 * 20)
    layers = make_layers()
    seen: dict[int, list[int]] = {4: [], 7: []}
    for index, counts in seen.items():
        layers[index].register_forward_hook(
            lambda _layer, _input, output, counts=counts: counts.append(len(output))
        )
    fast = FastForward(layers, SHAPE)
    for counts in seen.values():
        counts.clear()  # of measuring the sizes
    fast.run(draw_images(5), 0, 13)
    assert seen == {4: [1, 1, 1, 1, 1], 7: [5]}
