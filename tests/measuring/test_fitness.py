from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from explorer.config import Progress
from explorer.measuring import fitness
from explorer.measuring.fitness import check_fitness
from explorer.nn.backbones.build import build_network
from explorer.workspace.create import create_workspace
from explorer.workspace.networks import Networks
from explorer.workspace.settings import WorkspaceSettings
from explorer.workspace.workspace import Workspace

Run = Callable[[Any], Any]


@pytest.fixture
def workspace(tmp_path: Path, painted_root: Path) -> Workspace:
    """Return a workspace of 24 held-out photos of 12 categories with a random network."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        weights = build_network("vgg_small", 12, batch_norm=False).state_dict()
    torch.save(weights, tmp_path / "random.pth")
    settings = WorkspaceSettings(str(painted_root), architecture="vgg_small", held_out="last:2")
    return create_workspace(tmp_path / "new", settings, tmp_path / "random.pth")


def answer(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, right: int) -> None:
    """Make the network right on the first `right` photos that it is tried on."""
    labels = sorted(photo.category_index for photo in workspace.held_out)
    answers = [label if i < right else (label + 1) % 12 for i, label in enumerate(labels)]

    def compute_scores(_: Networks, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        own = [answers.pop(0) for _ in pixels]
        return np.zeros((len(own), 1)), np.eye(12)[own]

    monkeypatch.setattr(Networks, "compute_scores", compute_scores)


@pytest.mark.parametrize(("right", "is_near_chance"), [(0, True), (6, True), (7, False)])
def test_near_chance_is_what_guessing_reaches_in_one_case_of_a_hundred(
    workspace: Workspace,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    right: int,
    is_near_chance: bool,
) -> None:
    answer(monkeypatch, workspace, right)
    note = run(check_fitness(workspace))
    assert bool(note) == is_near_chance
    if note:
        assert f"right on {right} of 24 held-out photos" in note
        for cause in ("classes.txt", "BGR", "0 to 255", "(0.485, 0.456, 0.406)"):
            assert cause in note


def test_a_random_network_is_near_chance(workspace: Workspace) -> None:
    steps = check_fitness(workspace)
    assert [next(steps).done, next(steps).done] == [16, 24]
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert "Guessing among 12 categories" in end.value.value


def test_photos_that_cannot_be_read_are_left_out(
    workspace: Workspace, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, calls = fitness.load_photo, []

    def fail_twice(photo: Any) -> np.ndarray:
        calls.append(photo)
        if len(calls) <= 2:
            raise fitness.ExplorerError("damaged")
        return load(photo)

    monkeypatch.setattr(fitness, "load_photo", fail_twice)
    assert "of 22 held-out photos" in run(check_fitness(workspace))


def test_nothing_is_said_of_too_few_photos(workspace: Workspace, run: Run) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitness, "_FEWEST_PHOTOS", 25)
        assert run(check_fitness(workspace)) == ""


def test_photos_are_spread_over_the_categories(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitness, "_MOST_PHOTOS", 12)
    asked: list[int] = []
    load = fitness.load_photo
    monkeypatch.setattr(
        fitness, "load_photo", lambda photo: (asked.append(photo.category_index), load(photo))[1]
    )
    assert isinstance(next(check_fitness(workspace)), Progress)
    assert asked == list(range(12))
