"""Times the training of many modules in groups, against training them one by one.

Both sides run alternately in one process, on the same data; see docs/performance.md.
"""

import argparse
import platform
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor

from explorer.config import DEMO_WORKSPACE, run
from explorer.methods.srae import SraeSettings
from explorer.nn.devices import choose_device
from explorer.training.modules.group_sizes import choose_group_size, make_groups
from explorer.training.modules.rows import CategoryPhotos
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.train import train_modules
from explorer.training.modules.trainer import train_group
from explorer.workspace.workspace import Workspace

MODULE = SraeSettings()
State = dict[str, Tensor]


@dataclass(frozen=True)
class Shape:
    """Size of a problem: photos, training photos per module, dimensions of Z, and modules."""

    photos: int
    train: int
    z_size: int
    modules: int
    training: TrainingSettings


# Photos as in 40 categories of CUB; Z as in a small VGG and in VGG19.
SHAPES = {
    "small": Shape(2300, 1834, 512, 24, TrainingSettings(epochs=12, pretrain_epochs=2)),
    "large": Shape(2300, 1834, 4096, 4, TrainingSettings(epochs=2, pretrain_epochs=1)),
}


@dataclass
class Side:
    """A way of training, with its times in seconds and the trained weights."""

    name: str
    group_size: int
    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    states: list[State] = field(default_factory=list)


def make_members(shape: Shape, device: torch.device) -> tuple[Tensor, list[CategoryPhotos]]:
    """Generate a sparse Z, and scores and photos for each category."""
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(shape.photos, shape.z_size, generator=generator).relu()
    members = []
    for index in range(shape.modules):
        y_hat = z @ torch.randn(shape.z_size, generator=generator) * 3 / shape.z_size**0.5
        order = torch.randperm(shape.photos, generator=generator)
        count = shape.train - index % 7  # categories of CUB differ by a few photos
        rows = order[:count], order[shape.train :], order[:0]
        is_positive = y_hat > y_hat.quantile(0.97)
        members.append(CategoryPhotos(*(part.to(device) for part in (y_hat, is_positive, *rows))))
    return z.to(device), members


def train_synthetic(shape: Shape, device: torch.device) -> Callable[[int], list[State]]:
    """Return a function that trains all modules in groups of a given size."""
    z, members = make_members(shape, device)

    def train(group_size: int) -> list[State]:
        states: list[State] = [{}] * len(members)
        for group in make_groups(members, shape.training.batch_size, group_size):
            chosen = [members[position] for position in group]
            outcomes = run(train_group(z, chosen, MODULE, shape.training))
            for position, outcome in zip(group, outcomes, strict=True):
                states[position] = outcome.state_dict()
        return states

    return train


def train_demo(folder: Path, device: str) -> Callable[[int], list[State]]:
    """Return a function that trains and saves all modules of a copy of the demo."""
    shutil.copytree(DEMO_WORKSPACE, folder / "demo")
    workspace = Workspace(folder / "demo", device)
    run(workspace.networks.compute_features())

    def train(group_size: int) -> list[State]:
        categories = workspace.dataset.categories
        steps = train_modules(
            workspace, categories, MODULE, TrainingSettings(), group_size=group_size
        )
        loaded = [workspace.networks.load_module(entry)[0] for entry in run(steps)]
        return [{n: t.cpu().clone() for n, t in m.state_dict().items()} for m in loaded]

    return train


def measure(
    sides: Sequence[Side],
    train: Callable[[int], list[State]],
    repeats: int,
    synchronise: Callable[[], None],
) -> None:
    """Run the sides alternately, `repeats` times each."""
    for _ in range(repeats):
        for side in sides:
            synchronise()
            wall, processor = time.perf_counter(), time.process_time()
            side.states = train(side.group_size)
            synchronise()
            side.wall.append(time.perf_counter() - wall)
            side.processor.append(time.process_time() - processor)


def report(title: str, modules: int, sides: Sequence[Side]) -> None:
    """Print the results of each side, and compare them with the first."""
    print(f"\n{title}")
    print(f"{'':24}{'modules/s':>12}{'ratio':>8}{'CPU s/module':>14}{'ratio':>8}{'difference':>14}")
    first = sides[0]
    for side in sides:
        wall, processor = statistics.median(side.wall), statistics.median(side.processor)
        difference = max(
            float((own[name] - other[name]).abs().max())
            for own, other in zip(first.states, side.states, strict=True)
            for name in own
        )
        print(
            f"{side.name:24}{modules / wall:12.3f}{statistics.median(first.wall) / wall:8.2f}"
            f"{processor / modules:14.3f}{statistics.median(first.processor) / processor:8.2f}"
            f"{difference:14.1e}"
        )


def describe_machine(device: torch.device) -> str:
    """Describe the processor, threads, device and versions."""
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        processor = lines[0].partition(":")[2].strip() if lines else processor
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return (
        f"{platform.system()} {platform.machine()}, {processor}, {torch.get_num_threads()} "
        f"thread(s), device {name}; Python {platform.python_version()}, torch {version('torch')}"
    )


def main() -> None:
    """Train everything that was requested, and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", help="cpu, cuda, mps")
    parser.add_argument("--shapes", default="small,large,demo", help="any of small, large, demo")
    parser.add_argument("--sizes", default="4", help="additional group sizes, such as 4,12")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="0 for the default of torch")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    device = choose_device(options.device)
    synchronise = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    print(describe_machine(device))
    print(f"Command: {' '.join(sys.argv)}; medians of {options.repeats} alternating runs")
    with tempfile.TemporaryDirectory() as folder:
        for name in options.shapes.split(","):
            if name == "demo":
                train = train_demo(Path(folder), options.device)
                modules, photos, z_size, training = 12, 720, 512, TrainingSettings()
            else:
                shape = SHAPES[name]
                train = train_synthetic(shape, device)
                modules, photos, z_size, training = (
                    shape.modules, shape.train, shape.z_size, shape.training,
                )  # fmt: skip
            chosen = min(modules, choose_group_size(z_size, MODULE, training, photos, device))
            sizes = {chosen, *(int(size) for size in options.sizes.split(",") if size)}
            sides = [Side("one by one" + " (chosen)" * (chosen == 1), 1)]
            for size in sorted(sizes - {1}):
                mark = " (chosen)" if size == chosen else ""
                sides.append(Side(f"groups of {size}{mark}", size))
            measure(sides, train, options.repeats, synchronise)
            report(f"{name}: {modules} modules, Z {z_size}", modules, sides)
    print(f"\nPeak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
