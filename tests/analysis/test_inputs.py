"""Inputs of any type are computed in float64, and shares do not depend on units."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from explorer.analysis.activation import (
    compute_activation_spread,
    draw_order,
)
from explorer.analysis.agreement import (
    compute_correlations,
    compute_mean_squared_cosine,
    compute_one_against_all_accuracy,
    compute_overlaps,
    compute_rank_agreement,
    match_x_features,
)
from explorer.analysis.calibration import compute_softmax
from explorer.analysis.concepts import (
    compute_effective_number,
    compute_pair_overlaps,
    compute_top_share,
    compute_weighted_locality,
)
from explorer.analysis.curves import FRACTIONS, compute_curve_areas, scale_curves
from explorer.analysis.doubt import compute_likeness
from explorer.analysis.estimates import compute_estimate
from explorer.analysis.faithfulness import (
    compute_contribution_shares,
    compute_contributions,
    compute_f_reg,
    compute_faithfulness,
    compute_live_mask,
)
from explorer.analysis.locality import (
    compute_locality,
    compute_mean_histogram,
    compute_part_histogram,
)
from explorer.analysis.marks import (
    compute_fall_shares,
    compute_mark_agreement,
    compute_own_shares,
    compute_pointer_share,
)
from explorer.analysis.pairing import pair_x_features
from explorer.analysis.parts import compute_importance
from explorer.analysis.pointing import compute_pointing
from explorer.analysis.rebuilding import compute_rebuilding

Array = NDArray[Any]


def draw(*shapes: tuple[int, ...]) -> list[Array]:
    """Draw positive numbers that float32 represents exactly, but not their sums."""
    rng = np.random.default_rng(4)
    return [(1000 * rng.random(shape) + 0.1).astype(np.float32) for shape in shapes]


LABELS = np.arange(12).reshape(4, 3) % 3
CASES: dict[str, tuple[Callable[..., Any], list[Array]]] = {
    "rank agreement": (compute_rank_agreement, draw((40,), (40,))),
    "one against all": (
        lambda score, rivals: compute_one_against_all_accuracy(score, rivals, [1, 0] * 20),
        draw((40,), (40, 3)),
    ),
    "cosine": (compute_mean_squared_cosine, draw((40, 3))),
    "correlations": (compute_correlations, draw((40, 3), (40, 2))),
    "matching": (lambda table: match_x_features(table).mean, draw((3, 4))),
    "overlaps": (compute_overlaps, draw((3, 2, 4, 3), (3, 5, 4, 3))),
    "effective number": (compute_effective_number, draw((20, 5))),
    "top share": (compute_top_share, draw((20, 5))),
    "pair overlaps": (
        lambda *arrays: compute_pair_overlaps(*arrays).values,
        draw((3, 4, 3), (3,)),
    ),
    "weighted locality": (
        lambda *arrays: compute_weighted_locality(arrays[0], [True] * 5, arrays[1]),
        draw((5,), (20, 5)),
    ),
    "curve areas": (compute_curve_areas, draw((2, len(FRACTIONS)))),
    "scaled curves": (scale_curves, [-np.sort(-a) for a in draw(*[(len(FRACTIONS),)] * 2)]),
    "spread": (
        lambda values: compute_activation_spread(values, [1, 0] * 10).edges,
        draw((20,)),
    ),
    "shares": (compute_contribution_shares, draw((20, 5))),
    "order": (lambda values: draw_order(values, 0, descending=True), draw((20,))),
    "F_reg": (compute_f_reg, draw((40,), (40,))),
    "faithfulness": (compute_faithfulness, draw((40,), (40,))),
    "contributions": (compute_contributions, draw((20, 5), (5,))),
    "live": (compute_live_mask, draw((20, 5))),
    "histogram": (
        lambda maps: compute_part_histogram(maps, LABELS, 3).values,
        draw((5, 4, 3)),
    ),
    "locality": (lambda values: compute_locality(values)[0], draw((5, 4))),
    "mean histogram": (
        lambda values: compute_mean_histogram(np.divide(values, 2048), [[1, 0, 1]] * 5).values,
        draw((5, 3, 4)),
    ),
    "likeness": (compute_likeness, draw((4, 30), (6, 30))),
    "softmax": (lambda logits: compute_softmax(np.divide(logits, 512)), draw((4, 6))),
    "estimate": (compute_estimate, draw((12,))),
    "importance": (compute_importance, draw((5, 3), (5,))),
    "fall shares": (compute_fall_shares, draw((5, 3))),
    "pointer": (compute_pointer_share, draw((5, 3), (5, 3))),
    "mark agreement": (compute_mark_agreement, draw((5, 3), (5, 3))),
    "own shares": (compute_own_shares, draw((5, 3))),
    "pointing": (lambda maps: compute_pointing(maps, LABELS), draw((5, 4, 3))),
    "pairs": (pair_x_features, draw((40, 3), (40, 4), (20, 3))),
    "rebuilding": (
        lambda *arrays: (compute_rebuilding(*arrays).r2, compute_rebuilding(*arrays).rank(9)),
        draw((20, 6), (20, 6), (20, 6)),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_single_precision_inputs_are_computed_in_double(name: str) -> None:
    compute, arrays = CASES[name]
    exact = compute(*(array.astype(np.float64) for array in arrays))
    np.testing.assert_equal(compute(*arrays), exact)


@pytest.mark.parametrize("name", CASES)
def test_lists_give_the_same_result_as_arrays(name: str) -> None:
    compute, arrays = CASES[name]
    exact = compute(*(array.astype(np.float64) for array in arrays))
    np.testing.assert_equal(compute(*(array.tolist() for array in arrays)), exact)


@pytest.mark.parametrize("name", CASES)
def test_bytes_do_not_overflow(name: str) -> None:
    compute, arrays = CASES[name]
    small = [(array / 4).astype(np.uint8) for array in arrays]
    exact = compute(*(array.astype(np.float64) for array in small))
    np.testing.assert_equal(compute(*small), exact)


@pytest.mark.parametrize(
    "name",
    [
        "shares",
        "effective number",
        "top share",
        "pair overlaps",
        "cosine",
        "correlations",
        "overlaps",
        "fall shares",
        "pointer",
        "mark agreement",
        "own shares",
        "rank agreement",
        "pointing",
    ],
)
@pytest.mark.parametrize("unit", [2.0**-20, 2.0**20])
def test_results_do_not_depend_on_units(name: str, unit: float) -> None:
    compute, arrays = CASES[name]
    exact = compute(*arrays)
    found = compute(*(unit * array.astype(np.float64) for array in arrays))
    np.testing.assert_allclose(found, exact, rtol=1e-12, atol=1e-15)
