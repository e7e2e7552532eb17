"""A public server changes nothing on its disk, whatever it is asked for."""

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


class Place(NamedTuple):
    """A workspace with a module, of whose category there are a job that lives and an ended one."""

    workspace: Workspace
    entry: ModuleEntry
    living: Job
    ended: Job


@pytest.fixture
def place(own_workspace: Path, state_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(control, "_start_worker", lambda _: None)
    workspace = Workspace(own_workspace)
    (entry,) = workspace.list_modules()
    jobs = []
    for name, state in (("1", JobState.WAITING), ("2", JobState.FINISHED)):
        folder = get_jobs_folder() / name
        save_request(folder, replace(make_request(workspace, entry), created=time.time()))
        save_status(folder, JobStatus(state))
        jobs.append(load_job(folder))
    return Place(workspace, entry, *jobs)


def make_request(workspace: Workspace, entry: ModuleEntry) -> JobRequest:
    settings = SMALL.describe(), SHORT.describe()
    return JobRequest(str(workspace.path), (entry.category,), entry.run, *settings)


def install_classifier(place: Place) -> None:
    networks = place.workspace.networks
    networks.install_classifier(networks.backbone, {"by": "hand"})


def do_train_classifier(place: Place) -> Generator[Any, None, Any]:
    settings = FinetuneSettings(epochs=1, batch_size=60)
    return train_classifier(place.workspace, settings, force=True)


def sweep(place: Place) -> Generator[Any, None, Any]:
    methods = get_trained_methods("nn:widths=8", training=SHORT)
    return sweep_modules(place.workspace, SweepSettings((place.entry.category,), methods))


def compare(place: Place) -> Generator[Any, None, Any]:
    methods = get_methods("excitation-bp")
    settings = EvaluationSettings(methods=methods, categories=1, stop="pool4")
    return compare_methods(place.workspace, settings)


def write_note(place: Place) -> None:
    sha256 = load_notes(place.entry).module_sha256
    save_note(place.entry, 0, Note("cap"), base=Note(), module_sha256=sha256)


def do_repair(place: Place) -> Generator[Any, None, Any]:
    stale = place.workspace.path / FEATURES_FOLDER / "stale"
    return repair(place.workspace.path, [Finding(Severity.WARNING, stale, "", "", True)])


VERBS: dict[str, Callable[[Place], Any]] = {
    "create_workspace": lambda place: create_workspace(
        place.workspace.path / "new", WorkspaceSettings("../birds")
    ),
    "install_classifier": install_classifier,
    "train_classifier": do_train_classifier,
    "measure_classifier": lambda place: measure_classifier(place.workspace),
    "train_module": lambda place: train_module(place.workspace, place.entry.category, SMALL, SHORT),
    "train_modules": lambda place: train_modules(
        place.workspace, place.workspace.dataset.categories[:2], SMALL, SHORT
    ),
    "measure_module": lambda place: measure_module(place.workspace, place.entry),
    "draw_maps": lambda place: draw_maps(place.workspace, [place.entry], "pool4"),
    "sweep_modules": sweep,
    "compare_methods": compare,
    "write_results": lambda place: write_results(place.workspace.path, RESULTS),
    "save_note": write_note,
    "set_aside": lambda place: set_aside(place.entry),
    "submit": lambda place: control.submit(make_request(place.workspace, place.entry)),
    "cancel": lambda place: control.cancel(place.living),
    "remove": lambda place: control.remove(place.ended),
    "repair": do_repair,
}


def do(verb: str, place: Place) -> None:
    """Do one of the verbs, to its end."""
    done = VERBS[verb](place)
    if isinstance(done, Generator):
        run_steps(done)


def prepare(verb: str, place: Place) -> None:
    """Put something there for those verbs that take away what is of no use."""
    if verb == "set_aside":
        get_notes_path(place.entry).write_text("damaged")
    if verb == "repair":
        (place.workspace.path / FEATURES_FOLDER / "stale").mkdir()
    if verb == "measure_classifier":
        (place.workspace.path / "metrics.json").unlink(missing_ok=True)
    if verb == "measure_module":
        place.entry.metrics_path.unlink()


def list_files(folder: Path) -> dict[str, bytes]:
    """Return what every file in a folder holds, and the folders in it."""
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


@pytest.mark.parametrize("verb", VERBS)
def test_what_would_change_something_is_refused(
    verb: str, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(verb, place)
    before = list_files(tmp_path)
    with monkeypatch.context() as patch:
        patch.setenv(PUBLIC_VARIABLE, "1")
        with pytest.raises(PublicError, match="nothing can be trained, written or removed here"):
            do(verb, place)
    assert list_files(tmp_path) == before


@pytest.mark.parametrize("verb", VERBS)
def test_elsewhere_the_same_is_done(verb: str, place: Place, tmp_path: Path) -> None:
    prepare(verb, place)
    before = list_files(tmp_path)
    do(verb, place)
    assert list_files(tmp_path) != before


def test_features_are_computed_without_being_stored(
    own_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_workspace / FEATURES_FOLDER).rename(own_workspace.with_name("kept"))
    before = list_files(own_workspace)
    with monkeypatch.context() as patch:
        patch.setenv(PUBLIC_VARIABLE, "1")
        held = run_steps(Workspace(own_workspace).networks.compute_features())
    assert list_files(own_workspace) == before
    stored = run_steps(Workspace(own_workspace).networks.compute_features())
    assert (own_workspace / FEATURES_FOLDER).is_dir()
    for name in ("image_ids", "z", "logits"):
        np.testing.assert_array_equal(getattr(held, name), getattr(stored, name))
    monkeypatch.setenv(PUBLIC_VARIABLE, "1")
    read = run_steps(Workspace(own_workspace).networks.compute_features())
    assert isinstance(read.z, np.memmap)


def test_more_than_memory_is_good_for_is_refused_before_anything_is_computed(
    own_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features_cache, "_MOST_HELD_BYTES", 1000)
    monkeypatch.setattr(features_cache, "load_arrays", lambda *_: None)
    monkeypatch.setenv(PUBLIC_VARIABLE, "1")
    with pytest.raises(ExplorerError, match="python -m explorer evaluate"):
        next(Workspace(own_workspace).networks.compute_features())


@pytest.mark.usefixtures("state_folder")
def test_a_public_server_makes_no_folder_for_jobs(
    tiny_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(tiny_workspace)
    request = make_request(workspace, workspace.list_modules()[0])
    with monkeypatch.context() as patch:
        patch.setenv(PUBLIC_VARIABLE, "1")
        with pytest.raises(PublicError):
            control.submit(request)
    assert not get_jobs_folder().exists()
