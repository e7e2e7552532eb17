import json
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
from explorer.evaluation.compare import compare_methods
from explorer.evaluation.results import Results, load_results, write_results
from explorer.evaluation.settings import EvaluationSettings
from explorer.measuring.references import load_or_compute_references
from explorer.methods.registry import METHODS, get_methods
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
    lines = (compared / "results" / "results.md").read_text().splitlines()
    table = [line for line in lines if line.startswith("| ")]
    assert len(table) > 8
    texts = ""
    for title in get_segments(app, "table").options:
        get_segments(app, "table").set_value(title).run()
        assert not app.exception
        texts += read_texts(app)
    assert all(line in texts for line in table)
    assert [box.value for box in app.selectbox if box.label == "Measure"] == ["locality"]
    category = next(box for box in app.selectbox if box.key == "result_category")
    assert len(category.options) == 3
    category.select(category.options[1]).run()
    assert not app.exception


def get_segments(app: AppTest, key: str) -> Any:
    return next(group for group in app.segmented_control if group.key == key)


def test_curves_and_their_link(open_app: OpenApp, compared: Path) -> None:
    title, own = "Maps against scores, and over seeds", "the activation that a map explains"
    app = open_results(open_app, compared, table=title)
    assert get_segments(app, "curves").value == "the network's score ŷ"
    get_segments(app, "curves").set_value(own).run()
    assert not app.exception
    asked = parse_qs(urlsplit(app.code[-1].value).query)
    assert (asked["table"], asked["curves"]) == ([title], [own])
    app = open_results(open_app, compared, table=title, curves=own)
    assert get_segments(app, "curves").value == own
    assert not app.warning
    assert len(open_results(open_app, compared, table="Prices", measure="beauty").warning) == 2


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
    app = open_results(open_app, own_workspace, table="Maps against scores, and over seeds")
    curves, distribution = read_figures(app)
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
    for table in ("Faithfulness and locality", "Maps against scores, and over seeds"):
        get_segments(app, "table").set_value(table).run()
        lines = read_texts(app).splitlines()
        for title in (*colours, variant):
            assert sum(line.startswith(f"| {title} |") for line in lines) >= 2, title


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
    assert "Not measured yet: how often the network is right" in read_texts(app)
    assert any(block.value.startswith("python -m explorer evaluate") for block in app.code)
    run_steps(load_or_compute_references(Workspace(own_workspace)))
    app = open_results(open_app, own_workspace)
    assert "This takes 40 test photos" in read_texts(app)
    monkeypatch.setattr(trust, "MIN_PHOTOS", 6)
    st.cache_resource.clear()
    app = open_results(open_app, own_workspace)
    assert not app.exception
    texts = read_texts(app)
    assert "measured on the other 6" in texts
    assert "**calibration error**" in texts
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
    words = "SRAE's maps are not the most local of the paper's methods"
    assert app.markdown[0].value.startswith(words)
    assert table.read_text().startswith(words)
