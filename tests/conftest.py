import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import Phase, settings
from PIL import Image
from steps import run_steps
from xdist.scheduler import LoadScopeScheduling

from explorer.config import CUB_ROOT_VARIABLE, REPOSITORY_ROOT, STATE_VARIABLE, Progress
from explorer.data.cub import CubDataset, load_cub
from explorer.data.painted.dataset import PaintedSettings, paint_dataset
from explorer.jobs.control import cancel
from explorer.jobs.store import list_jobs
from explorer.measuring.module import measure_module
from explorer.methods.srae import SraeSettings
from explorer.nn.backbones.backbone import Backbone
from explorer.nn.backbones.build import build_network, flatten_network
from explorer.nn.backbones.registry import get_architecture
from explorer.training.classifier.settings import FinetuneSettings
from explorer.training.classifier.train import train_classifier
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.train import train_module
from explorer.workspace.create import create_workspace
from explorer.workspace.settings import WorkspaceSettings

# The same cases on every run, and no failure because a machine was busy.
settings.register_profile("repeatable", deadline=None, derandomize=True)
# A change of the code is noticed or not; which case is the smallest that notices it is no matter.
settings.register_profile(
    "mutants",
    settings.get_profile("repeatable"),
    max_examples=20,
    phases=(Phase.explicit, Phase.generate),
)
settings.load_profile("repeatable")

# Ids with gaps and out of order, as a subset of CUB may have them.
CUB_FILES = {
    "classes.txt": "7 007.Red_Bird\n16 016.Blue_Bird\n",
    "images.txt": "30 016.Blue_Bird/c.jpg\n5 007.Red_Bird/a.jpg\n12 007.Red_Bird/b.jpg\n",
    "image_class_labels.txt": "5 7\n12 7\n30 16\n",
    "bounding_boxes.txt": "5 1.0 2.0 10.0 8.0\n12 0.0 0.0 20.0 10.0\n30 4.5 3.0 6.0 5.0\n",
    "train_test_split.txt": "5 1\n12 0\n30 1\n",
    "parts/parts.txt": "2 beak\n9 left eye\n",
    "parts/part_locs.txt": (
        "5 2 3.5 4.0 1\n5 9 0.0 0.0 0\n12 2 1.0 1.0 1\n12 9 2.0 2.0 1\n30 2 5.0 4.0 1\n30 9 6 6 1\n"
    ),
}


def pytest_configure() -> None:
    # Tests that run side by side share the cores; threads that wait for each other only cost.
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


class FileScheduling(LoadScopeScheduling):
    """Keeps a file's tests, which share what they set up, and all browsers to one process each."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return "browser" if "/browser/" in file else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return FileScheduling(config, log)


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep jobs and locks out of the folder that the user's own app has for them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STATE_VARIABLE, str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return an empty folder for jobs and locks; jobs that are left in it are ended."""
    folder = tmp_path / "state"
    monkeypatch.setenv(STATE_VARIABLE, str(folder))
    yield folder
    for job in list_jobs():
        cancel(job)


@pytest.fixture
def run() -> Callable[[Generator[Progress, None, Any]], Any]:
    """Return `run_steps`."""
    return run_steps


@pytest.fixture
def cub_folder(tmp_path: Path) -> Path:
    """Return a CUB folder with three photos, 20 pixels wide and 10 high, of two categories."""
    root = tmp_path / "cub"
    for name, text in CUB_FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for number, line in enumerate(CUB_FILES["images.txt"].splitlines()):
        path = root / "images" / line.split()[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 10), (200, 100, 50 * number)).save(path, quality=95)
    return root


@pytest.fixture(scope="session")
def cub40_root() -> Path:
    """Return the folder of the real CUB-200-2011, or of its first 40 categories."""
    default = REPOSITORY_ROOT.parent / "shared" / "cub40"
    root = Path(os.environ.get(CUB_ROOT_VARIABLE) or default)
    if not (root / "images.txt").exists():
        pytest.skip(f"CUB-200-2011 is not at {root}: set {CUB_ROOT_VARIABLE} to its folder")
    return root


@pytest.fixture(scope="session")
def real_cub(cub40_root: Path) -> CubDataset:
    return load_cub(cub40_root)


@pytest.fixture(scope="session")
def painted_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return painted birds: 12 categories of 6 photos, one of them for testing. Read only."""
    root = tmp_path_factory.mktemp("painted") / "birds"
    settings = PaintedSettings(
        photos_per_category=6, test_photos_per_category=1, supersampling=1, plan="pairs"
    )
    for _ in paint_dataset(root, settings):
        pass
    return root


@pytest.fixture(scope="session")
def painted_dataset(painted_root: Path) -> CubDataset:
    return load_cub(painted_root)


@pytest.fixture(scope="session")
def small_backbone(painted_dataset: CubDataset) -> Backbone:
    """Return an untrained vgg_small for the painted birds, seeded. Read only."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        network = build_network("vgg_small", len(painted_dataset.categories), batch_norm=False)
    layers = flatten_network(network)
    return Backbone(get_architecture("vgg_small"), layers, painted_dataset.categories)


@pytest.fixture(scope="session")
def tiny_workspace(tmp_path_factory: pytest.TempPathFactory, painted_root: Path) -> Path:
    """Return a workspace with a briefly trained classifier and one measured module. Read only.

    To change one, take `own_workspace`, a copy of it.
    """
    folder = tmp_path_factory.mktemp("workspace") / "tiny"
    shutil.copytree(painted_root, folder / "birds")
    workspace = create_workspace(folder, WorkspaceSettings(dataset="birds", half=True))
    run_steps(
        train_classifier(workspace, FinetuneSettings(epochs=2, batch_size=20, precision="full"))
    )
    entry = run_steps(
        train_module(
            workspace,
            workspace.dataset.categories[0],
            SraeSettings(),
            TrainingSettings(epochs=8, pretrain_epochs=4, batch_size=16),
        )
    )
    run_steps(measure_module(workspace, entry))
    return folder


@pytest.fixture
def own_workspace(tiny_workspace: Path, tmp_path: Path) -> Path:
    """Return a copy of `tiny_workspace` that the test may change."""
    return Path(shutil.copytree(tiny_workspace, tmp_path / "workspace"))
