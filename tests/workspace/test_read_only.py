from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.config import PUBLIC_VARIABLE, ExplorerError, PublicError
from explorer.jobs import control
from explorer.jobs.store import get_jobs_folder
from explorer.jobs.types import Job, JobRequest, JobState, JobStatus
from explorer.workspace import features
from explorer.workspace.layout import FEATURES_FOLDER, WorkspaceError
from explorer.workspace.notes import Note, get_notes_path, save_note, set_aside
from explorer.workspace.read_only import ReadOnlyWorkspace
from explorer.workspace.workspace import Workspace

Run = Callable[[Any], Any]


def list_files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_everything_that_would_change_it_is_refused(own_workspace: Path) -> None:
    workspace, before = ReadOnlyWorkspace(own_workspace), list_files(own_workspace)
    (entry,) = workspace.list_modules()
    calls: list[Callable[[], object]] = [
        lambda: workspace.install_classifier(workspace.backbone, {}),
        lambda: workspace.finetune(None),
        workspace.measure_classifier,
        lambda: workspace.train_module(entry.category, None, None),
        lambda: workspace.train_modules([entry.category], None, None),
        lambda: workspace.evaluate_module(entry),
    ]
    for call in calls:
        with pytest.raises(WorkspaceError, match="open for reading only"):
            call()
    assert list_files(own_workspace) == before


def test_nothing_that_writes_was_forgotten() -> None:
    reading = {
        *("backbone", "classifier_report", "compute_scores", "create", "device", "engine"),
        *("explain", "explain_by_gradient", "explain_score", "find_module", "has_device"),
        *("load_maps", "load_module", "load_record", "prepare_image", "score_image"),
        "select_scores",
    }
    public = {name for name in vars(Workspace) if not name.startswith("_")}
    assert public - reading == {name for name in vars(ReadOnlyWorkspace) if name[0] != "_"}


def test_features_are_computed_without_being_stored(own_workspace: Path, run: Run) -> None:
    (own_workspace / FEATURES_FOLDER).rename(own_workspace.with_name("kept"))
    held = run(ReadOnlyWorkspace(own_workspace).compute_features())
    assert not (own_workspace / FEATURES_FOLDER).exists()
    stored = run(Workspace(own_workspace).compute_features())
    for name in ("image_ids", "z", "logits"):
        np.testing.assert_array_equal(getattr(held, name), getattr(stored, name))
    read = run(ReadOnlyWorkspace(own_workspace).compute_features())
    assert isinstance(read.z, np.memmap)


def test_more_than_memory_is_good_for_is_refused_before_anything_is_computed(
    own_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "_MOST_HELD_BYTES", 1000)
    monkeypatch.setattr(features, "load_arrays", lambda *_: None)
    with pytest.raises(ExplorerError, match="python -m explorer evaluate"):
        next(ReadOnlyWorkspace(own_workspace).compute_features())


@pytest.mark.usefixtures("state_folder")
def test_a_public_server_starts_and_stops_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = JobRequest(str(tmp_path), ("a",), "srae-k5-s0", {}, {})
    running = Job(tmp_path, request, JobStatus(JobState.RUNNING, pid=1), JobState.RUNNING)
    monkeypatch.setenv(PUBLIC_VARIABLE, "1")
    with pytest.raises(PublicError, match="Training is switched off on this public server"):
        control.submit(request)
    for act in (control.cancel, control.remove):
        with pytest.raises(PublicError, match="a training is switched off"):
            act(running)
    assert not get_jobs_folder().exists()
    assert list(tmp_path.iterdir()) == []
    monkeypatch.delenv(PUBLIC_VARIABLE)


def test_a_public_server_writes_no_notes(
    own_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (entry,) = Workspace(own_workspace).list_modules()
    get_notes_path(entry).write_text("damaged")
    before = list_files(own_workspace)
    monkeypatch.setenv(PUBLIC_VARIABLE, "1")
    with pytest.raises(PublicError, match="Writing names"):
        save_note(entry, 0, Note("a"), base=Note(), module_sha256="")
    with pytest.raises(PublicError, match="Setting files aside"):
        set_aside(entry)
    assert list_files(own_workspace) == before
