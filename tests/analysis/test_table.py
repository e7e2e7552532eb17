from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pytest

from explorer.analysis.estimates import compute_estimate
from explorer.analysis.table import (
    Column,
    Row,
    Section,
    average_seeds,
    format_markdown,
    format_tables,
    list_rows,
    summarise,
)
from explorer.evaluation.sections import SECTIONS


def make_record(**changes: Any) -> dict[str, Any]:
    measures = {"f_reg_train": 0.5, "f_reg_test": 1.5, "r2_test": None, "live_x_features": 2}
    record = {
        "method": "srae",
        "category": "a",
        "seed": 0,
        "measures": measures | {"locality": 1.5, "outside": 0.2, "gap_own": 0.25},
    }
    return record | changes


def test_records_give_one_row_per_defined_number() -> None:
    values = {row.measure: row.value for row in list_rows([make_record()])}
    assert values == {
        "f_reg_train": 0.5,
        "f_reg_test": 1.5,
        "live_x_features": 2,
        "locality": 1.5,
        "outside": 0.2,
        "gap_own": 0.25,
    }


def test_a_row_names_method_category_seed_and_measure() -> None:
    record = make_record(category="b", seed=3, measures={"locality": 1.23456789})
    assert list_rows([record]) == [Row("srae", "b", 3, "locality", 1.23457)]


def test_seeds_are_averaged_before_categories() -> None:
    rows = [
        Row("srae", "a", 0, "locality", 1.0),
        Row("srae", "a", 1, "locality", 2.0),
        Row("srae", "b", 0, "locality", 4.5),
    ]
    estimate = summarise(average_seeds(rows))["srae", "locality"]
    assert estimate.mean == pytest.approx((1.5 + 4.5) / 2)
    assert estimate.count == 2


def test_interval_of_a_bootstrap() -> None:
    assert compute_estimate([]) is None
    same = compute_estimate([2.0, 2.0, 2.0])
    assert same is not None
    assert (same.low, same.mean, same.high) == (2, 2, 2)
    # The 2.5th and the 97.5th percentile of means of twelve: nearly normal.
    wide = compute_estimate(range(12))
    assert wide is not None
    half = 1.96 * np.std(range(12)) / 12**0.5
    assert wide.low == pytest.approx(5.5 - half, abs=0.04)
    assert wide.high == pytest.approx(5.5 + half, abs=0.04)
    assert compute_estimate(range(12)) == compute_estimate(range(12), seed=0) == wide
    assert compute_estimate(range(12), seed=1) != wide
    # Two values: a quarter of the resamples is all-low, a quarter all-high.
    two = compute_estimate([0.0, 1.0])
    assert two is not None
    assert (two.low, two.mean, two.high) == (0, 0.5, 1)


def test_table_shows_the_papers_figures_next_to_the_measured_ones() -> None:
    z = {"locality": 1.5, "outside": 0.2, "live_x_features": 2}
    rows = list_rows([make_record(), make_record(method="z", measures=z)])
    titles = {"srae": "SRAE", "nn": "NN", "z": "Z"}
    tables = format_tables(
        summarise(average_seeds(rows)), titles, {("srae", "locality"): 1.9694}, SECTIONS
    )
    captions = [table.section.caption for table in tables]
    lines = [line for line in format_markdown(tables).splitlines() if line not in captions]
    assert lines == [
        "**Faithfulness and locality**",
        "",
        "| method | F_reg train ↓ | F_reg test ↓ | locality ↓ | locality, paper "
        "| outside box ↓ | live |",
        "|:--|--:|--:|--:|--:|--:|--:|",
        "| SRAE | 0.500 | 1.500 | **1.500** | 1.9694 | **20%** | 2.0 |",
        "| Z | – | – | **1.500** | – | **20%** | 2.0 |",
        "",
        "",
        "**Maps against scores, and over seeds**",
        "",
        "| method | gap, own ↑ |",
        "|:--|--:|",
        "| SRAE | 0.250 |",
        "",
    ]


def test_locality_has_an_interval_if_there_are_several_categories() -> None:
    measured = {"a": {"locality": 1.0, "outside": 0.2}, "b": {"locality": 2.0, "outside": 0.4}}
    rows = list_rows([make_record(category=c, measures=m) for c, m in measured.items()])
    (table,) = format_tables(
        summarise(average_seeds(rows)), {"srae": "SRAE"}, {("srae", "locality"): 1.9694}, SECTIONS
    )
    assert table.text.splitlines()[-1] == "| SRAE | 1.500 (1.000–2.000) | 1.9694 | 30% |"


def make_rows(measure: str, values: dict[str, Sequence[float]]) -> list[Row]:
    return [
        Row(method, str(category), 0, measure, value)
        for method, own in values.items()
        for category, value in enumerate(own)
    ]


@pytest.mark.parametrize(("better", "best"), [("low", "ab"), ("high", "c"), ("", "")])
def test_the_best_are_those_whose_interval_reaches_the_best_mean(
    better: Literal["", "low", "high"], best: str
) -> None:
    # b is worse on average, but might be as good; c is surely not.
    values = {"a": (1.0, 1.2, 1.1), "b": (0.5, 1.5, 2.5), "c": (3.0, 3.1, 2.9), "d": ()}
    sections = [Section("one", (Column("m", "m", better=better),), "")]
    titles = {name: name for name in values}
    (table,) = format_tables(summarise(average_seeds(make_rows("m", values))), titles, {}, sections)
    assert "".join(line.title for line in table.lines) == "abc"
    assert "".join(line.title for line in table.lines if line.cells[0].is_best) == best


def test_what_is_written_like_the_best_is_bold_as_well() -> None:
    # All are certain to the last digit, but only "a" and "b" look alike.
    values = {"a": (0.9991,) * 3, "b": (0.9994,) * 3, "c": (0.9984,) * 3}
    sections = [Section("one", (Column("m", "m", better="high"),), "")]
    titles = {name: name for name in values}
    (table,) = format_tables(summarise(average_seeds(make_rows("m", values))), titles, {}, sections)
    told = [(line.cells[0].text, line.cells[0].is_best) for line in table.lines]
    assert told == [("0.999", True), ("0.999", True), ("0.998", False)]


def test_a_method_alone_is_not_the_best() -> None:
    sections = [Section("one", (Column("m", "m", better="low"),), "")]
    (table,) = format_tables(
        summarise(average_seeds(make_rows("m", {"a": (1.0, 2.0)}))), {"a": "a"}, {}, sections
    )
    assert not table.lines[0].cells[0].is_best
