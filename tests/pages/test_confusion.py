"""The confusion matrix on the Results page."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from app_pages import read_texts, select
from streamlit.testing.v1 import AppTest

from explorer.config import run
from explorer.data.cub import format_category
from explorer.ui.results import confusion
from explorer.ui.results.confusion import Answers, collect_answers
from explorer.workspace.settings import load_settings, save_settings
from explorer.workspace.workspace import Workspace

OpenApp = Callable[..., AppTest]
PREFIX = "Painted bird "


def collect(path: Path) -> tuple[Workspace, Answers]:
    workspace = Workspace(path)
    return workspace, collect_answers(workspace, run(workspace.networks.compute_features()))


def list_photos(app: AppTest) -> list[int]:
    """Return the ids of the photos of the chosen cell, with a link or without."""
    labels = [link.proto.label for link in app.main.get("page_link")]
    labels += [text.value for text in app.markdown]
    return sorted(
        int(label.removeprefix(PREFIX)) for label in labels if re.fullmatch(rf"{PREFIX}\d+", label)
    )


def test_the_matrix_counts_the_answers_on_held_out_photos(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(tiny_workspace, "results")
    assert not app.exception
    assert not app.error
    workspace, answers = collect(tiny_workspace)
    held_out = sorted(photo.image_id for photo in workspace.held_out)
    assert sorted(answers.image_ids.tolist()) == held_out
    assert answers.table.sum() == len(held_out) == 12
    wrong = int(answers.table.sum() - np.trace(answers.table))
    assert 0 < wrong < 12, "the network is hardly trained"
    assert f"Of 12 held-out photos, the network misnames {wrong}." in read_texts(app)
    (frame,) = app.dataframe
    assert frame.value["photos"].sum() == wrong
    assert frame.value["photos"].tolist() == sorted(frame.value["photos"])[::-1]


def test_a_cell_shows_its_photos_and_is_in_the_address(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    workspace, answers = collect(tiny_workspace)
    names = [*map(format_category, workspace.dataset.categories)]
    app = open_app(tiny_workspace, "results")
    box = select(app, "Photos of")
    first = confusion.list_confusions(answers.table)[0]
    assert box.value == first.truth * 12 + first.said
    assert list_photos(app) == answers.find_photos(first.truth, first.said)
    (right,) = np.flatnonzero(np.diag(answers.table))[:1]
    app = open_app(tiny_workspace, "results", confusion=f"{names[right]}, named correctly")
    assert not app.warning
    assert list_photos(app) == answers.find_photos(right, right)
    app = open_app(tiny_workspace, "results", confusion="Dodo, taken for Auk")
    assert len(app.warning) == 1


def test_the_address_of_a_cell_is_in_the_link(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = type("Results", (), {"findings": (), "rows": (), "tidy": "", "markdown": ""})()
    monkeypatch.setattr("explorer.ui.results.loading.load_results", lambda _: results)
    for name in ("show_tables", "show_measure", "show_category", "show_downloads"):
        monkeypatch.setattr(f"explorer.ui.results.tables.{name}", lambda *_: None)
    app = open_app(tiny_workspace, "results")
    chosen = select(app, "Photos of")
    address = parse_qs(urlsplit(app.code[-1].value).query)
    assert address["confusion"] == [chosen.options[0]]


def test_clicks_choose_a_cell(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, answers = collect(tiny_workspace)
    found = confusion.list_confusions(answers.table)
    state: dict[str, Any] = {"confusion-table": {"selection": {"rows": [len(found) - 1]}}}
    monkeypatch.setattr(confusion.st, "session_state", state)
    confusion._choose_row(found, 12)
    assert state["confusion"] == found[-1].truth * 12 + found[-1].said
    assert state["confusion_page"] == 1
    # The second row and the third column of a matrix of three of the categories.
    confusion._choose_cell([2, 5, 9], 12, 5)
    assert state["confusion"] == 5 * 12 + 9
    state["confusion-table"] = {"selection": {"rows": []}}
    confusion._choose_row(found, 12)
    assert state["confusion"] == 5 * 12 + 9


def test_photos_open_under_the_module_that_tells_most(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    """Two of the twelve categories have a module."""
    workspace, answers = collect(tiny_workspace)
    names = [*map(format_category, workspace.dataset.categories)]
    cells = [*map(tuple, np.argwhere(answers.table).tolist())]
    for truth, said in cells:
        what = "named correctly" if truth == said else f"taken for {names[said]}"
        app = open_app(tiny_workspace, "results", confusion=f"{names[truth]}, {what}")
        opened = {
            parse_qs(link.proto.query_string)["category"][0] for link in app.main.get("page_link")
        }
        assert opened == {names[said if said < 2 else truth if truth < 2 else 0]}


def test_a_large_matrix_is_that_of_the_most_confused(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confusion, "_MOST_DRAWN", 4)
    app = open_app(tiny_workspace, "results")
    assert "The 4 categories with the most common mistakes, of 12." in read_texts(app)
    specs = [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]
    (cells,) = [spec for spec in specs if spec["data"][0]["type"] == "heatmap"]
    assert len(cells["layout"]["xaxis"]["ticktext"]) == 4


def test_without_a_network_there_is_nothing_to_confuse(
    own_workspace: Path, open_app: OpenApp
) -> None:
    settings = load_settings(own_workspace)
    object.__setattr__(settings, "classifier_sha256", "")
    save_settings(own_workspace, settings)
    app = open_app(own_workspace, "results")
    assert not app.exception
    assert "There is no network yet." in read_texts(app)
