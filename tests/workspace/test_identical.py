import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from steps import run_steps

from explorer.training.classifier.settings import FinetuneSettings
from explorer.training.classifier.train import train_classifier
from explorer.workspace.create import create_workspace
from explorer.workspace.identical import record_identical
from explorer.workspace.layout import FINETUNING_FILE
from explorer.workspace.settings import WorkspaceSettings, load_settings, save_settings
from explorer.workspace.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path, painted_root: Path) -> Workspace:
    """Return a new workspace in which a test photo is a copy of a training photo."""
    shutil.copytree(painted_root, tmp_path / "new/birds")
    made = create_workspace(tmp_path / "new", WorkspaceSettings("birds"))
    copy, original = get_pair(made)
    shutil.copyfile(made.dataset.get_photo(original).path, made.dataset.get_photo(copy).path)
    return made


def get_pair(workspace: Workspace) -> tuple[int, int]:
    """Return the ids of a test photo and of a training photo, in this order."""
    test = next(photo for photo in workspace.dataset.photos if not photo.is_training)
    training = next(photo for photo in workspace.dataset.photos if photo.is_training)
    return test.image_id, training.image_id


def test_a_copy_is_no_longer_held_out_once_it_is_recorded(workspace: Workspace) -> None:
    pair = get_pair(workspace)
    assert pair[0] in {photo.image_id for photo in workspace.held_out}
    run_steps(record_identical(workspace))
    for opened in (workspace, Workspace(workspace.path)):
        assert opened.settings.identical == opened.dataset.identical == (tuple(sorted(pair)),)
        held_out = {photo.image_id for photo in opened.held_out}
        assert not held_out & set(pair)
        assert len(held_out) == 11


def test_what_is_recorded_is_not_looked_for_again(workspace: Workspace) -> None:
    save_settings(workspace.path, replace(workspace.settings, identical=()))
    opened = Workspace(workspace.path)
    assert list(record_identical(opened)) == []
    assert len(opened.held_out) == 12


def test_a_workspace_of_an_earlier_version_does_not_change(workspace: Workspace) -> None:
    settings = load_settings(workspace.path)
    assert settings.identical is None
    opened = Workspace(workspace.path)
    assert opened.dataset.identical == ()
    assert len(opened.held_out) == 12


def test_copies_are_recorded_where_the_photos_are_missing(workspace: Workspace) -> None:
    """A packed workspace has tables alone, and the same held-out photos."""
    run_steps(record_identical(workspace))
    shutil.rmtree(workspace.path / "birds/images")
    opened = Workspace(workspace.path)
    assert not opened.dataset.has_photos
    assert len(opened.held_out) == 11


def test_copies_are_looked_for_before_a_network_is_trained(workspace: Workspace) -> None:
    steps = train_classifier(workspace, FinetuneSettings(epochs=1))
    assert next(steps).stage == "Looking for identical photos"
    while next(steps).stage == "Looking for identical photos":
        pass
    steps.close()
    assert workspace.settings.identical == (tuple(sorted(get_pair(workspace))),)


def test_an_interrupted_training_keeps_its_photos(workspace: Workspace) -> None:
    (workspace.path / FINETUNING_FILE).mkdir()
    steps = train_classifier(workspace, FinetuneSettings(epochs=1))
    assert next(steps).stage == "Fine-tuning"
    steps.close()
    assert workspace.settings.identical is None
