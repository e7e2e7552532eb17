import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from explorer.analysis.locality import (
    compute_locality,
    compute_locality_summary,
    compute_mean_histogram,
    compute_part_histogram,
)

LABELS = np.array([[0, 0, 1], [2, -1, -1]])
maps_strategy = arrays(np.float64, (3, 2, 3), elements=st.floats(0, 1e6, allow_subnormal=False))


def test_histogram_by_hand():
    histogram = compute_part_histogram([[[1, 2, 3], [0, 3, 1]]], LABELS, 4)

    # Ten in all: three in part 0, three in part 1, four outside the box.
    assert_allclose(histogram.values, [[0.3, 0.3, 0.0, 0.0]], atol=1e-15)
    assert_allclose(histogram.outside, [0.4])
    assert_array_equal(histogram.is_live, [True])
    assert histogram.values.dtype == np.float64


def test_a_zero_map_is_dead_and_stays_zero():
    histogram = compute_part_histogram(np.zeros((2, 2, 3)), LABELS, 3)

    assert_array_equal(histogram.values, np.zeros((2, 3)))
    assert_array_equal(histogram.outside, [0, 0])
    assert_array_equal(histogram.is_live, [False, False])


def test_the_map_of_a_photo_without_parts_is_live_and_all_outside():
    histogram = compute_part_histogram(np.ones((1, 2, 3)), np.full((2, 3), -1), 3)

    assert_array_equal(histogram.values, [[0, 0, 0]])
    assert_array_equal(histogram.outside, [1])
    assert_array_equal(histogram.is_live, [True])


@given(maps_strategy)
def test_parts_and_outside_sum_to_one_and_agree_with_masks(maps):
    histogram = compute_part_histogram(maps, LABELS, 3)

    assert_allclose(histogram.values.sum(axis=1) + histogram.outside, histogram.is_live)
    for index in np.flatnonzero(histogram.is_live):
        slow = [maps[index][part == LABELS].sum() / maps[index].sum() for part in range(3)]
        assert_allclose(histogram.values[index], slow, atol=1e-12)


@given(maps_strategy, st.sampled_from([1e-320, 1e-30, 3.0, 1e300]))
def test_histogram_does_not_depend_on_scale(maps, factor):
    maps = np.round(maps)
    scaled = compute_part_histogram(maps * factor, LABELS, 3)

    # Subnormal numbers have few digits, but the shares must still be accurate.
    tolerance = 1e-3 if factor < 1e-300 else 1e-12
    assert_allclose(scaled.values, compute_part_histogram(maps, LABELS, 3).values, atol=tolerance)


@given(maps_strategy, st.permutations(range(3)))
def test_permuting_parts_permutes_the_histogram(maps, order):
    histogram = compute_part_histogram(maps, LABELS, 3)
    renamed = compute_part_histogram(maps, np.append(order, -1)[LABELS], 3)

    assert_allclose(renamed.values[:, order], histogram.values)
    assert_allclose(renamed.outside, histogram.outside)


@pytest.mark.parametrize(
    ("maps", "labels", "message"),
    [
        (np.ones((2, 3)), LABELS, "K, h, w"),
        (np.ones((1, 3, 2)), LABELS, "K, h, w"),
        (np.ones((1, 0, 3)), np.empty((0, 3), dtype=int), "K, h, w"),
        (-np.ones((1, 2, 3)), LABELS, "non-negative"),
        (np.full((1, 2, 3), np.nan), LABELS, "finite"),
        (np.full((1, 2, 3), np.inf), LABELS, "finite"),
        (np.ones((1, 2, 3)), LABELS + 1, "labels"),
        (np.ones((1, 2, 3)), LABELS - 1, "labels"),
    ],
)
def test_histogram_refuses_invalid_arguments(maps, labels, message):
    with pytest.raises(ValueError, match=message):
        compute_part_histogram(maps, labels, 3)


def test_mean_histogram_by_hand_leaves_dead_photos_out():
    histograms = [
        [[0.2, 0.2], [0.0, 0.0]],
        [[0.6, 0.0], [0.0, 0.0]],
        [[0.0, 0.0], [0.0, 0.0]],
    ]
    mean = compute_mean_histogram(histograms, [[True, False], [True, False], [False, True]])

    # Feature 0: (0.4, 0.1) on average, half of the mass outside.
    assert_allclose(mean.values, [[0.8, 0.2], [0.0, 0.0]])
    assert_array_equal(mean.photo_counts, [2, 1])
    assert_array_equal(mean.left_out, [1, 2])
    assert_array_equal(mean.is_defined, [True, False])
    # Feature 1 has a live map, all of it outside.
    assert_allclose(mean.outside, [0.5, 1.0])


def test_mean_histogram_of_one_photo_is_its_own():
    mean = compute_mean_histogram([[[0.25, 0.5]]], [[True]])

    assert_allclose(mean.values, [[1 / 3, 2 / 3]])
    assert_allclose(mean.outside, [0.25])


def test_mean_is_taken_before_normalising():
    # A photo with little mass in the parts must weigh less than one with all of it there.
    mean = compute_mean_histogram([[[1.0, 0.0]], [[0.0, 0.25]]], [[True], [True]])

    assert_allclose(mean.values, [[0.8, 0.2]])


def test_mean_histogram_of_no_photos_is_undefined():
    summary = compute_locality_summary(np.empty((0, 2, 15)), np.empty((0, 2)))

    assert_array_equal(summary.is_defined, [False, False])
    assert_array_equal(summary.photo_counts, [0, 0])
    assert_array_equal(summary.left_out, [0, 0])
    assert_array_equal(summary.outside, [0, 0])


@pytest.mark.parametrize(
    ("histograms", "is_live", "message"),
    [
        (np.zeros((2, 3)), np.zeros((2, 3)), "shapes"),
        (np.zeros((2, 3, 4)), np.zeros((2, 4)), "shapes"),
        (np.zeros((2, 3, 4)), np.zeros((2, 1)), "shapes"),
        (np.full((1, 1, 2), 1.5), [[True]], r"\[0, 1\]"),
        (np.full((1, 1, 2), -0.1), [[True]], r"\[0, 1\]"),
        (np.full((1, 1, 2), np.nan), [[True]], r"\[0, 1\]"),
    ],
)
def test_mean_histogram_refuses_invalid_arguments(histograms, is_live, message):
    with pytest.raises(ValueError, match=message):
        compute_mean_histogram(histograms, is_live)


def test_locality_by_hand():
    locality, is_defined = compute_locality(
        [[1, 0, 0, 0], [0.25] * 4, [0.5, 0.5, 0, 0], [0.5, 0.25, 0.25, 0], [3, 1, 0, 0]]
    )

    quarter = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert_allclose(locality, [0, math.log(4), math.log(2), 1.5 * math.log(2), quarter], atol=1e-15)
    assert is_defined.all()


def test_locality_of_a_single_part_is_zero():
    locality, is_defined = compute_locality([[2.0], [0.0]])

    assert_array_equal(locality, [0, 0])
    assert_array_equal(is_defined, [True, False])


def test_extreme_numbers_stay_in_range():
    locality, is_defined = compute_locality([[1e308] * 3, [5e-324] * 3])

    assert_allclose(locality, np.log([3, 3]))
    assert is_defined.all()


def test_fifteen_equal_parts_have_the_highest_locality():
    locality, _ = compute_locality(np.full((1, 15), 1 / 15))

    assert locality[0] == pytest.approx(2.70805, abs=1e-5)
    assert locality[0] <= np.log(15)


def test_a_row_without_mass_is_masked():
    locality, is_defined = compute_locality([[0, 0], [1e-320, 0]])

    assert_array_equal(is_defined, [False, True])
    assert_allclose(locality, [math.log(2), 0])


@given(arrays(np.float64, (4, 5), elements=st.floats(0, 1e300)), st.permutations(range(5)))
def test_locality_is_bounded_and_ignores_the_order_of_parts(histogram, order):
    locality, is_defined = compute_locality(histogram)

    assert np.isfinite(locality).all()
    assert ((locality >= 0) & (locality <= np.log(5))).all()
    assert_array_equal(is_defined, histogram.any(axis=1))
    assert_allclose(compute_locality(histogram[:, order])[0], locality, atol=1e-12)


@pytest.mark.parametrize(
    "histogram", [np.ones(3), np.ones((2, 0)), [[-1, 2]], [[np.nan, 1]], [[np.inf, 1]]]
)
def test_locality_refuses_invalid_histograms(histogram):
    with pytest.raises(ValueError, match="histogram must"):
        compute_locality(histogram)


def test_summary_has_all_figures():
    histograms = [[[1, 0], [0, 0]], [[0, 1], [0, 0]], [[0, 0], [0, 0]]]
    summary = compute_locality_summary(histograms, [[True, False], [True, False], [False, False]])

    assert_allclose(summary.histogram, [[0.5, 0.5], [0, 0]])
    assert_allclose(summary.locality, [math.log(2), math.log(2)])
    assert_array_equal(summary.is_defined, [True, False])
    assert_array_equal(summary.left_out, [1, 3])
    for field in dataclasses.fields(summary):
        assert np.isfinite(getattr(summary, field.name)).all()
