"""Times an epoch of training a module, against a plain PyTorch loop with a DataLoader.

Both sides run alternately in one process. They train the same module with the same loss, optimiser
and batch size on the same Z, and compute F_reg on all photos after each epoch; see
docs/performance.md.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from common import describe_machine
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from explorer.methods.srae import SraeSettings
from explorer.nn.srae import ExplanationModule
from explorer.training.modules.rows import CategoryPhotos
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.trainer import train_group

SHAPES = {"small": (2300, 512), "large": (2300, 4096)}  # photos, dimensions of Z
MODULE = SraeSettings()


def make_photos(photos: int, z_size: int, folder: Path) -> tuple[Tensor, CategoryPhotos]:
    """Generate a sparse, memory-mapped Z, as in the cache, and the photos of a category."""
    generator = torch.Generator().manual_seed(0)
    generated = torch.randn(photos, z_size, generator=generator).relu()
    np.save(folder / "z.npy", generated.numpy())
    z = torch.from_numpy(np.load(folder / "z.npy", mmap_mode="c"))
    y_hat = generated @ torch.randn(z_size, generator=generator) * 3 / z_size**0.5
    order = torch.randperm(photos, generator=generator)
    train, test = order[: photos * 4 // 5], order[photos * 4 // 5 :]
    is_positive = y_hat > y_hat.quantile(0.97)
    return z, CategoryPhotos(y_hat, is_positive, train, test, order[:0])


def train_plainly(z: Tensor, photos: CategoryPhotos, settings: TrainingSettings) -> None:
    """Train with a straightforward loop."""
    module = ExplanationModule(z.shape[1], MODULE)
    data = TensorDataset(z[photos.train], photos.y_hat[photos.train])
    loader = DataLoader(data, batch_size=settings.batch_size, shuffle=True)
    optimiser = torch.optim.Adam(
        module.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.epochs * len(loader))
    for _ in range(settings.epochs):
        for inputs, target in loader:
            loss = sum(MODULE.compute_terms(module, inputs, target).values())
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            loss.item()
        with torch.no_grad():
            for rows in (photos.train, photos.test):
                (module(z[rows]).y_bar - photos.y_hat[rows]).abs().mean().item()


def train_ours(z: Tensor, photos: CategoryPhotos, settings: TrainingSettings) -> None:
    """Train with the trainer of the explorer."""
    for _ in train_group(z, [photos], MODULE, settings):
        pass


def measure(run: Callable[[], None]) -> tuple[float, float]:
    """Return the wall-clock and CPU time in seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    """Measure both sides, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="0 for the default of torch")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    print(describe_machine("torch"), f"{torch.get_num_threads()} thread(s)")
    print(f"Command: {' '.join(sys.argv)}; medians of {options.repeats} alternating runs")
    settings = TrainingSettings(epochs=options.epochs, pretrain_epochs=0)
    sides = {"DataLoader": train_plainly, "ours": train_ours}
    print(f"{'':24}{'s/epoch':>10}{'ratio':>8}{'CPU s/epoch':>14}{'ratio':>8}")
    for name, (count, z_size) in SHAPES.items():
        with tempfile.TemporaryDirectory() as folder:
            z, photos = make_photos(count, z_size, Path(folder))
            taken: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
            for _ in range(options.repeats):
                for side, train in sides.items():
                    taken[side].append(measure(partial(train, z, photos, settings)))
        medians = {
            side: [statistics.median(column) / options.epochs for column in zip(*rows, strict=True)]
            for side, rows in taken.items()
        }
        first = medians["DataLoader"]
        for side, (wall, processor) in medians.items():
            print(
                f"{f'{name}, Z {z_size}: {side}':24}{wall:10.3f}{first[0] / wall:8.2f}"
                f"{processor:14.3f}{first[1] / processor:8.2f}"
            )


if __name__ == "__main__":
    main()
