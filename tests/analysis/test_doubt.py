import numpy as np
import pytest

from explorer.analysis import doubt
from explorer.analysis.doubt import Level, judge, make_reference


def test_likeness_is_the_cosine_similarity_to_each_known_photo() -> None:
    z = [[3.0, 4.0], [0.0, 2.0], [0.0, 0.0]]
    known = [[1.0, 0.0], [0.0, 5.0]]
    found = doubt.compute_likeness(z, known)
    np.testing.assert_allclose(found, [[0.6, 0.8], [0.0, 1.0], [0.0, 0.0]], atol=1e-6)
    assert found.dtype == np.float64


def test_likeness_to_itself_never_exceeds_one() -> None:
    z = np.abs(np.random.default_rng(0).normal(size=(50, 512))).astype(np.float32)
    likeness = doubt.compute_likeness(z, z)
    assert likeness.max() <= 1
    np.testing.assert_allclose(np.diag(likeness), 1, atol=1e-6)


def test_likeness_ignores_length_and_does_not_change_its_arguments() -> None:
    z, known = np.random.default_rng(1).normal(size=(2, 4, 3)).astype(np.float32)
    first = doubt.compute_likeness(z, known)
    np.testing.assert_allclose(doubt.compute_likeness(100 * z, known / 7), first, rtol=1e-6)
    before = z.copy()
    doubt.compute_likeness(z, known)
    np.testing.assert_array_equal(z, before)


@pytest.mark.parametrize(
    ("z", "known"),
    [
        (np.ones(3), np.ones((2, 3))),
        (np.ones((2, 3)), np.ones((2, 4))),
        (np.ones((2, 3)), np.ones((0, 3))),
    ],
)
def test_likeness_refuses_mismatched_shapes(z: np.ndarray, known: np.ndarray) -> None:
    with pytest.raises(ValueError, match="Z"):
        doubt.compute_likeness(z, known)


def test_certainty_is_the_highest_softmax() -> None:
    found = doubt.compute_certainty([[2.0, -1.0], [0.0, 0.0], [1e4, -1e4]])
    np.testing.assert_allclose(found, [1 / (1 + np.exp(-3)), 0.5, 1.0])


def test_resemblance_is_that_to_the_nearest_category() -> None:
    """Directions (1, 0), (0, 1) and (0.6, 0.8) of two categories; the third has no photo."""
    means = doubt.compute_means([[9, 0], [0, 5], [3, 4]], [0, 1, 1], 3)
    np.testing.assert_allclose(means[0], [1, 0])
    np.testing.assert_allclose(means[1], np.array([0.6, 1.8]) / np.hypot(0.6, 1.8), rtol=1e-6)
    assert means[2].tolist() == [0, 0]
    found = doubt.compute_resemblance([[2, 0], [-1, -1]], means)
    np.testing.assert_allclose(found, [1, 0], atol=1e-6)


def test_familiarity_adds_the_logarithms_of_both_shares() -> None:
    reference = make_reference([0.1, 0.2, 0.3], [0.6, 0.9, 0.7])
    assert reference.certainty.tolist() == [0.6, 0.7, 0.9]
    found = doubt.compute_familiarity([0.0, 0.2, 0.5], [0.9, 0.65, 0.1], reference)
    # Of three photos: none, two and all are as low; all, one and none.
    wanted = np.log([1 / 4 * 4 / 4, 3 / 4 * 2 / 4, 4 / 4 * 1 / 4])
    np.testing.assert_allclose(found, wanted)


def make(photos: int) -> doubt.Reference:
    """Make a reference whose two figures rise together, so that the order of photos is known."""
    figures = np.linspace(0.01, 1, photos)
    return make_reference(figures, figures)


def test_levels_by_the_share_of_photos_that_are_as_strange() -> None:
    reference = make(100)
    found = {n: judge(n / 100 + 0.001, n / 100 + 0.001, reference) for n in (0, 4, 5, 14, 15, 100)}
    assert [one.share for one in found.values()] == [0, 0.04, 0.05, 0.14, 0.15, 1]
    assert [one.level for one in found.values()] == [
        *(Level.STRANGE, Level.STRANGE, Level.BORDERLINE),
        *(Level.BORDERLINE, Level.KNOWN, Level.KNOWN),
    ]  # fmt: skip


def test_one_low_figure_is_enough() -> None:
    reference = make(1000)
    assert judge(0.0, 1.0, reference).level is Level.STRANGE
    assert judge(1.0, 0.0, reference).level is Level.STRANGE
    assert judge(1.0, 1.0, reference).level is Level.KNOWN
