"""Times Z and scores of photos: as the app computes them, and as a plain pass of the layers.

Both sides run in turns on the same pixels, in batches as large as the app's. The differences are
those of all scores, relative to the range of the scores of one photo.
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
from explorer.workspace.features_cache import BATCH_SIZE

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


def time_once(compute: Callable[[], Features]) -> tuple[float, Features]:
    start = time.perf_counter()
    found = compute()
    return time.perf_counter() - start, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="vgg16", choices=ARCHITECTURES)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    print(describe_machine("torch"), f"{torch.get_num_threads()} thread(s)")
    print(f"Command: {' '.join(sys.argv)}; medians, batches of {BATCH_SIZE}\n")
    backbone = build_backbone(options.network)
    images = torch.randn(BATCH_SIZE, 3, *backbone.architecture.input_size)
    plain: list[float] = []
    ours: list[float] = []
    for _ in range(options.repeats + 1):  # the first run allocates memory
        seconds, (_, expected) = time_once(lambda: compute_plainly(backbone, images))
        plain.append(seconds / BATCH_SIZE)
        seconds, (_, found) = time_once(lambda: backbone.compute_features(images))
        ours.append(seconds / BATCH_SIZE)
    slow, fast = statistics.median(plain[1:]), statistics.median(ours[1:])
    spread = (expected.amax(dim=1) - expected.amin(dim=1)).median()
    difference = float((found - expected).abs().max() / spread)
    print(f"{'':24}{'s a photo':>10}{'ratio':>8}")
    print(f"{'plain pass':24}{slow:10.3f}{1:8.2f}")
    print(f"{'compute_features':24}{fast:10.3f}{slow / fast:8.2f}")
    print(f"largest difference of a score: {difference:.1e} of its range")


if __name__ == "__main__":
    main()
