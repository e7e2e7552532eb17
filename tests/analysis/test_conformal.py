import numpy as np
import pytest

from explorer.analysis.conformal import find_sets, fit_threshold


def spread(own: list[float]) -> tuple[np.ndarray, list[int]]:
    """Make two-category probabilities of which the first, right one is given."""
    return np.array([[share, 1 - share] for share in own]), [0] * len(own)


def test_the_threshold_of_nine_photos_is_their_lowest() -> None:
    """⌈(9 + 1) · 0.9⌉ = 9 photos must have at least this probability of the right category."""
    own = [0.9, 0.8, 0.3, 0.7, 0.6, 0.5, 0.95, 0.99, 0.4]
    assert fit_threshold(*spread(own)) == 0.3


def test_the_threshold_of_nineteen_photos_leaves_one_out() -> None:
    """⌈20 · 0.9⌉ = 18 of 19."""
    assert fit_threshold(*spread([n / 20 for n in range(1, 20)])) == 2 / 20
    assert fit_threshold(*spread([n / 20 for n in range(1, 20)]), coverage=0.5) == 10 / 20


def test_too_few_photos_leave_all_categories_in() -> None:
    assert fit_threshold(*spread([0.9] * 8)) == 0
    assert fit_threshold(np.empty((0, 2)), []) == 0


def test_sets_hold_what_reaches_the_threshold_and_always_the_first() -> None:
    found = find_sets([[0.5, 0.3, 0.2], [0.35, 0.33, 0.32], [0.2, 0.3, 0.5]], 0.3)
    assert found.tolist() == [[True, True, False], [True, True, True], [False, True, True]]
    assert find_sets([[0.5, 0.3, 0.2]], 0.9).tolist() == [[True, False, False]]


def test_sets_hold_the_right_category_as_often_as_asked_for() -> None:
    random = np.random.default_rng(0)
    coverage = []
    for _ in range(60):
        scores = 2 * random.normal(size=(400, 10))
        labels = random.integers(0, 10, 400)
        scores[np.arange(400), labels] += 2
        shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        threshold = fit_threshold(shares[:200], labels[:200])
        members = find_sets(shares[200:], threshold)
        coverage.append(members[np.arange(200), labels[200:]].mean())
    assert np.mean(coverage) == pytest.approx(0.9, abs=0.012)


def test_probabilities_need_labels() -> None:
    with pytest.raises(ValueError, match="labels"):
        fit_threshold(np.ones((3, 2)), [0])
