import numpy as np
import pytest
from scipy.special import expit

from explorer.analysis import doubt
from explorer.analysis.doubt import Judgement, Reference, judge


def test_likeness_is_the_cosine_similarity_to_each_known_photo() -> None:
    z = np.array([[3.0, 4.0], [0.0, 2.0], [0.0, 0.0]])
    known = np.array([[1.0, 0.0], [0.0, 9.0], [-1.0, 0.0], [0.0, 0.0]])
    found = doubt.compute_likeness(z, known)
    wanted = [[0.6, 0.8, -0.6, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    np.testing.assert_allclose(found, wanted, atol=1e-7)
    assert found.dtype == np.float64


def test_likeness_to_itself_never_exceeds_one() -> None:
    z = np.random.default_rng(1).random((50, 33), dtype=np.float32)
    likeness = doubt.compute_likeness(z, z)
    assert likeness.max() <= 1
    np.testing.assert_allclose(np.diag(likeness), 1, atol=1e-6)


def test_likeness_ignores_length_and_does_not_change_its_arguments() -> None:
    z, known = np.array([[1.0, 2.0]], np.float32), np.array([[2.0, 1.0]], np.float32)
    first = doubt.compute_likeness(z, known)
    np.testing.assert_allclose(doubt.compute_likeness(100 * z, known / 7), first, rtol=1e-6)
    assert first == pytest.approx(0.8)
    assert z.tolist() == [[1, 2]]
    assert known.tolist() == [[2, 1]]


@pytest.mark.parametrize(
    ("z", "known"),
    [
        (np.ones((2, 3)), np.ones((4, 5))),
        (np.ones(3), np.ones((4, 3))),
        (np.ones((2, 3)), np.ones(3)),
        (np.ones((2, 3)), np.ones((0, 3))),
    ],
)
def test_likeness_refuses_mismatched_shapes(z: np.ndarray, known: np.ndarray) -> None:
    with pytest.raises(ValueError, match="Z"):
        doubt.compute_likeness(z, known)


def test_certainty_is_the_highest_softmax() -> None:
    found = doubt.compute_certainty([[2.0, -1.0], [0.0, 0.0], [1e4, -1e4]])
    np.testing.assert_allclose(found, [expit(3.0), 0.5, 1.0])
    np.testing.assert_allclose(doubt.compute_softmax([0.0, np.log(3)]), [0.25, 0.75])


def test_held_out_photos_are_compared_only_with_training_photos() -> None:
    z = np.array([[1, 0], [0, 1], [3, 4], [3, 4], [0, 5]], np.float32)
    logits = np.array([[9, 0], [0, 9], [0, 0], [np.log(3), 0], [0, np.log(4)]], np.float32)
    is_held_out = np.array([False, False, True, True, True])
    reference = doubt.compute_reference(z, logits, is_held_out)
    # The two held-out photos are equal, so that each would be the nearest to the other.
    np.testing.assert_allclose(reference.likeness, [0.8, 0.8, 1.0], atol=1e-6)
    np.testing.assert_allclose(reference.certainty, [0.5, 0.75, 0.8], atol=1e-6)


@pytest.mark.parametrize("value", [True, False])
def test_reference_is_empty_if_all_or_none_are_held_out(value: bool) -> None:
    z, logits = np.ones((30, 2), np.float32), np.ones((30, 3), np.float32)
    reference = doubt.compute_reference(z, logits, np.full(30, value))
    assert reference.likeness.shape == reference.certainty.shape == (0,)
    judgement = judge(0.0, 0.0, reference)
    assert (judgement.share_less_like, judgement.share_less_certain) == (1, 1)
    assert not judgement.is_known
    assert not judgement.is_strange
    assert not judgement.is_torn


def test_many_held_out_photos_are_subsampled_evenly() -> None:
    count = 2500
    z = np.stack([np.cos(np.arange(count)), np.sin(np.arange(count))], axis=1).astype(np.float32)
    logits = np.stack([np.linspace(0, 5, count), np.zeros(count)], axis=1).astype(np.float32)
    is_held_out = np.ones(count, bool)
    is_held_out[0] = False
    reference = doubt.compute_reference(z, logits, is_held_out)
    rows = np.arange(1, count, 3)  # the smallest step that gives at most a thousand
    np.testing.assert_allclose(reference.likeness, z[rows] @ z[0], atol=1e-6)
    np.testing.assert_allclose(reference.certainty, expit(np.linspace(0, 5, count)[rows]))


def make_reference(count: int) -> Reference:
    """Return `count` photos with the figures 1 / count, 2 / count, … 1."""
    values = np.arange(1, count + 1) / count
    return Reference(values, values[::-1].copy())


@pytest.mark.parametrize(
    ("figure", "share", "is_low"),
    [
        (0.005, 0.0, True),
        (0.04, 0.04, True),
        (0.049, 0.04, True),
        (0.05, 0.05, False),
        (1, 1, False),
    ],
)
def test_a_figure_is_low_if_fewer_than_one_in_twenty_are_as_low(
    figure: float, share: float, is_low: bool
) -> None:
    reference = make_reference(100)
    strange, torn = judge(figure, 1.0, reference), judge(1.0, figure, reference)
    assert strange.share_less_like == torn.share_less_certain == share
    assert (strange.is_strange, strange.is_torn) == (is_low, False)
    assert (torn.is_strange, torn.is_torn) == (False, is_low)
    assert strange.photos == 100


@pytest.mark.parametrize(("photos", "is_known"), [(19, False), (20, True)])
def test_no_photo_is_doubted_with_too_few_to_compare_with(photos: int, is_known: bool) -> None:
    judgement = judge(0.0, 0.0, make_reference(photos))
    assert judgement == Judgement(0.0, 0.0, 0.0, 0.0, photos)
    assert (judgement.is_known, judgement.is_strange, judgement.is_torn) == (is_known,) * 3


def test_each_figure_doubts_one_good_photo_in_twenty() -> None:
    random = np.random.default_rng(4)
    reference = Reference(*random.random((2, 1000)))
    judged = [judge(*figures, reference) for figures in random.random((4000, 2))]
    for is_low in ([j.is_strange for j in judged], [j.is_torn for j in judged]):
        assert np.mean(is_low) == pytest.approx(doubt.RARE, abs=0.015)
