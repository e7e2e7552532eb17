"""What a run of each page costs as a workspace grows: more modules, categories and photos.

    python benchmarks/many_modules.py                                  # 1 and 5 modules a category
    python benchmarks/many_modules.py --simulated 200x10000,2000x100000   # categories x photos
    python benchmarks/many_modules.py --simulated 2000x1000000 --photos   # 12 GB on the disk

Pages run without a browser, and without photos: on copies of the real birds that come with the
explorer, whose modules are repeated under as many seeds; or on simulated data, whose Z is drawn by
chance and whose categories all have the same module. With ``--photos``, simulated data has photos,
each one of the same few painted birds, and its features are those of a workspace that has computed
them: scores by chance as well, mapped from the disk. *Cold* is the first run in a process, *new*
the first one of another session, and *again* the same session's second run. Processor seconds do
not depend on other work on the machine.
"""

import argparse
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from common import describe_machine
from numpy.typing import NDArray
from page_cost import PAGES, measure_version
from safetensors.torch import save_file

from explorer.config import BIRDS_WORKSPACE, DEMO_WORKSPACE, REPOSITORY_ROOT, run
from explorer.data.cub import load_cub
from explorer.data.photo import Photo
from explorer.methods.srae import SraeSettings
from explorer.nn.backbones.backbone import Backbone
from explorer.nn.backbones.build import build_network
from explorer.nn.backbones.registry import get_architecture
from explorer.nn.checkpoint import save_module
from explorer.nn.foreign import load_foreign_backbone
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.train import train_module
from explorer.workspace import features_cache
from explorer.workspace.features import Features
from explorer.workspace.layout import FEATURES_FOLDER, METRICS_FILE, MODULES_FOLDER
from explorer.workspace.packed_features import PACKED_FILE, pack_features
from explorer.workspace.settings import WorkspaceSettings, save_settings
from explorer.workspace.workspace import Workspace

TRAINING = TrainingSettings(epochs=2, pretrain_epochs=1)
MAX_LINKS = 60_000  # of one file; ext4 allows 65,000
BATCH = 2048


def grow_workspace(target: Path, runs: int) -> Path:
    """Copy the real birds, each of their modules under as many seeds; files are hard links."""
    shutil.copytree(BIRDS_WORKSPACE, target, copy_function=os.link)
    for folder in (target / MODULES_FOLDER).glob("*/*-s0-*"):
        for seed in range(1, runs):
            name = folder.name.replace("-s0-", f"-s{seed}-")
            shutil.copytree(folder, folder.with_name(name), copy_function=os.link)
    return target


def simulate_workspace(target: Path, categories: int, photos: int, *, has_photos: bool) -> Path:
    """Make a workspace: Z by chance, and the same module for each category."""
    target.mkdir()
    write_tables(target / "birds", categories, photos)
    if has_photos:
        link_photos(target / "birds")
    torch.manual_seed(0)
    weights = target / "weights.safetensors"
    network = build_network("vgg_small_gap", categories, batch_norm=False)
    save_file(network.state_dict(), weights)
    # Not `create_workspace`, which wants the photos.
    settings = WorkspaceSettings(
        dataset="birds", architecture="vgg_small_gap", z_layer="avgpool", held_out="last:2"
    )
    save_settings(target, settings)
    workspace = Workspace(target)
    classifier = load_foreign_backbone(
        weights, get_architecture("vgg_small_gap"), workspace.dataset.categories, "avgpool"
    )
    workspace.networks.install_classifier(*classifier)
    backbone, folder = workspace.networks.backbone, target / FEATURES_FOLDER
    folder.mkdir(exist_ok=True)
    if has_photos:
        write_features(folder, backbone, workspace.dataset.present)
    else:
        write_packed_features(folder / PACKED_FILE, backbone, workspace.dataset.photos)
    first = workspace.dataset.categories[0]
    entry = run(train_module(workspace, first, SraeSettings(), TRAINING))
    module, record = workspace.networks.load_module(entry)
    measures = next((BIRDS_WORKSPACE / MODULES_FOLDER).glob(f"*/*/{METRICS_FILE}"))
    known = json.loads(measures.read_text(encoding="utf-8"))
    known |= {"classifier_sha256": backbone.sha256, "weights_sha256": record.weights_sha256}
    for category in workspace.dataset.categories:
        path = target / MODULES_FOLDER / category / entry.run / entry.path.name
        path.parent.mkdir(parents=True, exist_ok=True)
        save_module(path, module, replace(record, category=category), is_compact=True)
        path.with_name(METRICS_FILE).write_text(json.dumps(known), encoding="utf-8")
    return target


def link_photos(root: Path) -> None:
    """Let all photos that the tables list be hard links to a few painted birds."""
    source = load_cub(DEMO_WORKSPACE / "birds")
    for number, line in enumerate((root / "images.txt").read_text().splitlines()):
        path = root / "images" / line.split()[1]
        copy, links = divmod(number, MAX_LINKS)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not links:
            shutil.copy(source.photos[copy].path, path)
            first = path
        else:
            path.hardlink_to(first)


def draw_batches(
    count: int, z_size: int, categories: int
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Draw Z and scores of photos by chance."""
    random = np.random.default_rng(0)
    for start in range(0, count, BATCH):
        rows = min(BATCH, count - start)
        z = random.gamma(0.5, size=(rows, z_size)).astype(np.float32)
        yield z, random.standard_normal((rows, categories), np.float32)


def write_packed_features(file: Path, backbone: Backbone, photos: Sequence[Photo]) -> None:
    """Write Z of photos that are not there."""
    z = np.concatenate([batch for batch, _ in draw_batches(len(photos), backbone.z_size, 0)])
    ids = np.array([photo.image_id for photo in photos])
    features = Features(ids, z, np.empty((0, len(backbone.categories)), np.float32))
    pack_features(file, backbone, photos, features)


def write_features(folder: Path, backbone: Backbone, photos: Sequence[Photo]) -> None:
    """Write Z and logits of photos as the explorer does when it has computed them."""

    def draw(*_: object) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        return draw_batches(len(photos), backbone.z_size, len(backbone.categories))

    with patch.object(features_cache, "read_or_compute_batches", draw):
        run(features_cache.load_or_compute_features(folder, backbone, photos))


def write_tables(root: Path, categories: int, photos: int) -> None:
    """Write the tables of a data set whose photos have the boxes and parts of painted birds."""
    source = load_cub(DEMO_WORKSPACE / "birds")
    names = [f"{n:04d}.Simulated_Bird_{n}" for n in range(1, categories + 1)]
    tables: dict[str, list[str]] = {
        "classes": [f"{n} {name}" for n, name in enumerate(names, start=1)],
        "parts/parts": [f"{n} {name}" for n, name in enumerate(source.part_names, start=1)],
    }
    tables |= {name: [] for name in ("images", "image_class_labels", "bounding_boxes")}
    tables |= {"train_test_split": [], "parts/part_locs": []}
    for image_id in range(1, photos + 1):
        number = (image_id - 1) * categories // photos
        like = source.photos[image_id % len(source.photos)]
        box = " ".join(f"{value:.1f}" for value in like.box)
        tables["images"].append(f"{image_id} {names[number]}/{image_id:07d}.jpg")
        tables["image_class_labels"].append(f"{image_id} {number + 1}")
        tables["bounding_boxes"].append(f"{image_id} {box}")
        tables["train_test_split"].append(f"{image_id} {int(image_id % 5 > 0)}")
        tables["parts/part_locs"] += [
            f"{image_id} {part} " + (f"{x:.1f} {y:.1f} 1" if seen else "0.0 0.0 0")
            for part, ((x, y), seen) in enumerate(zip(like.parts, like.visible, strict=True), 1)
        ]
    (root / "parts").mkdir(parents=True)
    for name, lines in tables.items():
        (root / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Measure pages at each size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", nargs="*", default=list(PAGES))
    parser.add_argument("--runs", default="1,5", help="modules of a category")
    parser.add_argument("--simulated", help="categories x photos of each size")
    parser.add_argument("--photos", action="store_true", help="simulated data has photos")
    options = parser.parse_args()
    print(describe_machine("streamlit", "plotly"))
    sizes: dict[str, Callable[[Path], Path]] = {}
    if options.simulated:
        for word in options.simulated.split(","):
            categories, photos = map(int, word.split("x"))
            sizes[word] = partial(
                simulate_workspace,
                categories=categories,
                photos=photos,
                has_photos=options.photos,
            )
    else:
        for word in options.runs.split(","):
            sizes[f"{word} runs"] = partial(grow_workspace, runs=int(word))
    found = {}
    for name, make in sizes.items():
        with tempfile.TemporaryDirectory(dir=REPOSITORY_ROOT.parent) as folder:
            workspace = make(Path(folder) / "birds")
            found[name] = measure_version(REPOSITORY_ROOT, workspace, options.pages)
    print(f"{'page':10}  run    " + "".join(f"{name:>12}, s      kB" for name in sizes))
    for page in options.pages:
        for kind in ("cold", "new", "again"):
            figures = [found[name][page][kind] for name in sizes]
            cells = "".join(f"{time:14.3f}{size / 1000:8.1f}" for time, _, size in figures)
            print(f"{page:10}  {kind:5}  {cells}   {figures[-1][0] / figures[0][0]:.2f} times")


if __name__ == "__main__":
    main()
