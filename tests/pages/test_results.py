import html
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import streamlit as st
from app_pages import read_texts
from steps import run_steps
from streamlit.testing.v1 import AppTest

from explorer.analysis import trust
from explorer.analysis.curves import FRACTIONS, WAYS, name_point
from explorer.analysis.table import Cell
from explorer.config import ASSETS_DIR, REPOSITORY_ROOT
from explorer.evaluation.compare import compare_methods
from explorer.evaluation.results import Results, load_results, write_results
from explorer.evaluation.settings import EvaluationSettings
from explorer.measuring.references import load_or_compute_references
from explorer.methods.registry import METHODS, get_methods
from explorer.ui.results.comparison_table import make_columns
from explorer.workspace.layout import REFERENCES_FILE
from explorer.workspace.workspace import Workspace

OpenApp = Callable[..., AppTest]


@pytest.fixture
def compared(own_workspace: Path) -> Path:
    settings = EvaluationSettings(
        methods=get_methods("pca,excitation-bp"), categories=3, stop="pool3"
    )
    records = run_steps(compare_methods(Workspace(own_workspace), settings))
    write_results(own_workspace, records)
    return own_workspace


def open_results(open_app: OpenApp, workspace: Path, **params: str) -> AppTest:
    return open_app(workspace, "results", **params)


def test_without_a_comparison_it_says_how_to_make_one(
    open_app: OpenApp, tiny_workspace: Path
) -> None:
    app = open_results(open_app, tiny_workspace)
    assert "have not been compared" in read_texts(app)
    assert "--methods all" in app.code[0].value
    assert not app.exception


def test_page_and_file_show_the_same_numbers(open_app: OpenApp, compared: Path) -> None:
    app = open_results(open_app, compared)
    assert not app.exception
    assert not app.error
    tables = load_results(compared).tables  # type: ignore[union-attr]
    assert sum(len(table.lines) for table in tables) > 4
    for table in tables:
        get_segments(app, "table").set_value(table.section.title).run()
        assert not app.exception
        assert read_table(app) == [
            ["method", *table.headings],
            *([line.title, *map(join_cell, line.cells)] for line in table.lines),
        ]
    assert [box.value for box in app.selectbox if box.label == "Measure"] == ["locality"]
    category = next(box for box in app.selectbox if box.key == "result_category")
    assert len(category.options) == 3
    category.select(category.options[1]).run()
    assert not app.exception
    labels = re.findall("aria-label='([^']*)'", "".join(b.proto.body for b in app.get("html")))
    assert f"{tables[0].section.title}, {category.value}" in labels
    assert len(set(labels)) == len(labels)


def test_a_table_can_be_downloaded_as_it_is_shown(compared: Path) -> None:
    (table, *_) = load_results(compared).tables  # type: ignore[union-attr]
    columns = make_columns(table)
    assert columns["method"] == [line.title for line in table.lines]
    for place, heading in enumerate(table.headings):
        cells = [line.cells[place] for line in table.lines]
        intervals = columns.get(f"{heading}, 95% CI", [""] * len(cells))
        told = list(zip(columns[heading], intervals, strict=True))
        assert told == [(cell.text, cell.interval) for cell in cells]
    assert any(heading.endswith(", 95% CI") for heading in columns)


def join_cell(cell: Cell) -> str:
    return cell.text + cell.interval


def read_table(app: AppTest) -> list[list[str]]:
    """Return the texts of the cells of the comparison, without tags."""
    # Below it stand the tables of a single category.
    body = next(block.proto.body for block in app.get("html") if "<table>" in block.proto.body)
    lines = body.replace("</thead>", "").split("</tr>")[:-1]
    cells = [re.split("</t[hd]>", line)[:-1] for line in lines]
    return [[html.unescape(re.sub("<[^>]*>", "", cell)) for cell in line] for line in cells]


def test_methods_can_be_ordered_by_a_column(open_app: OpenApp, own_workspace: Path) -> None:
    category = Workspace(own_workspace).dataset.categories[0]
    found = {"srae": (2.0, 0.3), "nn": (1.5, 0.1), "pca": (1.75, None)}
    records = [
        {
            "method": name,
            "category": category,
            "seed": 0,
            "measures": {"locality": locality, "r2_test": r2},
        }
        for name, (locality, r2) in found.items()
    ]
    write_results(own_workspace, records)

    def list_methods(app: AppTest) -> list[str]:
        return [line[0] for line in read_table(app)[1:]]

    app = open_results(open_app, own_workspace)
    assert list_methods(app) == ["SRAE", "NN", "PCA probe"]
    order = next(box for box in app.selectbox if box.key == "order_of_methods")
    order.select("locality ↓").run()
    assert list_methods(app) == ["NN", "PCA probe", "SRAE"]
    # High is good, and a method without a value comes last.
    app = open_results(open_app, own_workspace, order_of_methods="R² ↑")
    assert not app.warning
    assert list_methods(app) == ["SRAE", "NN", "PCA probe"]
    assert len(open_results(open_app, own_workspace, order_of_methods="beauty").warning) == 1


def test_another_table_without_that_column_is_in_the_usual_order(
    open_app: OpenApp, compared: Path
) -> None:
    def get_order(app: AppTest) -> Any:
        return next(box for box in app.selectbox if box.key == "order_of_methods")

    app = open_results(open_app, compared)
    get_order(app).select("locality ↓").run()
    get_segments(app, "table").set_value("Maps against scores").run()
    assert get_order(app).value == "method"
    assert get_order(app).proto.set_value, "or the browser keeps showing what is no longer offered"
    assert "order_of_methods" not in app.query_params
    assert not app.warning


def test_the_methods_of_a_table_stand_on_the_background_of_the_theme() -> None:
    theme = tomllib.loads((REPOSITORY_ROOT / "streamlit_config.toml").read_text())["theme"]
    colours = [theme[name]["backgroundColor"] for name in ("light", "dark")]
    style = (ASSETS_DIR / "pages" / "results.css").read_text()
    assert f"light-dark({', '.join(colours)})" in style


def get_segments(app: AppTest, key: str) -> Any:
    return next(group for group in app.segmented_control if group.key == key)


def test_curves_and_their_link(open_app: OpenApp, compared: Path) -> None:
    title, own = "Maps against scores", "the activation that a map explains"
    app = open_results(open_app, compared, table=title)
    assert get_segments(app, "curves").value == "the network's score"
    get_segments(app, "curves").set_value(own).run()
    assert not app.exception
    asked = parse_qs(urlsplit(app.code[-1].value).query)
    assert (asked["table"], asked["curves"]) == ([title], [own])
    app = open_results(open_app, compared, table=title, curves=own)
    assert get_segments(app, "curves").value == own
    assert not app.warning
    assert len(open_results(open_app, compared, table="Prices", measure="beauty").warning) == 2


def test_a_table_tells_of_repeats_only_where_there_are_several_seeds(
    open_app: OpenApp, own_workspace: Path
) -> None:
    category = Workspace(own_workspace).dataset.categories[0]
    record = {"method": "srae", "category": category, "seed": 0, "measures": {"gap_own": 0.25}}
    write_results(own_workspace, [record])
    longer = "Maps against scores, and over seeds"
    app = open_results(open_app, own_workspace, table=longer)  # an older link
    assert not app.warning
    assert get_segments(app, "table").value == "Maps against scores"
    assert "*Repeat*" not in read_texts(app)
    measures = {"gap_own": 0.25, "repeat_map": 0.5}
    write_results(own_workspace, [record | {"measures": measures}])
    app = open_results(open_app, own_workspace, table=longer)
    assert get_segments(app, "table").value == longer
    assert "*Repeat*" in read_texts(app)


def read_figures(app: AppTest) -> list[dict[str, Any]]:
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


def test_every_method_is_in_tables_and_figures_with_a_colour_of_its_own(
    open_app: OpenApp, own_workspace: Path
) -> None:
    measures = {"locality": 1.5, "deletion_score": 0.25, "f_reg_test": 0.125}
    measures |= {name_point(way, "score", fraction): 0.5 for way in WAYS for fraction in FRACTIONS}
    variant = "srae-beta10"
    category = Workspace(own_workspace).dataset.categories[0]
    write_results(
        own_workspace,
        [
            {"method": name, "category": category, "seed": 0, "measures": measures}
            for name in (*METHODS, variant)
        ],
    )
    colours = {method.title: method.colour for method in METHODS.values()}
    app = open_results(open_app, own_workspace, table="Maps against scores")
    curves, distribution, _ = read_figures(app)  # and the confusion matrix
    drawn = {trace["name"]: trace["line"]["color"] for trace in curves["data"]}
    assert {title: drawn[title] for title in colours} == colours
    assert drawn.keys() - colours.keys() == {variant}
    assert len(set(drawn.values())) == len(METHODS) + 1
    legend = [trace["name"] for trace in curves["data"] if trace["showlegend"]]
    assert legend == [*colours, variant]
    points = {
        trace["y"][0]: trace["marker"]["color"]
        for trace in distribution["data"]
        if trace["type"] == "box"
    }
    assert points == drawn
    for table in ("Faithfulness and locality", "Maps against scores"):
        get_segments(app, "table").set_value(table).run()
        assert [line[0] for line in read_table(app)[1:]] == [*colours, variant]
        body = "".join(block.proto.body for block in app.get("html"))
        for title in (*colours, variant):  # once in the table, and once in those of the category
            assert body.count(f"<th scope='row'>{html.escape(title)}</th>") >= 2, title


def test_damaged_results_are_reported(open_app: OpenApp, compared: Path) -> None:
    file = compared / "results" / "results.csv"
    file.write_text(file.read_text().replace("locality,", "locality,x", 1))
    app = open_results(open_app, compared)
    assert "results.csv is damaged" in read_texts(app).replace("\\", "")
    assert not app.exception


def test_results_are_the_same_when_loaded(compared: Path) -> None:
    loaded = load_results(compared)
    assert isinstance(loaded, Results)
    assert loaded.tidy == (compared / "results" / "results.csv").read_text()
    assert loaded.markdown == (compared / "results" / "results.md").read_text()


def test_how_far_to_rely_on_the_network(
    open_app: OpenApp, own_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Other tests may have stored it in the workspace that this one is a copy of.
    (own_workspace / REFERENCES_FILE).unlink(missing_ok=True)
    app = open_results(open_app, own_workspace)
    assert "How often the network is right at each certainty has not been" in read_texts(app)
    assert any(block.value.startswith("python -m explorer evaluate") for block in app.code)
    run_steps(load_or_compute_references(Workspace(own_workspace)))
    app = open_results(open_app, own_workspace)
    assert "This needs 40 test photos" in read_texts(app)
    monkeypatch.setattr(trust, "MIN_PHOTOS", 6)
    st.cache_resource.clear()
    app = open_results(open_app, own_workspace)
    assert not app.exception
    texts = read_texts(app)
    assert "measured on the other 6" in texts
    assert "**Calibration error**" in texts
    assert [chart.proto.spec for chart in app.get("plotly_chart")]
    assert "Numbers (CSV)" in [button.label for button in app.get("download_button")]


def test_page_and_file_begin_with_what_came_out(open_app: OpenApp, own_workspace: Path) -> None:
    categories = Workspace(own_workspace).dataset.categories[:2]
    records = [
        {"method": name, "category": category, "seed": 0, "measures": {"locality": mean + height}}
        for name, mean in (("srae", 2.0), ("nn", 1.5))
        for category, height in zip(categories, (0.0, 0.1), strict=True)
    ]
    _, table = write_results(own_workspace, records)
    app = open_results(open_app, own_workspace)
    assert not app.exception
    words = "Leaving Z aside, SRAE's maps are not the most local of the paper's methods"
    assert app.markdown[0].value.startswith(f"- {words}")
    assert table.read_text().startswith(words)
