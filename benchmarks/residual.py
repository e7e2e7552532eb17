"""Compares maps and times of MWP for the additions in ResNets with TorchRay's `EltwiseSum`.

With positive weights, both rules are equivalent and give the same maps. With weights of both signs,
a branch with a negative output gets a negative share in TorchRay. Install TorchRay with
``pip install -r benchmarks/requirements.txt``; see docs/performance.md.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from common import describe_machine
from torch import Tensor, nn

from explorer.attribution import mwp
from explorer.nn.backbones.residual import list_layers
from explorer.nn.torchvision_guard import import_torchvision

STOP, LAYER = 3, "relu"  # the output of the first ReLU, by index and by name
NEURONS = 5


def build_network(name: str, *, is_positive: bool) -> nn.Module:
    network: nn.Module = import_torchvision().models.get_model(name, weights=None)
    for module in network.modules():
        if is_positive and isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.data.abs_()
        if is_positive and isinstance(module, nn.BatchNorm2d):
            module.running_var.fill_(1000)
        if isinstance(module, nn.Linear):
            module.bias.data.zero_()
    return network.eval().requires_grad_(False).double()


def draw_with_torchray(network: nn.Module, images: Tensor) -> Tensor:
    from torchray.attribution import excitation_backprop as torchray  # noqa: PLC0415

    torchray.update_resnet(network)
    maps = [
        torchray.excitation_backprop(network, images, torch.tensor([neuron]), LAYER, resize=False)
        for neuron in range(NEURONS)
    ]
    return torch.cat(maps, 1)[0]


def draw_with_rules(network: nn.Module, images: Tensor) -> Tensor:
    return mwp(list_layers(network), images, stop=STOP, neurons=range(NEURONS))[0]


def time_draw(draw: Callable[[], Tensor], repeats: int) -> tuple[Tensor, float]:
    seconds = []
    for _ in range(repeats + 1):  # the first run allocates memory
        start = time.perf_counter()
        maps = draw()
        seconds.append(time.perf_counter() - start)
    return maps, statistics.median(seconds[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", default="resnet18,resnet50", help="separated by commas")
    parser.add_argument("--side", type=int, default=224, help="side of the image, in pixels")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    print(describe_machine("torch", "torchray"), f"{torch.get_num_threads()} thread(s), float64")
    print(f"Command: {' '.join(sys.argv)}; {NEURONS} plain MWP maps")
    print(
        f"{'network':10}{'weights':>10}{'difference':>12}{'correlation':>13}",
        end="",
    )
    print(f"{'TorchRay, s':>13}{'ours, s':>10}{'ratio':>8}")
    for name in options.networks.split(","):
        for is_positive in (True, False):
            torch.manual_seed(0)
            network = build_network(name, is_positive=is_positive)
            images = torch.rand(1, 3, options.side, options.side, dtype=torch.float64)
            ours, fast = time_draw(
                lambda n=network, x=images: draw_with_rules(n, x), options.repeats
            )
            theirs, slow = time_draw(
                lambda n=network, x=images: draw_with_torchray(n, x), options.repeats
            )
            difference = float((ours - theirs).norm() / theirs.norm())
            correlation = np.corrcoef(ours.flatten(), theirs.flatten())[0, 1]
            weights = "positive" if is_positive else "both"
            print(f"{name:10}{weights:>10}{difference:12.1e}", end="")
            print(f"{correlation:13.6f}{slow:13.3f}{fast:10.3f}{slow / fast:8.2f}")


if __name__ == "__main__":
    main()
