"""Times the training of one module at the size of CUB and VGG, against what it took at first.

The first side multiplies in float32 and makes all 60 passes over the photos, and 10 for each layer
that is pretrained. The second is what `train` does. Both sides run in turns on the same Z, with the
same seeds. F_reg is the mean of |ȳ − ŷ| on test photos; its spread is over the seeds.

Z is that of a random layer on photos of 200 kinds; a quarter of it is active. ``--features`` reads
another one from a folder with ``z.npy`` and ``logits.npy``, as in a workspace's ``features/``. On a
machine with other work, CPU seconds with ``--threads 1`` are more reliable than seconds. The hours
for 200 modules are CPU seconds on all cores of the machine.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from common import describe_machine
from torch import Tensor

from explorer.config import ExplorerError, run
from explorer.methods.srae import SraeSettings
from explorer.nn import grouped
from explorer.nn.srae import ExplanationModule
from explorer.training.modules.rows import CategoryPhotos
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.trainer import count_epochs, train_group

MODULE = SraeSettings()
TRAIN, TEST, KINDS, HIDDEN = 8_050, 2_010, 200, 1_024
MODULES = 200


@dataclass
class Side:
    """A way of training, with its wall-clock and CPU times in seconds, and F_reg on test photos."""

    name: str
    train: Callable[[Tensor, CategoryPhotos, TrainingSettings], ExplanationModule]
    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    f_reg: list[float] = field(default_factory=list)


def make_features(z_size: int) -> tuple[Tensor, Tensor]:
    """Generate Z (M, S_z) of photos of 200 kinds, and the scores (M,) of one of the kinds."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    kinds = torch.randint(KINDS, (TRAIN + TEST,), generator=generator)
    photos = draw(KINDS, HIDDEN)[kinds] + 2 * draw(len(kinds), HIDDEN)
    z = photos @ draw(HIDDEN, z_size) / photos.std() / HIDDEN**0.5
    z = (z - z[:1000].quantile(0.75, dim=0)).relu_()
    hidden = (z @ draw(z_size, HIDDEN) / z_size**0.5).relu_()
    centred = hidden - hidden.mean(dim=0)
    direction = centred[kinds == 0].mean(dim=0)
    scores = centred @ direction
    return z, 5 * scores / scores.std()


def read_features(folder: Path) -> tuple[Tensor, Tensor]:
    """Read Z and the scores of the first category."""
    z, logits = (np.load(folder / f"{name}.npy", mmap_mode="c") for name in ("z", "logits"))
    if len(z) < TRAIN + TEST:
        raise SystemExit(f"{folder} has {len(z):,} photos; {TRAIN + TEST:,} are needed.")
    return torch.from_numpy(z), torch.from_numpy(np.array(logits[:, 0]))


def choose_photos(y_hat: Tensor) -> CategoryPhotos:
    order = torch.randperm(len(y_hat), generator=torch.Generator().manual_seed(0))
    train, test = order[:TRAIN], order[TRAIN : TRAIN + TEST]
    return CategoryPhotos(y_hat, y_hat > y_hat.quantile(0.994), train, test, order[:0])


def train(z: Tensor, photos: CategoryPhotos, settings: TrainingSettings) -> ExplanationModule:
    (outcome,) = run(train_group(z, [photos], MODULE, settings))
    if isinstance(outcome, ExplorerError):
        raise outcome
    return outcome


def train_as_at_first(
    z: Tensor, photos: CategoryPhotos, settings: TrainingSettings
) -> ExplanationModule:
    with patch.object(grouped, "_MIN_REDUCED_WEIGHTS", sys.maxsize):
        return train(z, photos, settings)


def train_now(z: Tensor, photos: CategoryPhotos, settings: TrainingSettings) -> ExplanationModule:
    return train(z, photos, settings.shorten(len(photos.train)))


@torch.no_grad()
def compute_f_reg(module: ExplanationModule, z: Tensor, photos: CategoryPhotos) -> float:
    gaps = module(z[photos.test], rebuild=False).y_bar - photos.y_hat[photos.test]
    return float(gaps.abs().mean())


def measure(side: Side, z: Tensor, photos: CategoryPhotos, settings: TrainingSettings) -> None:
    wall, processor = time.perf_counter(), time.process_time()
    module = side.train(z, photos, settings)
    side.wall.append(time.perf_counter() - wall)
    side.processor.append(time.process_time() - processor)
    side.f_reg.append(compute_f_reg(module, z, photos))


def report(sides: list[Side]) -> None:
    print(
        f"{'':16}{'s':>8}{'ratio':>8}{'CPU s':>8}{'ratio':>8}{f'h for {MODULES}':>12}"
        f"{'F_reg':>9}  of each seed"
    )
    first = sides[0]
    for side in sides:
        wall, processor = statistics.median(side.wall), statistics.median(side.processor)
        hours = MODULES * processor / 3600 / (os.cpu_count() or 1)
        print(
            f"{side.name:16}{wall:8.1f}{statistics.median(first.wall) / wall:8.2f}"
            f"{processor:8.1f}{statistics.median(first.processor) / processor:8.2f}"
            f"{hours:12.2f}{statistics.mean(side.f_reg):9.4f}  "
            + ", ".join(f"{value:.4f}" for value in side.f_reg)
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="4096,512", help="dimensions of a random Z")
    parser.add_argument("--features", type=Path, help="folder with z.npy and logits.npy")
    parser.add_argument("--epochs", type=int, default=TrainingSettings().epochs)
    parser.add_argument("--repeats", type=int, default=1, help="seeds")
    parser.add_argument("--sides", default="at first,now", help="which to run")
    parser.add_argument("--threads", type=int, default=0, help="0 for the default of torch")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    print(describe_machine("torch"), f"{torch.get_num_threads()} thread(s)")
    print(f"Command: {' '.join(sys.argv)}; medians, and the mean of F_reg")
    chosen = [int(size) for size in options.sizes.split(",")]
    for z_size in chosen[:1] if options.features else chosen:
        found = read_features(options.features) if options.features else make_features(z_size)
        z, photos = found[0], choose_photos(found[1])
        sides = [Side("at first", train_as_at_first), Side("now", train_now)]
        sides = [side for side in sides if side.name in options.sides.split(",")]
        settings = TrainingSettings(epochs=options.epochs)
        shorter = settings.shorten(TRAIN)
        passes = [count_epochs(MODULE, each) for each in (settings, shorter)]
        for seed in range(options.repeats):
            for side in sides:
                measure(side, z, photos, replace(settings, seed=seed))
        print(
            f"\nZ {z.shape[1]:,}, {TRAIN:,} + {TEST:,} photos; {passes[0]} and {passes[1]} passes, "
            f"those of pretraining included; standard deviation of ŷ {photos.y_hat.std():.2f}"
        )
        report(sides)


if __name__ == "__main__":
    main()
