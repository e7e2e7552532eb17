"""Times Z and scores of photos: as the app computes them, and as a plain pass of the layers.

Both sides run in turns on the same pixels. The plain pass is contiguous and in float32. The
differences are those of all scores, relative to the range of the scores of one photo. On a machine
with other work, CPU seconds with ``--threads 1`` are more reliable than seconds.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import torch
from common import describe_machine
from torch import Tensor

from explorer.nn.backbones.backbone import Backbone
from explorer.nn.backbones.build import build_network, flatten_network
from explorer.nn.backbones.registry import ARCHITECTURES, get_family
from explorer.workspace.feature_batches import BATCH_SIZE

Features = tuple[Tensor, Tensor]
_CATEGORIES = 200


def build_backbone(name: str) -> Backbone:
    torch.manual_seed(0)
    layers = flatten_network(build_network(name, _CATEGORIES, batch_norm=False))
    categories = tuple(f"category {number}" for number in range(_CATEGORIES))
    return Backbone(ARCHITECTURES[name], layers, categories, get_family(name).z_layer)


@torch.inference_mode()
def compute_plainly(backbone: Backbone, images: Tensor) -> Features:
    activations = backbone.trunk(images)
    return backbone.readout(activations), backbone.top(activations)


def measure(compute: Callable[[], Features]) -> tuple[float, float, Tensor]:
    """Return the wall-clock and CPU time in seconds, and the scores."""
    wall, processor = time.perf_counter(), time.process_time()
    _, scores = compute()
    return time.perf_counter() - wall, time.process_time() - processor, scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="vgg16", choices=ARCHITECTURES)
    parser.add_argument("--batch", type=int, default=BATCH_SIZE, help="photos at once")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="0 for the default of torch")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    print(describe_machine("torch"), f"{torch.get_num_threads()} thread(s)")
    print(f"Command: {' '.join(sys.argv)}; medians, batches of {options.batch}\n")
    backbone = build_backbone(options.network)
    images = torch.randn(options.batch, 3, *backbone.architecture.input_size)
    sides: dict[str, Callable[[], Features]] = {
        "plain pass": lambda: compute_plainly(backbone, images),
        "compute_features": lambda: backbone.compute_features(images),
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    scores: dict[str, Tensor] = {}
    for _ in range(options.repeats + 1):
        for name, compute in sides.items():
            *seconds, scores[name] = measure(compute)
            taken[name].append((seconds[0] / options.batch, seconds[1] / options.batch))
    print(f"{'':20}{'s a photo':>10}{'ratio':>8}{'CPU s a photo':>15}{'ratio':>8}")
    medians = {
        # The first run allocates memory and converts weights.
        name: [statistics.median(column) for column in zip(*rows[1:], strict=True)]
        for name, rows in taken.items()
    }
    first = medians["plain pass"]
    for name, (wall, processor) in medians.items():
        print(
            f"{name:20}{wall:10.3f}{first[0] / wall:8.2f}{processor:15.3f}"
            f"{first[1] / processor:8.2f}"
        )
    expected, found = scores.values()
    spread = (expected.amax(dim=1) - expected.amin(dim=1)).median()
    difference = float((found - expected).abs().max() / spread)
    print(f"largest difference of a score: {difference:.1e} of its range")


if __name__ == "__main__":
    main()
