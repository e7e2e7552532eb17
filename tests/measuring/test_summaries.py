import json
import math
from dataclasses import asdict

import numpy as np
import pytest

from explorer.analysis.concepts import compute_pair_overlaps
from explorer.analysis.locality import PartHistogram
from explorer.measuring.records import FiringMeasures, LocalityMeasures, SideMeasures
from explorer.measuring.summaries import (
    measure_concepts,
    measure_firing,
    measure_locality,
    measure_side,
)
from explorer.storage.json_records import convert_record, parse_json


def test_faithfulness_by_hand() -> None:
    y_bar, y_hat = np.array([1.0, 2.0, 3.0, 8.0]), np.array([2.0, 2.0, 0.0, 10.0])
    contributions = np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 2.0], [9.0, -1.0]])
    is_positive = np.array([False, True, False, True])
    found = measure_side(y_bar, y_hat, contributions, is_positive)
    assert found.faithfulness.f_reg == pytest.approx((1 + 0 + 3 + 2) / 4)
    assert found.faithfulness.y_hat_range == 10
    assert found.faithfulness.relative_f_reg == pytest.approx(0.15)
    # Mean of ŷ is 3.5: 1 - (1 + 0 + 9 + 4) / (1.5² + 1.5² + 3.5² + 6.5²).
    assert found.faithfulness.r2 == pytest.approx(1 - 14 / 59)
    assert found.faithfulness.count == 4
    assert found.positives.f_reg == pytest.approx((0 + 2) / 2)
    assert found.positives.y_hat_range == 8
    assert found.positives.count == 2
    assert found.mean_contribution == (4.5, 0.5)


def test_one_positive_has_no_range_and_no_nan() -> None:
    scores = np.array([1.0, 5.0], dtype=np.float32)
    found = measure_side(scores, scores, np.ones((2, 3)), np.array([True, False]))
    assert found.positives.relative_f_reg is None
    assert found.positives.r2 is None
    text = json.dumps(asdict(found), allow_nan=False)
    assert convert_record(parse_json(text), SideMeasures) == found


def test_no_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one photo"):
        measure_side(np.ones(2), np.ones(2), np.ones((2, 3)), np.zeros(2, bool))


def test_firing_by_hand() -> None:
    activations = np.array([[0.0, 3.0], [0.0, 1.0], [2.0, 3.0], [5.0, 0.5], [0.0, 4.0], [1.0, 9.0]])
    is_positive = np.array([True, False, True, True, False, False])
    found = measure_firing(activations, is_positive, [70, 30, 50, 20, 60, 10])
    # Of nine pairs, (0, 0) twice counts half, (0, 1) is lost, and both 2 and 5 win all three.
    assert found[0] == FiringMeasures(pytest.approx(7 / 9), (20, 50, 10))
    # 3 beats 1 alone, twice, and 0.5 nothing; of equal ones, the first comes first.
    assert found[1] == FiringMeasures(pytest.approx(2 / 9), (10, 60, 70, 50))


def test_an_x_feature_that_never_fires_has_no_strongest_photo() -> None:
    (found,) = measure_firing(np.zeros((3, 1)), np.array([True, False, False]), [1, 2, 3])
    assert found == FiringMeasures(0.5, ())
    (alone,) = measure_firing(np.ones((1, 1)), np.array([True]), [8])
    assert alone == FiringMeasures(None, (8,))


def make_photos() -> list[PartHistogram]:
    histograms = np.zeros((3, 2, 4))
    histograms[0, 0] = [1, 0, 0, 0]
    histograms[1, 0] = [0, 1, 0, 0]
    histograms[2, 0] = [0.5, 0.5, 0, 0]
    histograms[:, 1] = [0, 0, 0.25, 0.25]
    is_live = np.array([[True, True], [True, True], [True, False]])
    return [
        PartHistogram(values, 1 - values.sum(axis=1), live)
        for values, live in zip(histograms, is_live, strict=True)
    ]


BOTH = np.array([True, True])


def test_locality_by_hand() -> None:
    photos = make_photos()
    found = measure_locality(photos, BOTH)
    assert found.locality == pytest.approx([math.log(2), math.log(2)])
    assert found.mean_locality == pytest.approx(math.log(2))
    assert found.photo_counts == (3, 2)
    assert found.left_out == (0, 1)
    assert found.outside == pytest.approx([0, 0.5])
    assert measure_locality(photos[:2], BOTH).histogram[0] == pytest.approx([0.5, 0.5, 0, 0])
    assert convert_record(parse_json(json.dumps(asdict(found))), LocalityMeasures) == found


def test_a_dead_x_feature_does_not_count() -> None:
    photo = make_photos()[:1]
    both = measure_locality(photo, BOTH)
    assert both.locality == pytest.approx([0, math.log(2)])
    assert both.mean_locality == pytest.approx(math.log(2) / 2)
    one = measure_locality(photo, np.array([True, False]))
    assert one.mean_locality == pytest.approx(0)
    assert one.locality == both.locality


def test_maps_that_are_all_zero_have_no_locality() -> None:
    empty = PartHistogram(np.zeros((1, 4)), np.zeros(1), np.zeros(1, bool))
    found = measure_locality([empty, empty], np.array([True]))
    assert found.mean_locality is None
    assert found.is_defined == (False,)
    assert found.left_out == (2,)
    json.dumps(asdict(found), allow_nan=False)


def make_locality(heights: list[float]) -> LocalityMeasures:
    count = len(heights)
    return LocalityMeasures(
        histogram=((1.0, 0.0),) * count,
        locality=tuple(heights),
        is_defined=(True,) * count,
        photo_counts=(1,) * count,
        left_out=(0,) * count,
        outside=(0.0,) * count,
        mean_locality=None,
    )


def test_concepts_by_hand_count_what_is_left_out() -> None:
    maps = np.zeros((3, 3, 1, 2))
    maps[0] = [[[1, 0]], [[1, 0]], [[0, 0]]]
    maps[1] = [[[1, 0]], [[0, 1]], [[1, 1]]]
    contributions = np.array([[1.0, 1.0, 2.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    pairs = [compute_pair_overlaps(*one) for one in zip(maps, contributions, strict=True)]
    found = measure_concepts(contributions, pairs, make_locality([0.0, 1.0, 2.0]))
    assert found.effective_number == pytest.approx((math.exp(1.5 * math.log(2)) + 2) / 2)
    assert found.top_share == pytest.approx(0.5)
    assert found.overlap == pytest.approx((1 + 0) / 2)
    assert found.weighted_locality == pytest.approx((2 * 0 + 2 * 1 + 2 * 2) / 6)
    assert (found.silent_photos, found.pairs, found.zero_maps) == (1, 2, 1)


def test_nothing_that_contributes_gives_no_number() -> None:
    found = measure_concepts(np.zeros((2, 3)), [], make_locality([1.0] * 3))
    numbers = (found.effective_number, found.top_share, found.overlap, found.weighted_locality)
    assert numbers == (None,) * 4
    assert found.silent_photos == 2
