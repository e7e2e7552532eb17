"""Shapes of what layers compute."""

import threading

import torch
from torch import nn

from explorer.nn.shapes import list_output_shapes


def make_layers() -> list[nn.Module]:
    return [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 5)]


def test_shapes_are_those_of_the_outputs() -> None:
    layers = nn.Sequential(*make_layers()).eval()
    x, expected = torch.zeros(1, 3, 8, 8), []
    for layer in layers:
        x = layer(x)
        expected.append(tuple(x.shape[1:]))
    assert list_output_shapes(list(layers), (3, 8, 8)) == expected


def test_layers_keep_their_weights_and_their_mode() -> None:
    layers = make_layers()
    before = [weight.clone() for layer in layers for weight in layer.state_dict().values()]
    list_output_shapes(layers, (3, 8, 8))
    after = [weight for layer in layers for weight in layer.state_dict().values()]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    assert all(layer.training for layer in layers)


def test_a_network_can_run_while_its_shapes_are_listed() -> None:
    layers = nn.Sequential(*make_layers()).eval()
    x, stop = torch.zeros(1, 3, 8, 8), threading.Event()

    def list_again_and_again() -> None:
        while not stop.is_set():
            list_output_shapes(list(layers), (3, 8, 8))

    thread = threading.Thread(target=list_again_and_again)
    thread.start()
    try:
        with torch.inference_mode():
            for _ in range(50):
                assert not layers(x).is_meta
    finally:
        stop.set()
        thread.join()
