"""The drawn bird on the pages X-feature and Category."""

import csv
import io
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import streamlit as st
from app_pages import read_texts
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer.measuring.records import load_module_measures
from explorer.render.drawn_bird import draw_bird
from explorer.workspace.workspace import Workspace

OpenApp = Callable[..., AppTest]
WITH_HEAT, WITHOUT_HEAT = "x-feature 1", "x-feature 2"
UNMEASURED = "Harebell-capped Finch"


def read_shares(path: Path, feature: int) -> dict[str, float]:
    workspace = Workspace(path)
    measures = load_module_measures(workspace, workspace.list_modules()[0])
    assert measures is not None
    shares = measures.locality.test.histogram[feature]
    return dict(zip(workspace.dataset.part_names, shares, strict=True))


def list_birds(app: AppTest) -> list[str]:
    return [json.loads(element.proto.json) for element in app.get("bidi_component")]


def list_tooltips(bird: str) -> list[str]:
    return [
        str(title.text) for title in ET.fromstring(bird).iter("{http://www.w3.org/2000/svg}title")
    ]


def test_the_bird_has_the_shares_of_the_measured_module(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(tiny_workspace, "x_feature", feature=WITH_HEAT)
    assert not app.exception
    (bird,) = list_birds(app)
    shares = read_shares(tiny_workspace, 0)
    title, *tooltips = list_tooltips(bird)
    assert title == "Heat of x-feature 1 on Ember-capped Finch, part by part"
    assert sorted(tooltips) == sorted(f"{part}: {share:.1%}" for part, share in shares.items())
    top = max(shares, key=lambda part: shares[part])
    assert f"Largest shares: {top} {shares[top]:.0%}, " in read_texts(app)


def test_its_colours_are_those_of_the_maps(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace, "x_feature", feature=WITH_HEAT, colours="viridis")
    title = "Heat of x-feature 1 on Ember-capped Finch, part by part"
    shares = read_shares(tiny_workspace, 0)
    assert list_birds(app) == [draw_bird(shares, title, colour_map="viridis")]


def test_files_hold_the_bird_and_its_numbers(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    files: dict[str, Callable[[], bytes]] = {}
    offer = st.download_button

    def watch(*args: object, **options: object) -> object:
        files[str(options["file_name"])] = options["data"]
        return offer(*args, **options)

    monkeypatch.setattr(st, "download_button", watch)
    open_app(tiny_workspace, "x_feature", feature=WITH_HEAT)
    contents = {Path(name).suffix: make() for name, make in files.items() if "_bird." in name}
    shares = read_shares(tiny_workspace, 0)
    svg = contents[".svg"].decode()
    assert len(list_tooltips(svg)) == 16
    assert ET.fromstring(svg).get("color")
    assert Image.open(io.BytesIO(contents[".png"])).size[0] == 1200
    rows = list(csv.reader(io.StringIO(contents[".csv"].decode())))
    assert rows[0] == ["part", "mean share of heat"]
    assert {part: float(share) for part, share in rows[1:]} == pytest.approx(shares)


def test_no_bird_without_heat_or_measures(tiny_workspace: Path, open_app: OpenApp) -> None:
    assert not list_birds(open_app(tiny_workspace, "x_feature", feature=WITHOUT_HEAT))
    for page in ("x_feature", "category"):
        app = open_app(tiny_workspace, page, category=UNMEASURED)
        assert not list_birds(app)
        assert "has not been measured yet" in read_texts(app)


def test_no_bird_where_parts_have_other_names(own_workspace: Path, open_app: OpenApp) -> None:
    (parts,) = own_workspace.glob("**/parts.txt")
    names = parts.read_text(encoding="utf-8").split("\n")
    changed = [f"{line} of a fish" if line else "" for line in names]
    parts.write_text("\n".join(changed), encoding="utf-8")
    app = open_app(own_workspace, "x_feature", feature=WITH_HEAT)
    assert not app.exception
    assert not list_birds(app)
    assert app.get("plotly_chart")


def test_a_category_has_a_bird_for_each_x_feature(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace, "category")
    assert not app.exception
    birds = list_birds(app)
    assert sorted(list_tooltips(bird)[0] for bird in birds) == [
        f"Heat of x-feature {n}, part by part" for n in range(1, 6)
    ]
    shares = read_shares(tiny_workspace, 0)
    top = max(shares, key=lambda part: shares[part])
    assert f":gray[{top} {shares[top]:.0%}]" in read_texts(app)
    assert ":gray[no heat]" in read_texts(app)
    opened = [
        parse_qs(link.proto.query_string)["feature"]
        for link in app.main.get("page_link")
        if link.proto.page == "x_feature" and link.proto.label.startswith("x-feature ")
    ]
    assert sorted(opened) == [[f"x-feature {n}"] for n in range(1, 6)]
