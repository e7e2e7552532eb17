"""Compares maps and times of MWP for the additions in ResNets with TorchRay and zennit.

With positive weights, the rules for additions are equivalent and give the same maps. With weights
of both signs, a branch with a negative output gets a negative share in TorchRay's `EltwiseSum` and
in zennit's `Norm`. captum's LRP has no rule for additions: each branch gets all of the relevance,
whose sum doubles with every block, so that it draws something else. Install the others with
``pip install -r benchmarks/requirements.txt``; see docs/performance.md.
"""

import argparse
import copy
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
    return network.eval().requires_grad_(False)


def draw_with_torchray(network: nn.Module, images: Tensor) -> Tensor:
    from torchray.attribution import excitation_backprop as torchray  # noqa: PLC0415

    torchray.update_resnet(network)
    maps = [
        torchray.excitation_backprop(network, images, torch.tensor([neuron]), LAYER, resize=False)
        for neuron in range(NEURONS)
    ]
    return torch.cat(maps, 1)[0]


def draw_with_zennit(network: nn.Module, images: Tensor) -> Tensor:
    """zennit's rules of excitation backprop: one forward pass, and a backward pass per neuron."""
    from zennit.composites import ExcitationBackprop  # noqa: PLC0415
    from zennit.torchvision import ResNetCanonizer  # noqa: PLC0415

    kept: list[Tensor] = []
    relu = network.get_submodule(LAYER)
    handle = relu.register_forward_hook(lambda *call: kept.append(call[-1]))
    composite = ExcitationBackprop(
        stabilizer=1e-30, zero_params=["bias"], canonizers=[ResNetCanonizer()]
    )
    try:
        with composite.context(network) as hooked:
            output = hooked(images.clone().requires_grad_())
            neurons = torch.eye(NEURONS, output.shape[1], dtype=output.dtype)
            maps = [
                torch.autograd.grad(output, kept[0], neuron[None], retain_graph=True)[0]
                for neuron in neurons
            ]
    finally:
        handle.remove()
    return torch.cat(maps).sum(1).detach()


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
    parser.add_argument("--dtype", choices=("float64", "float32"), default="float64")
    options = parser.parse_args()
    print(
        describe_machine("torch", "torchray", "zennit"),
        f"{torch.get_num_threads()} thread(s), {options.dtype}",
    )
    print(f"Command: {' '.join(sys.argv)}; {NEURONS} plain MWP maps; ratios to TorchRay")
    print(f"{'network':10}{'weights':>10}{'':>12}{'difference':>12}{'correlation':>13}", end="")
    print(f"{'seconds':>10}{'ratio':>8}")
    dtype = getattr(torch, options.dtype)
    for name in options.networks.split(","):
        for is_positive in (True, False):
            torch.manual_seed(0)
            network = build_network(name, is_positive=is_positive).to(dtype)
            compare(name, network, is_positive=is_positive, options=options)


def compare(
    name: str, network: nn.Module, *, is_positive: bool, options: argparse.Namespace
) -> None:
    """Print how maps and times of all sides compare with TorchRay's."""
    dtype = next(network.parameters()).dtype
    images = torch.rand(1, 3, options.side, options.side, dtype=dtype)
    sides = {
        "TorchRay": (draw_with_torchray, copy.deepcopy(network)),
        "zennit": (draw_with_zennit, copy.deepcopy(network)),
        "ours": (draw_with_rules, network),
    }
    drawn = {
        side: time_draw(lambda d=draw, n=own: d(n, images), options.repeats)
        for side, (draw, own) in sides.items()
    }
    theirs, slow = drawn["TorchRay"]
    for side, (maps, seconds) in drawn.items():
        difference = float((maps - theirs).norm() / theirs.norm())
        correlation = np.corrcoef(maps.flatten(), theirs.flatten())[0, 1]
        weights = "positive" if is_positive else "both"
        print(f"{name:10}{weights:>10}{side:>12}{difference:12.1e}{correlation:13.6f}", end="")
        print(f"{seconds:10.3f}{slow / seconds:8.2f}")


if __name__ == "__main__":
    main()
