import numpy as np
import pytest

from explorer.analysis.calibration import compute_softmax
from explorer.analysis.doubt import Level
from explorer.analysis.trust import MIN_PHOTOS, Count, Trust, choose_first_half, fit_trust


def test_halves_divide_each_category_evenly_and_know_no_order() -> None:
    ids = np.array([9, 3, 5, 1, 7, 2, 4])
    labels = np.array([0, 0, 0, 1, 1, 1, 1])
    is_first = choose_first_half(ids, labels)
    # In order of category and id: 3, 5, 9 | 1, 2, 4, 7.
    assert sorted(ids[is_first]) == [2, 3, 7, 9]
    order = np.random.default_rng(0).permutation(7)
    assert sorted(ids[order][choose_first_half(ids[order], labels[order])]) == [2, 3, 7, 9]


def test_identical_photos_are_in_the_same_half() -> None:
    ids = np.array([3, 3, 5, 9, 1, 2, 5, 7])
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    # In order of category and id: 3, 3, 5, 9 | 1, 2, 5, 7. The first 3 and the first 5 decide.
    assert sorted(ids[choose_first_half(ids, labels)]) == [1, 3, 3, 5, 5]
    assert not choose_first_half([], []).size


def make_outputs(photos: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Make a classifier of three categories that is right on most photos and far too sure."""
    random = np.random.default_rng(seed)
    labels = np.arange(photos) % 3
    logits = random.normal(size=(photos, 3))
    logits[np.arange(photos), labels] += 1.5
    rows = np.arange(photos)
    return rows, labels, 5 * logits, rows, random.uniform(0.2, 1, photos)


def fit(photos: int) -> Trust:
    trust = fit_trust(*make_outputs(photos))
    assert trust is not None
    return trust


def test_what_is_reported_is_measured_on_the_other_half() -> None:
    ids, labels, logits, rows, resemblance = make_outputs(3000)
    trust, second = fit(3000), ~choose_first_half(ids, labels)
    tested = trust.tested
    assert tested.photos == second.sum() == 1500
    is_right = logits[second].argmax(axis=1) == labels[second]
    assert tested.top_1 == is_right.mean()
    assert tested.top_5 == 1  # of three
    # Scores of unit variance, 1.5 apart, should be taken 1.5 times, not 5 times.
    assert trust.temperature == pytest.approx(5 / 1.5, rel=0.1)
    assert tested.before.error > 0.15
    assert tested.after.error < 0.04
    assert tested.after.right.sum() == is_right.sum()
    assert 0.87 < tested.coverage < 0.93
    assert 1 < tested.set_sizes.mean() < 2
    assert sum(tested.levels.values()) == pytest.approx(1)
    # A change of the second half changes nothing that is fitted.
    logits[second] = 0
    changed = fit_trust(ids, labels, logits, rows, resemblance)
    assert changed is not None
    assert (changed.temperature, changed.threshold) == (trust.temperature, trust.threshold)
    np.testing.assert_array_equal(changed.reference.familiarity, trust.reference.familiarity)


def test_one_bird_in_twenty_is_strange_and_two_more_are_borderline() -> None:
    levels = fit(6000).tested.levels
    assert levels[Level.STRANGE] == pytest.approx(0.05, abs=0.015)
    assert levels[Level.BORDERLINE] == pytest.approx(0.1, abs=0.02)


def test_names_are_counted_on_all_photos() -> None:
    ids = np.arange(2 * MIN_PHOTOS)
    labels = np.where(ids < 30, 0, 1)
    named = np.where(ids < 25, 0, 1)  # five of category 0 are called 1
    logits = np.eye(3)[named]
    trust = fit_trust(ids, labels, logits, ids, np.ones(len(ids)))
    assert trust is not None
    assert trust.named == (Count(25, 25), Count(10, 15), Count(0, 0))


def test_sets_are_those_of_calibrated_probabilities() -> None:
    ids, labels, logits, *_ = make_outputs(300)
    trust, second = fit(300), ~choose_first_half(ids, labels)
    shares = compute_softmax(logits[second], trust.temperature)
    sizes = np.maximum((shares >= trust.threshold).sum(axis=1), 1)
    np.testing.assert_array_equal(trust.tested.set_sizes, sizes)


@pytest.mark.parametrize("photos", [0, 1, 2 * MIN_PHOTOS - 1])
def test_too_few_photos_tell_nothing(photos: int) -> None:
    ids = np.arange(photos)
    assert fit_trust(ids, ids % 3, np.zeros((photos, 3)), ids, np.zeros(photos)) is None
    assert fit(2 * MIN_PHOTOS).tested.photos == MIN_PHOTOS
