import numpy as np
import pytest
from scipy.special import log_softmax

from explorer.analysis.calibration import compute_reliability, compute_softmax, fit_temperature


def test_softmax_is_divided_by_the_temperature() -> None:
    np.testing.assert_allclose(compute_softmax([0.0, np.log(3)]), [0.25, 0.75])
    np.testing.assert_allclose(compute_softmax([0.0, np.log(9)], 2.0), [0.25, 0.75])
    assert compute_softmax([[1e4, -1e4]]).tolist() == [[1.0, 0.0]]


def test_the_temperature_makes_certainty_as_high_as_accuracy() -> None:
    """Three of four photos are right, and softmax of log 9 is 0.9: divided by 2 it is 0.75."""
    logits = [[np.log(9), 0.0]] * 4
    assert fit_temperature(logits, [0, 0, 0, 1]) == pytest.approx(2, rel=1e-4)
    # The other way round: nine of ten are right, and softmax says 0.75.
    assert fit_temperature([[np.log(3), 0.0]] * 10, [0] * 9 + [1]) == pytest.approx(0.5, rel=1e-4)


def test_no_other_temperature_makes_the_right_categories_more_likely() -> None:
    random = np.random.default_rng(0)
    logits = 5 * random.normal(size=(200, 6))
    labels = random.integers(0, 6, 200)
    logits[np.arange(200), labels] += 4
    found = fit_temperature(logits, labels)

    def compute_likelihood(temperature: float) -> float:
        return float(log_softmax(logits / temperature, axis=1)[np.arange(200), labels].mean())

    others = [compute_likelihood(t) for t in np.geomspace(0.05, 20, 100)]
    assert compute_likelihood(found) >= max(others)


@pytest.mark.parametrize(
    ("logits", "labels"), [(np.zeros((2, 3)), [0]), (np.zeros(3), [0]), (np.zeros((0, 3)), [])]
)
def test_a_temperature_takes_photos_with_labels(logits: np.ndarray, labels: list[int]) -> None:
    with pytest.raises(ValueError, match="labels"):
        fit_temperature(logits, labels)


def test_reliability_of_five_photos() -> None:
    """Two bins: 0.2 and 0.4, one of two right; 0.6, 0.8 and 1.0, all right."""
    found = compute_reliability([0.2, 0.4, 0.6, 0.8, 1.0], [False, True, True, True, True], 2)
    assert found.edges.tolist() == [0, 0.5, 1]
    assert found.counts.tolist() == [2, 3]
    assert found.right.tolist() == [1, 3]
    np.testing.assert_allclose(found.certainty, [0.3, 0.8])
    np.testing.assert_allclose(found.accuracy, [0.5, 1.0])
    # 2/5 of the photos are off by 0.2, and 3/5 by 0.2.
    assert found.error == pytest.approx(0.2)
    spread = np.sqrt(2 / np.pi) * (np.sqrt(0.16 + 0.24) + np.sqrt(0.24 + 0.16 + 0))
    assert found.chance == pytest.approx(spread / 5)


def test_a_bin_includes_its_upper_edge_and_the_first_includes_zero() -> None:
    found = compute_reliability([0.0, 0.5, 0.51, 1.0], [True] * 4, 2)
    assert found.counts.tolist() == [2, 2]
    assert [found.find_bin(value) for value in (0.0, 0.5, 0.51, 1.0)] == [0, 0, 1, 1]


def test_an_empty_bin_has_neither_certainty_nor_accuracy() -> None:
    found = compute_reliability([0.9], [True], 2)
    assert found.counts.tolist() == [0, 1]
    assert np.isnan(found.certainty[0])
    assert np.isnan(found.accuracy[0])
    assert found.error == pytest.approx(0.1)


def test_chance_is_the_error_of_certainties_that_are_right() -> None:
    random = np.random.default_rng(1)
    sure = random.uniform(0.3, 1, 500)
    errors = [compute_reliability(sure, random.random(500) < sure).error for _ in range(400)]
    assert np.mean(errors) == pytest.approx(compute_reliability(sure, sure > 0).chance, rel=0.1)


@pytest.mark.parametrize("sure", [[-0.1], [1.1], [np.nan]])
def test_certainty_is_a_share(sure: list[float]) -> None:
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        compute_reliability(sure, [True])


def test_reliability_takes_equally_many() -> None:
    with pytest.raises(ValueError, match="is_right"):
        compute_reliability([0.5], [True, False])
