import numpy as np
import pytest

from explorer.analysis.locality import PartHistogram
from explorer.measuring.found_parts import SeenPhoto, make_found_parts, summarise_agreement
from explorer.measuring.naming import DrawnPhoto
from explorer.nn.part_finder import FoundArrays, scale_found


def make_histogram(*rows: tuple[float, ...]) -> PartHistogram:
    values = np.array(rows)
    return PartHistogram(values, 1 - values.sum(axis=1), values.any(axis=1))


def see(true: PartHistogram, found: PartHistogram) -> SeenPhoto:
    areas = np.full(true.values.shape[1], 0.5)
    return SeenPhoto(DrawnPhoto(true, areas, 0.5), DrawnPhoto(found, areas, 0.5))


def test_equal_histograms_agree_fully() -> None:
    histogram = make_histogram((0.6, 0.2, 0.1), (0.1, 0.1, 0.8))
    agreement = summarise_agreement([[see(histogram, histogram)]], [True, False])
    assert agreement is not None
    assert (agreement.photos, agreement.x_features) == (1, 2)
    assert agreement.overlap == pytest.approx(1)
    assert agreement.correlation == pytest.approx(1)
    assert agreement.locality_difference == 0
    assert agreement.same_names == 0.5


def test_agreement_by_hand() -> None:
    true = make_histogram((1.0, 0.0), (0.0, 0.0))
    found = make_histogram((0.5, 0.25), (0.0, 0.0))
    agreement = summarise_agreement([[see(true, found)]])
    assert agreement is not None
    assert agreement.x_features == 1  # the map without heat does not count
    assert agreement.overlap == pytest.approx(0.5)
    # Locality 0 against that of (2/3, 1/3).
    assert agreement.locality_difference == pytest.approx(
        -(2 / 3) * np.log(2 / 3) - (1 / 3) * np.log(1 / 3)
    )


def test_without_heat_there_is_nothing_to_compare() -> None:
    empty = make_histogram((0.0, 0.0))
    assert summarise_agreement([[see(empty, empty)]]) is None
    assert summarise_agreement([]) is None


def test_heat_outside_of_the_found_box_has_no_locality_to_compare() -> None:
    true, found = make_histogram((0.5, 0.5)), make_histogram((0.0, 0.0))
    agreement = summarise_agreement([[see(true, found)]])
    assert agreement is not None
    assert (agreement.x_features, agreement.locality_difference) == (0, None)
    assert agreement.correlation is None
    assert agreement.same_names is None


def test_found_parts_are_scaled_to_the_photo_and_measured_like_true_ones() -> None:
    arrays = FoundArrays(
        points=np.array([[(0.25, 0.5), (0.75, 0.5)]]),
        visibility=np.array([[0.9, 0.4]]),
        mass=np.array([[0.5, 1.0]]),
        boxes=np.array([(0.0, 0.0, 0.5, 1.0)]),
    )
    found = scale_found(arrays, (10, 20))
    assert found.box == (0, 0, 10, 10)
    assert found.points[0].tolist() == [5, 5]
    assert found.visible.tolist() == [True, False]
    np.testing.assert_allclose(found.confidence, [0.45, 0.4])
    parts = make_found_parts(np.zeros((10, 20, 3), np.uint8), found)
    histogram = parts.measure(np.ones((1, 10, 20), np.float32))
    np.testing.assert_allclose(histogram.values, [[0.5, 0]])
