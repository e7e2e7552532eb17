from typing import Any

import pytest

from explorer.analysis.table import (
    Row,
    compute_estimate,
    format_markdown,
    list_rows,
    summarise,
)


def make_record(**changes: Any) -> dict[str, Any]:
    faithfulness = {"f_reg": 0.5, "r2": None}
    record = {
        "method": "srae",
        "category": "a",
        "seed": 0,
        "faithfulness": {"train": faithfulness, "test": {**faithfulness, "f_reg": 1.5}},
        "live": [True, True, False],
        "locality": [1.0, 2.0, None],
        "outside": [0.1, 0.3, None],
    }
    return record | changes


def test_records_become_one_row_a_number_and_undefined_ones_none() -> None:
    values = {row.measure: row.value for row in list_rows([make_record()])}
    assert values == {
        "f_reg_train": 0.5,
        "f_reg_test": 1.5,
        "live_x_features": 2,
        "locality": 1.5,
        "outside": pytest.approx(0.2),
    }


def test_a_method_without_a_module_has_no_faithfulness() -> None:
    rows = list_rows([make_record(method="z", faithfulness=None, telling_share=[0.5, 0.7, None])])
    assert {row.measure for row in rows} == {
        "live_x_features",
        "locality",
        "outside",
        "telling_share",
    }


def test_seeds_are_averaged_before_categories() -> None:
    rows = [
        Row("srae", "a", 0, "locality", 1.0),
        Row("srae", "a", 1, "locality", 2.0),
        Row("srae", "b", 0, "locality", 4.5),
    ]
    estimate = summarise(rows)["srae", "locality"]
    assert estimate.mean == pytest.approx((1.5 + 4.5) / 2)
    assert estimate.count == 2


def test_interval_of_a_bootstrap() -> None:
    assert compute_estimate([]) is None
    same = compute_estimate([2.0, 2.0, 2.0])
    assert same is not None
    assert (same.low, same.mean, same.high) == (2, 2, 2)
    # Two values: a quarter of the resamples is all-low, a quarter all-high.
    two = compute_estimate([0.0, 1.0])
    assert two is not None
    assert (two.low, two.mean, two.high) == (0, 0.5, 1)


def test_table_sets_the_paper_beside_what_was_measured() -> None:
    rows = list_rows([make_record(), make_record(method="z", faithfulness=None)])
    titles = {"srae": "SRAE", "nn": "NN", "z": "Z"}
    table = format_markdown(rows, titles, {("srae", "locality"): 1.9694})
    head, _, srae, z = table.splitlines()
    assert head == "| method | F_reg train | F_reg test | locality | outside box | live |"
    assert srae == "| SRAE | 0.500 | 1.500 | 1.500 [1.9694] | 20% | 2.0 |"
    assert z == "| Z | – | – | 1.500 | 20% | 2.0 |"
