import math

import numpy as np
import pytest

from explorer.analysis.part_finding import (
    are_within,
    compute_overlaps,
    find_peaks,
    mirror_parts,
)


def make_scores(heat: dict[tuple[int, int], float], size: tuple[int, int] = (8, 10)) -> np.ndarray:
    """Make the logits of a map with these shares of heat, and hardly any elsewhere."""
    scores = np.full(size, -50.0)
    for cell, share in heat.items():
        scores[cell] = math.log(share)
    return scores


def test_a_point_lies_in_the_middle_of_its_cell() -> None:
    (point,), (mass,) = find_peaks(make_scores({(2, 3): 1.0})[np.newaxis])
    np.testing.assert_allclose(point, (3.5 / 10, 2.5 / 8))
    assert mass == pytest.approx(1)


def test_heat_in_two_cells_puts_the_point_between_them() -> None:
    point, _ = find_peaks(make_scores({(2, 3): 0.75, (2, 4): 0.25}))
    np.testing.assert_allclose(point, ((3.5 * 0.75 + 4.5 * 0.25) / 10, 2.5 / 8))
    point, _ = find_peaks(make_scores({(2, 3): 0.5, (4, 3): 0.5}))
    np.testing.assert_allclose(point, (3.5 / 10, 3.5 / 8))


def test_a_second_peak_far_away_does_not_pull_but_lowers_the_mass() -> None:
    point, mass = find_peaks(make_scores({(0, 0): 0.6, (7, 9): 0.4}))
    np.testing.assert_allclose(point, (0.5 / 10, 0.5 / 8))
    assert mass == pytest.approx(0.6)


def test_scores_of_any_size_are_decoded_and_nan_is_refused() -> None:
    scores = make_scores({(1, 1): 1.0}) + 1e4
    points, mass = find_peaks(np.stack([[scores, scores]] * 3))
    assert points.shape == (3, 2, 2)
    assert mass.shape == (3, 2)
    np.testing.assert_allclose(points, np.broadcast_to((0.15, 1.5 / 8), points.shape))
    with pytest.raises(ValueError, match="finite"):
        find_peaks(np.full((2, 2), np.nan))


def test_left_and_right_change_places_in_a_mirror() -> None:
    names = ("beak", "left eye", "right eye", "right wing", "leftmost")
    assert mirror_parts(names).tolist() == [0, 2, 1, 3, 4]


def test_a_part_is_found_within_a_tenth_of_the_longer_side_of_the_box() -> None:
    # A box of 100 × 40 pixels in a photo of 200 × 100: up to 10 pixels in any direction.
    boxes, sizes = [[0.1, 0.1, 0.6, 0.5]], [[200, 100]]
    true = np.array([[[0.5, 0.5], [0.5, 0.5], [0.5, 0.5], [np.nan, np.nan]]])
    found = true + np.array([[[9.9 / 200, 0], [0, 10.1 / 100], [7 / 200, 7 / 100], [0, 0]]])
    found[0, 3] = 0.5
    assert are_within(found, true, boxes, sizes).tolist() == [[True, False, True, False]]


def test_overlaps_by_hand() -> None:
    box = (0.0, 0.0, 0.5, 0.5)
    others = [box, (0.25, 0.0, 0.75, 0.5), (0.5, 0.5, 1.0, 1.0), (0.1, 0.1, 0.1, 0.4)]
    overlaps = compute_overlaps([box] * 4, others)
    np.testing.assert_allclose(overlaps, [1, 1 / 3, 0, 0])
    assert compute_overlaps([(0.2, 0.2, 0.2, 0.2)], [(0.2, 0.2, 0.2, 0.2)]).tolist() == [0]
