"""Measures time, memory and disk space per image for data sets of different sizes.

The painted photos are repeated with as many ids as requested. The copies are hard links, which need
no disk space but are decoded separately. Each part runs in a separate process, so that its peak
memory can be measured. See docs/performance.md.
"""

import argparse
import json
import os
import platform
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from memory import MemoryWatcher, read_memory
from safetensors.torch import save_file

from explorer.config import DEMO_WORKSPACE, run
from explorer.data.cub import CubDataset, load_cub
from explorer.data.photo import load_photo
from explorer.maps.cache import load_maps
from explorer.maps.drawing import draw_maps
from explorer.methods.srae import SraeSettings
from explorer.nn.backbones.backbone import Backbone
from explorer.nn.backbones.build import build_network
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.train import train_module
from explorer.workspace.create import create_workspace
from explorer.workspace.layout import FEATURES_FOLDER
from explorer.workspace.networks import Networks
from explorer.workspace.settings import WorkspaceSettings
from explorer.workspace.workspace import Workspace

PARTS = ("open", "features", "train", "draw maps", "read maps")
MODULE = SraeSettings()
TRAINING = TrainingSettings(epochs=2, pretrain_epochs=1)
POSITIVES = 60  # photos of the category that is trained, as in CUB
READS = 50


def repeat_birds(root: Path, photos: int, source: CubDataset) -> None:
    """Write a CUB folder with hard links to the photos of `source`, repeated with new ids."""
    rare = source.categories[-1]
    counts = {rare: min(POSITIVES, photos // len(source.categories))}
    others, rest = source.categories[:-1], photos - counts[rare]
    counts |= {n: rest // len(others) + (i < rest % len(others)) for i, n in enumerate(others)}
    names = ("images", "image_class_labels", "bounding_boxes", "train_test_split")
    tables: dict[str, list[str]] = {name: [] for name in (*names, "parts/part_locs")}
    image_id = 0
    for number, category in enumerate(source.categories, start=1):
        own = source.photos_of(category)
        (root / "images" / category).mkdir(parents=True)
        for copy in range(counts[category]):
            photo, image_id = own[copy % len(own)], image_id + 1
            path = f"{category}/{photo.name}_{copy:06d}.jpg"
            os.link(photo.path, root / "images" / path)
            box = " ".join(f"{value:.1f}" for value in photo.box)
            # A fifth are test photos, so that the rare category has enough of them.
            lines = (path, number, box, int(copy % 5 > 0))
            for name, line in zip(names, lines, strict=True):
                tables[name].append(f"{image_id} {line}")
            for part, ((x, y), seen) in enumerate(
                zip(photo.parts, photo.visible, strict=True), start=1
            ):
                point = f"{x:.1f} {y:.1f} 1" if seen else "0.0 0.0 0"
                tables["parts/part_locs"].append(f"{image_id} {part} {point}")
    tables["classes"] = [f"{n} {name}" for n, name in enumerate(source.categories, start=1)]
    tables["parts/parts"] = [f"{n} {name}" for n, name in enumerate(source.part_names, start=1)]
    (root / "parts").mkdir()
    for name, lines in tables.items():
        (root / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def make_workspace(folder: Path, photos: int) -> None:
    """Create a workspace with repeated birds and an untrained vgg_small."""
    source = load_cub(DEMO_WORKSPACE / "birds")
    painted = folder.parent / "painted"
    if not painted.exists():  # hard links need the same file system
        shutil.copytree(source.root, painted)
    repeat_birds(folder / "birds", photos, load_cub(painted))
    torch.manual_seed(0)
    weights = folder / "weights.safetensors"
    network = build_network("vgg_small", len(source.categories), batch_norm=False)
    save_file(network.state_dict(), weights)
    create_workspace(folder, WorkspaceSettings(dataset="birds"), weights)


def replace_network(workspace: Workspace) -> None:
    """Replace the network by a fast function, so that mostly reading and writing is measured."""
    generator = torch.Generator().manual_seed(0)
    size = 3 * 16 * 16
    first = torch.randn(size, workspace.networks.backbone.z_size, generator=generator)
    last = torch.randn(workspace.networks.backbone.z_size, len(workspace.dataset.categories)) / 100

    def compute(_: Backbone, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        small = torch.nn.functional.adaptive_avg_pool2d(images, 16).flatten(1)
        z = (small @ first).relu()
        return z, z @ last

    Backbone.compute_features = compute  # type: ignore[method-assign]


def replace_maps(workspace: Workspace) -> None:
    """Use the maps of one photo for all photos."""
    (entry,) = (
        e for e in workspace.list_modules() if e.category == workspace.dataset.categories[0]
    )
    image = load_photo(workspace.dataset.photos_of(entry.category)[0])
    one = workspace.networks.explain(entry, image)
    score = workspace.networks.explain_score(entry.category, image)
    Networks.explain = lambda *_: one  # type: ignore[method-assign]
    Networks.explain_score = lambda *_: score  # type: ignore[method-assign]


def measure_part(part: str, folder: Path, *, stand_in: bool) -> dict[str, float]:
    """Run a part; return the number of photos, seconds and memory in MB."""
    start = time.perf_counter()
    workspace = Workspace(folder)
    categories = workspace.dataset.categories
    opened, count = time.perf_counter() - start, len(workspace.dataset.photos)
    if part == "open":
        return {"photos": count, "seconds": opened, "anon": 0, "rss": read_memory("VmHWM")}
    _ = workspace.networks.backbone, workspace.held_out
    entries = [e for e in workspace.list_modules() if e.category == categories[0]]
    if stand_in and part == "draw maps":
        replace_maps(workspace)
    elif stand_in:
        replace_network(workspace)
    memory, start = MemoryWatcher(), time.perf_counter()
    if part == "features":
        run(workspace.networks.compute_features())
    elif part == "train":
        run(train_module(workspace, categories[-1], MODULE, TRAINING))
    elif part == "draw maps":
        run(draw_maps(workspace, entries))
        count = len(workspace.dataset.photos_of(categories[0]))
    else:
        seconds = read_at_random(workspace)
        return {"photos": 1, "seconds": seconds, "anon": memory.peak - memory.before}
    return {
        "photos": count,
        "seconds": time.perf_counter() - start,
        "anon": memory.peak - memory.before,
        "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
    }


def read_at_random(workspace: Workspace) -> float:
    """Read the maps of random photos as a page does; return the median time in seconds."""
    (entry,) = (
        e for e in workspace.list_modules() if e.category == workspace.dataset.categories[0]
    )
    photos = workspace.dataset.photos_of(entry.category)
    seconds = []
    for photo in random.Random(0).choices(photos, k=READS):
        start = time.perf_counter()
        maps = load_maps(workspace, entry, photo, "relu1")
        assert maps is not None
        _ = maps.unpack_explanation(), maps.unpack_score()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def run_part(part: str, folder: Path, stand_in: bool) -> dict[str, float]:
    """Run a part in a separate process."""
    command = [sys.executable, __file__, "--part", part, "--folder", str(folder)]
    command += ["--stand-in"] if stand_in else []
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, float] = json.loads(out.splitlines()[-1])
    return found


def compute_size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def prepare_map_module(folder: Path, stand_in: bool) -> None:
    """Train the module whose maps are drawn, for one epoch."""
    workspace = Workspace(folder)
    if stand_in:
        replace_network(workspace)
    settings = TrainingSettings(epochs=1, pretrain_epochs=0)
    run(train_module(workspace, workspace.dataset.categories[0], MODULE, settings))


def measure_size(folder: Path, photos: int, stand_in: bool, parts: Sequence[str]) -> None:
    """Measure all parts for a data set size, and print a row for each."""
    make_workspace(folder, photos)
    for part in parts:
        if part == "draw maps":
            prepare_map_module(folder, stand_in)
        found = run_part(part, folder, stand_in)
        disk: Callable[[], int] = {
            "features": lambda: compute_size(folder / FEATURES_FOLDER),
            "draw maps": lambda: sum(f.stat().st_size for f in folder.rglob("relu1.npy")),
        }.get(part, lambda: 0)
        cells = (
            f"{photos:,}",
            part,
            f"{found['photos']:,.0f}",
            f"{1000 * found['seconds'] / found['photos']:.3f}",
            f"{found['anon']:.0f}" if part != "open" else "",
            f"{found['rss']:.0f}" if "rss" in found else "",
            f"{disk() / found['photos'] / 1000:.2f}" if disk() else "",
        )
        print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--sizes", default="100,1000,10000", help="numbers of images; 100000 takes long"
    )
    parser.add_argument(
        "--stand-in", action="store_true", help="replace the network by a fast function"
    )
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.part:
        found = measure_part(options.part, options.folder, stand_in=options.stand_in)
        print(json.dumps(found))
        return
    print(
        f"Python {platform.python_version()}, torch {version('torch')}, NumPy {np.__version__}, "
        f"one thread, {'a stand-in for the network' if options.stand_in else 'vgg_small'}\n"
    )
    print(
        "| images | part | photos | ms per photo | MB beyond opening | peak RSS, MB "
        "| kB per photo |"
    )
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for photos in map(int, options.sizes.split(",")):
            own = Path(folder) / str(photos)
            measure_size(own, photos, options.stand_in, options.parts.split(","))
            shutil.rmtree(own)


if __name__ == "__main__":
    main()
