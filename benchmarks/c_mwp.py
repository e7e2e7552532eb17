"""Times c-MWP: five maps of a photo with a VGG and an encoder, against TorchRay, zennit and captum.

All sides run alternately in one process, on the same photo and weights; see docs/performance.md.
Install the others with ``pip install -r benchmarks/requirements.txt``.
"""

import argparse
import copy
import itertools
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from unittest.mock import patch

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from common import describe_machine
from peers import draw_with_captum, draw_with_torchray, draw_with_zennit
from torch import Tensor, nn

from explorer.attribution import ExcitationBackprop
from explorer.attribution.engine import PRECISIONS, Engine
from explorer.attribution.layers import make_rules
from explorer.attribution.pool_2x2 import Unpool2x2
from explorer.attribution.trace import Trace, start_trace
from explorer.config import DEMO_WORKSPACE
from explorer.data.cub import load_cub
from explorer.nn.backbones.backbone import Backbone
from explorer.nn.backbones.build import build_network, flatten_network
from explorer.nn.backbones.registry import get_architecture
from explorer.nn.devices import choose_device, describe_device, resolve_device
from explorer.nn.fast import winograd
from explorer.workspace.feature_batches import load_input

STOP = "relu1"
WIDTHS = (4096, 800, 100, 5)
BATCH = 4
PASSES = 7  # forward, normalisers, and five backward


@dataclass
class Side:
    """An implementation, with its times and its maps of each photo."""

    name: str
    draw: Callable[[Tensor], Tensor]
    seconds: list[float] = field(default_factory=list)
    maps: list[Tensor] = field(default_factory=list)
    is_contrastive: bool = True

    def time(self, images: Tensor) -> None:
        start = time.perf_counter()
        self.maps.append(self.draw(images))
        self.seconds.append(time.perf_counter() - start)


def build_encoder(device: torch.device) -> list[nn.Module]:
    """Build linear layers 4096-800-100-5 with ReLUs between, with random weights."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(WIDTHS):
        layers += [nn.Linear(inputs, outputs).requires_grad_(False), nn.ReLU()]
    return [layer.to(device) for layer in layers[:-1]]


def draw_with_engine(engine: Engine, encoder: list[nn.Module]) -> Callable[[Tensor], Tensor]:
    def draw(images: Tensor) -> Tensor:
        engine._passes.clear()  # the trace of the photo must not be reused
        return torch.from_numpy(engine.draw(images[0].numpy(), encoder, STOP))

    return draw


def draw_as_library(model: nn.Sequential, device: torch.device) -> Callable[[Tensor], Tensor]:
    network = ExcitationBackprop(model)
    return lambda image: network.draw(image.to(device), stop=2)[0].cpu()


def wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def time_convolutions(layers: Sequence[nn.Module], images: Tensor) -> float:
    """Return the time of a forward pass through only the convolutions, in seconds."""
    x, seconds = images.contiguous(memory_format=torch.channels_last), 0.0
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            weight = layer.weight.contiguous(memory_format=torch.channels_last)
            times = []
            for _ in range(3):
                start = time.perf_counter()
                y = F.conv2d(x, weight, layer.bias, padding=1)
                wait_for(x.device)
                times.append(time.perf_counter() - start)
            seconds += min(times)
            x = y
        elif isinstance(layer, nn.ReLU | nn.MaxPool2d) and x.ndim == 4:
            x = layer(x)
    return seconds


def time_batches(
    model: nn.Sequential, images: Sequence[Tensor], count: int, repeats: int, device: torch.device
) -> float:
    """Return the seconds per photo that the library takes for batches of `count` photos."""
    network = ExcitationBackprop(model)
    photos = torch.cat([images[number % len(images)] for number in range(BATCH)]).to(device)
    times = []
    for _ in range(repeats + 1):  # the first run prepares weights
        start = time.perf_counter()
        for batch in photos.split(count):
            network.draw(batch, stop=2).cpu()
        times.append((time.perf_counter() - start) / BATCH)
    return statistics.median(times[1:])


def compute_error(maps: Tensor, exact: Tensor) -> float:
    return float((maps.double() - exact).norm() / exact.norm())


def compute_correlation(maps: Tensor, exact: Tensor) -> float:
    pairs = zip(maps.double().flatten(1), exact.flatten(1), strict=True)
    return min(float(np.corrcoef(found, right)[0, 1]) for found, right in pairs)


def replace_winners(trace: Trace, exact: Trace) -> tuple[Trace, int]:
    """Take the pooling winners from an exact trace; also return how many windows differed."""
    steps, differ = [], 0
    for own, other in zip(trace.steps, exact.steps, strict=True):
        step = own
        if isinstance(own, Unpool2x2) and isinstance(other, Unpool2x2):
            pairs = [(a, b.to(a.device)) for a, b in zip(own.shares, other.shares, strict=True)]
            differ += sum(int(((a == 0) & (b > 0)).sum()) for a, b in pairs)
            step = Unpool2x2(tuple(b.to(a.dtype) for a, b in pairs))
        steps.append(step)
    return Trace(trace.output, tuple(steps)), differ


def list_sides(
    model: nn.Sequential,
    engines: Sequence[Engine],
    encoder: list[nn.Module],
    device: torch.device,
) -> list[Side]:
    peers = {
        "TorchRay, one call per neuron": draw_with_torchray(model),
        "zennit, one backward per neuron": draw_with_zennit(model),
        "captum, without the contrast": draw_with_captum(copy.deepcopy(model)),
    }
    sides = [
        Side(
            name,
            lambda image, draw=draw: draw(image.to(device)),
            is_contrastive=not name.startswith("captum"),
        )
        for name, draw in peers.items()
    ]
    sides += [Side(engine.precision, draw_with_engine(engine, encoder)) for engine in engines]
    sides.append(Side("the library", draw_as_library(model, device)))
    return sides


@torch.no_grad()
def compare(network: str, photos: int, repeats: int, seed: int, device: torch.device) -> None:
    torch.manual_seed(seed)
    architecture = get_architecture(network)
    layers = flatten_network(build_network(network, 200, batch_norm=False)).to(device)
    backbone = Backbone(architecture, layers, tuple(map(str, range(200))))
    encoder = build_encoder(device)
    model = nn.Sequential(*backbone.trunk, *encoder).eval()
    engines = [Engine(backbone, precision) for precision in PRECISIONS]
    sides = list_sides(model, engines, encoder, device)

    dataset = load_cub(DEMO_WORKSPACE / "birds")
    step = len(dataset.photos) // photos
    images = [
        torch.from_numpy(load_input(photo, architecture))[None]
        for photo in dataset.photos[: step * photos : step]
    ]
    for side in sides:  # warm-up: prepares weights and allocates memory
        with torch.enable_grad():
            side.draw(images[0])
    for _ in range(repeats):
        for side in sides:
            side.maps.clear()
            for image in images:
                with torch.enable_grad():
                    side.time(image)

    base = statistics.median(sides[0].seconds)
    print(f"\n{'':32}{'seconds':>9}{'ratio':>8}")
    for side in sides:
        middle = statistics.median(side.seconds)
        print(f"{side.name:32}{middle:9.3f}{base / middle:8.2f}")
    for engine in engines:
        times = []
        for image in images * repeats:
            engine.trace(image[0].numpy(), STOP)
            wait_for(device)
            start = time.perf_counter()
            engine.draw(image[0].numpy(), encoder, STOP)
            times.append(time.perf_counter() - start)
        middle = statistics.median(times)
        print(f"{engine.precision + ', another category':32}{middle:9.3f}{base / middle:8.2f}")
    for name, count in (("the library, photos alone", 1), (f"the library, {BATCH} at once", BATCH)):
        middle = time_batches(model, images, count, repeats, device)
        print(f"{name:32}{middle:9.3f}{base / middle:8.2f}")
    image = images[0].to(device)
    floor = PASSES * statistics.median(time_convolutions(layers, image) for _ in range(3))
    print(f"{f'floor: {PASSES} plain passes':32}{floor:9.3f}{base / floor:8.2f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of the process, including TorchRay: {peak:.0f} MiB")

    sides = [side for side in sides if side.is_contrastive]
    doubles = [copy.deepcopy(layer).cpu().double() for layer in model]
    below = make_rules(doubles[: len(backbone.trunk)], images[0].double())
    above = make_rules(doubles[len(backbone.trunk) :], images[0].double())
    print("\nagainst float64: relative error (norm) and lowest correlation of the five maps")
    print(f"{'photo':6}" + "".join(f"{side.name.split(',')[0]:>24}" for side in sides), end="")
    print(f"{'different winners':>24}{'exact, corrected':>27}")
    for index, image in enumerate(images):
        with patch.object(winograd, "is_faster", lambda *_: False):  # PyTorch's convolutions
            exact_trace = start_trace(image.double()).extend(below, stop=2)
        exact = exact_trace.extend(above).draw()[0]
        cells = [
            f"{compute_error(side.maps[index], exact):.1e} "
            f"{compute_correlation(side.maps[index], exact):.6f}"
            for side in sides
        ]
        trace, differ = replace_winners(engines[0].trace(image[0].numpy(), STOP), exact_trace)
        corrected = trace.extend(make_rules(encoder, trace.output)).draw()[0].cpu()
        print(f"{index:<6}" + "".join(f"{cell:>24}" for cell in cells), end="")
        print(f"{differ:>24}{compute_error(corrected, exact):>27.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", choices=("vgg16", "vgg19"), default="vgg19")
    parser.add_argument("--photos", type=int, default=3, help="number of painted birds")
    parser.add_argument("--repeats", type=int, default=3, help="runs per photo and side")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or mps")
    parser.add_argument("--threads", type=int, default=0, help="0 for one per core")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random weights")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    device = choose_device(options.device)
    print(
        describe_machine("torch", "torchray", "zennit", "captum"),
        f"{torch.get_num_threads()} thread(s),",
        end=" ",
    )
    print(describe_device(resolve_device(options.device)))
    print(f"Command: {' '.join(sys.argv)}; medians")
    compare(options.network, options.photos, options.repeats, options.seed, device)


if __name__ == "__main__":
    main()
