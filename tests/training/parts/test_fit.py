import numpy as np
import pytest
import torch
from steps import run_steps

from explorer.config import ExplorerError
from explorer.nn.part_finder import PartFinder
from explorer.training.classifier.precision import Precision
from explorer.training.parts.accuracy import find_all, measure_accuracy
from explorer.training.parts.fit import PartViews, fit_part_finder
from explorer.training.parts.settings import PartSettings
from explorer.training.parts.targets import PartTargets

SETTINGS = PartSettings(width=16, epochs=25, patience=25, batch_size=16, precision="full")
NAMES = ("left eye", "right eye")
SIDE = 12


def make_views(count: int, seed: int = 0) -> PartViews:
    """Make maps on which one channel shows the left eye, one the right eye, and one the bird.

    Every third bird hides its right eye.
    """
    rng = np.random.default_rng(seed)
    maps = np.zeros((count, 3, SIDE, SIDE), np.float16)
    points = np.full((count, 2, 2), np.nan, np.float32)
    boxes = np.zeros((count, 4), np.float32)
    for photo in range(count):
        top, left = rng.integers(0, SIDE // 2, 2)
        bottom, right = top + SIDE // 2, left + SIDE // 2
        boxes[photo] = np.array([left, top, right, bottom]) / SIDE
        maps[photo, 2, top:bottom, left:right] = 1
        for part in range(1 if photo % 3 == 0 else 2):
            row, column = rng.integers(top, bottom), rng.integers(left, right)
            maps[photo, part, row, column] = 4
            points[photo, part] = (column + 0.5) / SIDE, (row + 0.5) / SIDE
    targets = PartTargets(points, boxes, np.full((count, 2), 100))
    mirrored = maps[:, [1, 0, 2], :, ::-1]
    return PartViews(np.concatenate([maps, mirrored]), (targets, targets.mirror(NAMES)))


@pytest.fixture(scope="module")
def learnt() -> PartFinder:
    return run_steps(fit_part_finder(make_views(100), SETTINGS, _full()))


def _full() -> Precision:
    return Precision("full", torch.device("cpu"))


@pytest.mark.parametrize("view", [0, 1])
def test_a_tiny_data_set_is_learnt_whole_and_mirrored(learnt: PartFinder, view: int) -> None:
    fresh = make_views(40, seed=1)
    rows = np.arange(40)
    found = find_all(learnt, fresh.maps, rows + view * 40)
    accuracy = measure_accuracy(found, fresh.select_targets(rows, view))
    assert accuracy.photos == 40
    assert accuracy.pck > 0.9
    assert accuracy.overlap > 0.8
    assert accuracy.visibility_auc is not None
    assert accuracy.visibility_auc > 0.95
    assert not learnt.training


def test_left_and_right_are_told_apart(learnt: PartFinder) -> None:
    fresh = make_views(40, seed=1)
    exchanged = np.ascontiguousarray(fresh.maps[:, [1, 0, 2]])
    found = find_all(learnt, exchanged, np.arange(40))
    rows = np.flatnonzero(np.arange(40) % 3)  # with both eyes
    right, left = fresh.targets[0].points[rows, 1], fresh.targets[0].points[rows, 0]
    distance = np.abs(found.points[rows] - np.stack([right, left], axis=1)).max(axis=2)
    assert (distance < 1 / SIDE).mean() > 0.9


def test_a_part_that_is_never_seen_has_no_accuracy(learnt: PartFinder) -> None:
    fresh = make_views(3)
    targets = fresh.select_targets(np.array([0]))  # without its right eye
    accuracy = measure_accuracy(find_all(learnt, fresh.maps, np.array([0])), targets)
    assert accuracy.part_pck[1] is None
    assert accuracy.mean_part_auc is None


def test_training_is_repeatable_and_leaves_random_states_alone() -> None:
    views = make_views(12)
    settings = PartSettings(width=8, epochs=2, batch_size=8, precision="full")
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    first = run_steps(fit_part_finder(views, settings, _full()))
    assert torch.equal(torch.rand(1), expected)
    second = run_steps(fit_part_finder(views, settings, _full()))
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_training_ends_when_nothing_improves_any_more() -> None:
    settings = PartSettings(
        width=4, epochs=50, patience=2, batch_size=16, learning_rate=1e-30, precision="full"
    )
    steps = list(fit_part_finder(make_views(16), settings, _full()))
    assert len(steps) == 3  # the first epoch, and two that are no better
    assert steps[-1].total == 50


def test_a_loss_that_is_not_finite_ends_it() -> None:
    views = make_views(8)
    broken = PartViews(np.full_like(views.maps, np.inf), views.targets)
    settings = PartSettings(width=4, epochs=1, batch_size=8, precision="full")
    with pytest.raises(ExplorerError, match="no longer finite"):
        run_steps(fit_part_finder(broken, settings, _full()))
