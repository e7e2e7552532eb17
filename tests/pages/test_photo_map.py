import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from app_pages import read_texts, select
from streamlit.testing.v1 import AppTest

from explorer.analysis.projection import project
from explorer.config import run
from explorer.data.cub import format_category
from explorer.measuring.scores import ModuleScores, score_photos
from explorer.ui.photo_map import figure as photo_map
from explorer.ui.shared import figures
from explorer.workspace.workspace import Workspace

OpenApp = Callable[..., AppTest]
CATEGORY = "Ember-capped Finch"


@pytest.fixture
def open_page(open_app: OpenApp) -> OpenApp:
    return lambda workspace, **params: open_app(workspace, "photo_map", **params)


def score(path: Path) -> ModuleScores:
    workspace = Workspace(path)
    features = run(workspace.networks.compute_features())
    return score_photos(workspace, workspace.list_modules()[0], features)


def read_traces(app: AppTest) -> list[dict[str, Any]]:
    (chart,) = app.get("plotly_chart")
    return json.loads(chart.proto.spec)["data"]


def list_ids(trace: dict[str, Any]) -> list[int]:
    return [int(np.ravel(one)[0]) for one in trace["customdata"]]


def segments(app: AppTest, key: str) -> Any:
    return next(box for box in app.segmented_control if box.key == key)


def test_own_photos_are_placed_by_contributions(tiny_workspace: Path, open_page: OpenApp) -> None:
    app = open_page(tiny_workspace)
    assert not app.exception
    assert not app.error
    assert not app.warning
    scores = score(tiny_workspace)
    own = np.flatnonzero(scores.is_positive)
    (trace,) = read_traces(app)
    assert sorted(list_ids(trace)) == scores.image_ids[own].tolist()
    assert trace["marker"]["colorscale"]
    placed = project(scores.contributions[own])
    assert f"{len(own)} photos; the network is right on" in read_texts(app)
    chart = json.loads(app.get("plotly_chart")[0].proto.spec)
    title = chart["layout"]["xaxis"]["title"]["text"]
    assert title == f"first axis, {placed.shares[0]:.0%} of the variance"


def test_right_and_wrong_are_those_of_the_network(tiny_workspace: Path, open_page: OpenApp) -> None:
    app = open_page(tiny_workspace, map_of="all birds", coloured_by="right or wrong")
    workspace, scores = Workspace(tiny_workspace), score(tiny_workspace)
    labels = [workspace.dataset.get_photo(i).category_index for i in scores.image_ids.tolist()]
    is_right = scores.logits.argmax(axis=1) == labels
    found = {trace["name"]: set(list_ids(trace)) for trace in read_traces(app)}
    assert found == {
        f"{name}: {rows.sum()}": set(scores.image_ids[rows].tolist())
        for name, rows in {"right": is_right, "wrong": ~is_right}.items()
        if rows.any()
    }


def test_a_photo_can_be_opened_by_name(tiny_workspace: Path, open_page: OpenApp) -> None:
    def get_link(app: AppTest) -> Any:
        (link,) = [one.proto for one in app.main.get("page_link")]
        return link

    app = open_page(tiny_workspace)
    box = select(app, "Open a photo")
    photos = Workspace(tiny_workspace).dataset.photos_of("001.Ember_capped_Finch")
    assert len(box.options) == len(photos)
    box.set_value(photos[2].image_id).run()
    assert get_link(app).page == "photo"
    assert get_link(app).label == f"Open Painted bird {photos[2].image_id}"
    segments(app, "map_of").set_value("all birds").run()
    birds = select(app, "Of which bird")
    assert birds.options[0] == CATEGORY
    assert len(birds.options) == 12
    birds.set_value("003.Moonbar_Warbler").run()
    assert not app.exception
    asked = parse_qs(get_link(app).query_string)
    assert asked["photos_of"] == ["Moonbar Warbler"]
    assert asked["category"] == [CATEGORY]


def test_species_have_colours_and_the_explained_one_is_on_top(
    tiny_workspace: Path, open_page: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photo_map, "_MOST_SPECIES", 3)
    app = open_page(
        tiny_workspace, map_of="all birds", coloured_by="species", placed_by="the network's scores"
    )
    traces = read_traces(app)
    assert [traces[0]["name"], traces[-1]["name"]] == ["other birds", CATEGORY]
    assert len(traces) == 4
    assert sum(len(list_ids(trace)) for trace in traces) == 48
    scores = score(tiny_workspace)
    means = scores.logits[scores.is_positive].mean(axis=0)
    means[0] = -np.inf
    rival = Workspace(tiny_workspace).dataset.categories[int(means.argmax())]
    assert traces[-2]["name"] == format_category(rival)
    assert not json.loads(app.get("plotly_chart")[0].proto.spec)["layout"].get("annotations")


def test_photos_that_were_held_out_can_be_shown_alone(
    tiny_workspace: Path, open_page: OpenApp
) -> None:
    app = open_page(tiny_workspace, map_of="all birds", map_side="held out")
    held_out = {photo.image_id for photo in Workspace(tiny_workspace).held_out}
    assert {i for trace in read_traces(app) for i in list_ids(trace)} == held_out


def test_a_choice_that_is_not_offered_any_more_is_forgotten(
    tiny_workspace: Path, open_page: OpenApp
) -> None:
    app = open_page(tiny_workspace, map_of="all birds", coloured_by="species")
    segments(app, "map_of").set_value("its own category").run()
    assert not app.exception
    assert segments(app, "coloured_by").value == "x-feature"


def test_the_link_restores_every_choice(tiny_workspace: Path, open_page: OpenApp) -> None:
    asked = {
        "map_of": "all birds",
        "placed_by": "the network's scores",
        "coloured_by": "x-feature",
        "map_side": "held out",
        "feature": "x-feature 4",
    }
    app = open_page(tiny_workspace, **asked)
    address = parse_qs(urlsplit(app.code[-1].value).query)
    assert {key: address[key] for key in asked} == {key: [value] for key, value in asked.items()}
    app = open_page(tiny_workspace, map_of="mine", placed_by="chance", coloured_by="species")
    assert not app.error
    assert len(app.warning) == 3


def test_a_point_opens_its_photo(
    tiny_workspace: Path, open_page: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = Workspace(tiny_workspace).dataset.photos_of("003.Moonbar_Warbler")[1]
    monkeypatch.setattr(figures, "_read_clicked", lambda _: photo.image_id)
    app = open_page(tiny_workspace, map_of="all birds")
    assert not app.exception
    assert app.title[0].value == f"Why “{CATEGORY}”?"
    assert app.query_params["photos_of"] == "Moonbar Warbler"
    assert str(photo.image_id) in "".join(
        str(box.value) for box in app.selectbox if box.key == "photo"
    )


def test_of_more_photos_than_points_the_own_are_kept(
    tiny_workspace: Path, open_page: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photo_map, "MOST_POINTS", 6)
    app = open_page(tiny_workspace, map_of="all birds")
    assert not app.exception
    found = score(tiny_workspace)
    ids = [one for trace in read_traces(app) if "customdata" in trace for one in list_ids(trace)]
    assert len(ids) == len(set(ids)) == 6
    assert set(found.image_ids[found.is_positive].tolist()) <= set(ids)
    assert f"6 photos drawn by chance from {len(found.image_ids)}" in read_texts(app)
