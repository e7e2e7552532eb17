"""A public server changes nothing on its disk, whichever function is called."""

import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from steps import run_steps

from explorer.config import PUBLIC_VARIABLE, ExplorerError, PublicError
from explorer.doctor.findings import Finding, Severity
from explorer.doctor.repair import repair
from explorer.evaluation.compare import compare_methods
from explorer.evaluation.results import write_results
from explorer.evaluation.settings import EvaluationSettings
from explorer.evaluation.sweep.plan import SweepSettings, sweep_modules
from explorer.jobs import control
from explorer.jobs.store import get_jobs_folder, load_job, save_request, save_status
from explorer.jobs.types import Job, JobRequest, JobState, JobStatus
from explorer.maps.drawing import draw_maps
from explorer.measuring.classifier import measure_classifier
from explorer.measuring.module import measure_module
from explorer.methods.registry import get_methods, get_trained_methods
from explorer.methods.srae import SraeSettings
from explorer.training.classifier.settings import FinetuneSettings
from explorer.training.classifier.train import train_classifier
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.train import train_module, train_modules
from explorer.workspace import features_cache
from explorer.workspace.create import create_workspace
from explorer.workspace.layout import FEATURES_FOLDER, ModuleEntry
from explorer.workspace.notes import get_notes_path, load_notes, save_note, set_aside
from explorer.workspace.notes_file import Note
from explorer.workspace.settings import WorkspaceSettings
from explorer.workspace.workspace import Workspace

SMALL, SHORT = SraeSettings(widths=(8,)), TrainingSettings(epochs=1, pretrain_epochs=0)
RESULTS = [{"method": "z", "category": "001.A", "seed": 0, "measures": {"locality": 1.5}}]


class Example(NamedTuple):
    """A workspace with a module, a waiting job and a finished job."""

    workspace: Workspace
    entry: ModuleEntry
    waiting: Job
    finished: Job


@pytest.fixture
def example(own_workspace: Path, state_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Example:
    monkeypatch.setattr(control, "_start_worker", lambda _: None)
    workspace = Workspace(own_workspace)
    (entry,) = workspace.list_modules()
    jobs = []
    for name, state in (("1", JobState.WAITING), ("2", JobState.FINISHED)):
        folder = get_jobs_folder() / name
        save_request(folder, replace(make_request(workspace, entry), created=time.time()))
        save_status(folder, JobStatus(state))
        jobs.append(load_job(folder))
    return Example(workspace, entry, *jobs)


def make_request(workspace: Workspace, entry: ModuleEntry) -> JobRequest:
    settings = SMALL.describe(), SHORT.describe()
    return JobRequest(str(workspace.path), (entry.category,), entry.run, *settings)


def install_classifier(example: Example) -> None:
    networks = example.workspace.networks
    networks.install_classifier(networks.backbone, {"by": "hand"})


def retrain_classifier(example: Example) -> Generator[Any, None, Any]:
    settings = FinetuneSettings(epochs=1, batch_size=60)
    return train_classifier(example.workspace, settings, force=True)


def sweep(example: Example) -> Generator[Any, None, Any]:
    methods = get_trained_methods("nn:widths=8", training=SHORT)
    return sweep_modules(example.workspace, SweepSettings((example.entry.category,), methods))


def compare(example: Example) -> Generator[Any, None, Any]:
    methods = get_methods("excitation-bp")
    settings = EvaluationSettings(methods=methods, categories=1, stop="pool4")
    return compare_methods(example.workspace, settings)


def write_note(example: Example) -> None:
    sha256 = load_notes(example.entry).module_sha256
    save_note(example.entry, 0, Note("cap"), base=Note(), module_sha256=sha256)


def repair_stale_features(example: Example) -> Generator[Any, None, Any]:
    stale = example.workspace.path / FEATURES_FOLDER / "stale"
    return repair(example.workspace.path, [Finding(Severity.WARNING, stale, "", "", True)])


ACTIONS: dict[str, Callable[[Example], Any]] = {
    "create_workspace": lambda example: create_workspace(
        example.workspace.path / "new", WorkspaceSettings("../birds")
    ),
    "install_classifier": install_classifier,
    "train_classifier": retrain_classifier,
    "measure_classifier": lambda example: measure_classifier(example.workspace),
    "train_module": lambda example: train_module(
        example.workspace, example.entry.category, SMALL, SHORT
    ),
    "train_modules": lambda example: train_modules(
        example.workspace, example.workspace.dataset.categories[:2], SMALL, SHORT
    ),
    "measure_module": lambda example: measure_module(example.workspace, example.entry),
    "draw_maps": lambda example: draw_maps(example.workspace, [example.entry], "pool4"),
    "sweep_modules": sweep,
    "compare_methods": compare,
    "write_results": lambda example: write_results(example.workspace.path, RESULTS),
    "save_note": write_note,
    "set_aside": lambda example: set_aside(example.entry),
    "submit": lambda example: control.submit(make_request(example.workspace, example.entry)),
    "cancel": lambda example: control.cancel(example.waiting),
    "remove": lambda example: control.remove(example.finished),
    "repair": repair_stale_features,
}


def perform(action: str, example: Example) -> None:
    """Perform an action to completion."""
    done = ACTIONS[action](example)
    if isinstance(done, Generator):
        run_steps(done)


def prepare(action: str, example: Example) -> None:
    """Give actions that repair or replace files something to do."""
    if action == "set_aside":
        get_notes_path(example.entry).write_text("damaged")
    if action == "repair":
        (example.workspace.path / FEATURES_FOLDER / "stale").mkdir()
    if action == "measure_classifier":
        (example.workspace.path / "metrics.json").unlink(missing_ok=True)
    if action == "measure_module":
        example.entry.metrics_path.unlink()


def list_files(folder: Path) -> dict[str, bytes]:
    """Return the contents of every file in a folder; empty for its folders."""
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


@pytest.mark.parametrize("action", ACTIONS)
def test_changes_are_refused_on_a_public_server(
    action: str, example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(action, example)
    before = list_files(tmp_path)
    with monkeypatch.context() as patch:
        patch.setenv(PUBLIC_VARIABLE, "1")
        with pytest.raises(PublicError, match="nothing can be trained, written or removed here"):
            perform(action, example)
    assert list_files(tmp_path) == before


@pytest.mark.parametrize("action", ACTIONS)
def test_the_same_changes_are_made_elsewhere(action: str, example: Example, tmp_path: Path) -> None:
    prepare(action, example)
    before = list_files(tmp_path)
    perform(action, example)
    assert list_files(tmp_path) != before


def test_features_are_computed_without_being_stored(
    own_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_workspace / FEATURES_FOLDER).rename(own_workspace.with_name("kept"))
    before = list_files(own_workspace)
    with monkeypatch.context() as patch:
        patch.setenv(PUBLIC_VARIABLE, "1")
        in_memory = run_steps(Workspace(own_workspace).networks.compute_features())
    assert list_files(own_workspace) == before
    stored = run_steps(Workspace(own_workspace).networks.compute_features())
    assert (own_workspace / FEATURES_FOLDER).is_dir()
    for name in ("image_ids", "z", "logits"):
        np.testing.assert_array_equal(getattr(in_memory, name), getattr(stored, name))
    monkeypatch.setenv(PUBLIC_VARIABLE, "1")
    read = run_steps(Workspace(own_workspace).networks.compute_features())
    assert isinstance(read.z, np.memmap)


def test_features_too_large_for_memory_are_refused_before_computation(
    own_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features_cache, "_MAX_BYTES_IN_MEMORY", 1000)
    monkeypatch.setattr(features_cache, "load_arrays", lambda *_: None)
    monkeypatch.setenv(PUBLIC_VARIABLE, "1")
    with pytest.raises(ExplorerError, match="python -m explorer evaluate"):
        next(Workspace(own_workspace).networks.compute_features())


@pytest.mark.usefixtures("state_folder")
def test_a_public_server_creates_no_folder_for_jobs(
    tiny_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tiny_workspace)
    request = make_request(workspace, workspace.list_modules()[0])
    with monkeypatch.context() as patch:
        patch.setenv(PUBLIC_VARIABLE, "1")
        with pytest.raises(PublicError):
            control.submit(request)
    assert not get_jobs_folder().exists()
