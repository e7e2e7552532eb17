"""Measures the memory of c-MWP for VGG19 at 224 x 224 pixels, with a process for each setting.

"Kept" is the memory that the engine holds after the first photo (prepared weights, and the trace of
a photo), "preparing" the peak until then, and "drawing" the peak for further photos beyond what is
kept.
"""

import argparse
import json
import subprocess
import sys

import numpy as np
import torch
from c_mwp import STOP, build_encoder
from common import describe_machine
from memory import MemoryWatcher, read_memory
from torch import nn

from explorer.attribution import contrastive_mwp
from explorer.attribution.engine import PRECISIONS, Engine
from explorer.nn.backbones.backbone import Backbone
from explorer.nn.backbones.build import build_network, flatten_network
from explorer.nn.backbones.registry import get_architecture

PHOTOS = (1, 4, 16, 48)
NEURONS = (5, 50)


def build_backbone() -> Backbone:
    torch.manual_seed(0)
    layers = flatten_network(build_network("vgg19", 200, batch_norm=False))
    return Backbone(get_architecture("vgg19"), layers, tuple(map(str, range(200))))


def measure_engine(precision: str, neurons: int) -> dict[str, float]:
    """Return the memory in MB for one photo after another, with `neurons` neurons each."""
    backbone = build_backbone()
    encoder = build_encoder(torch.device("cpu"))
    top = [*encoder[:-1], nn.Linear(encoder[-1].in_features, neurons).requires_grad_(False)]
    photos = np.random.default_rng(0).random((3, 3, 224, 224), np.float32)
    engine, preparing = Engine(backbone, precision), MemoryWatcher()
    engine.draw(photos[0], top, STOP)
    kept, network, peak = read_memory("RssAnon"), preparing.before, preparing.peak
    drawing = MemoryWatcher()
    for photo in photos[1:]:
        engine.draw(photo, top, STOP)
    return {
        "network": network,
        "preparing": peak - network,
        "kept": kept - network,
        "drawing": drawing.peak - kept,
    }


def measure_batch(photos: int, neurons: int) -> dict[str, float]:
    """Return the memory in MB for a batch in one call, which also prepares the weights."""
    backbone = build_backbone()
    layers = [*backbone.trunk, nn.Linear(4096, neurons)]
    images = torch.rand(photos, 3, 224, 224)
    network, memory = read_memory("RssAnon"), MemoryWatcher()
    contrastive_mwp(layers, images, stop=2)
    return {"network": network, "drawing": memory.peak - network}


def measure_alone(*setting: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--setting", *setting]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, float] = json.loads(out.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--setting", nargs=3, help=argparse.SUPPRESS)
    setting = parser.parse_args().setting
    if setting:
        kind, count, neurons = setting
        is_batch = kind == "batch"
        found = (
            measure_batch(int(count), int(neurons))
            if is_batch
            else measure_engine(count, int(neurons))
        )
        print(json.dumps(found))
        return
    print(describe_machine("torch"), f"{torch.get_num_threads()} thread(s)")
    columns = "".join(f"{name:>11}" for name in ("network", "preparing", "kept", "drawing"))
    print(f"\n{'engine, one photo at a time':32}{columns}")
    for precision in PRECISIONS:
        for neurons in NEURONS:
            found = measure_alone("engine", precision, str(neurons))
            name = f"{precision}, {neurons} neurons"
            print(f"{name:32}" + "".join(f"{value:11.0f}" for value in found.values()))
    print(f"\n{'one call per batch':32}{'network':>11}{'drawing':>11}")
    for photos in PHOTOS:
        found = measure_alone("batch", str(photos), "5")
        name = f"{photos} photo(s), 5 neurons"
        print(f"{name:32}" + "".join(f"{value:11.0f}" for value in found.values()))


if __name__ == "__main__":
    main()
