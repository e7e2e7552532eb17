import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import streamlit as st
from app_pages import read_texts, select
from streamlit.testing.v1 import AppTest
from torch.nn import functional

from explorer.config import REPOSITORY_ROOT
from explorer.explaining.naming import load_names
from explorer.explaining.sentence import describe_contributions
from explorer.maps.drawing import draw_maps
from explorer.measuring.parts import load_parts
from explorer.nn.explanation import Explanation
from explorer.render.numbers import format_number, format_signed
from explorer.ui.shared import cached, caching
from explorer.ui.shared.downloads import make_arrays
from explorer.ui.shared.shown_photo import DatasetPhoto
from explorer.ui.shared.splits import SplitSides
from explorer.workspace import networks
from explorer.workspace.networks import Networks
from explorer.workspace.workspace import Workspace

OpenApp = Callable[..., AppTest]
CATEGORY, OTHER = "001.Ember_capped_Finch", "002.Harebell_capped_Finch"


def segments(app: AppTest, label: str) -> object:
    return next(box for box in app.segmented_control if box.label == label)


@pytest.fixture
def explanations(monkeypatch: pytest.MonkeyPatch, no_cache: None) -> list[str]:
    """Return a list that grows by the map layer of every explanation that is computed."""
    calls: list[str] = []
    compute = networks.compute_explanation

    def count(*args: object) -> object:
        calls.append(str(args[-1]))
        return compute(*args)

    monkeypatch.setattr(networks, "compute_explanation", count)
    return calls


@pytest.fixture
def scores(monkeypatch: pytest.MonkeyPatch, no_cache: None) -> list[str]:
    """Return a list that grows by the map layer of every map of ŷ that is computed."""
    calls: list[str] = []
    draw = Networks.explain_score

    def count(self: Networks, category: str, image: object, stop: str) -> object:
        calls.append(stop)
        return draw(self, category, image, stop)

    monkeypatch.setattr(Networks, "explain_score", count)
    return calls


def test_shows_the_whole_page_without_a_complaint(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace)
    assert not app.exception
    assert not app.error
    assert not app.warning
    assert [title.value for title in app.title] == ["Why “Ember-capped Finch”?"]
    texts = read_texts(app)
    assert "48 painted birds of 12 invented categories" in texts
    assert "2 of 12 categories have a module." in texts
    assert "test accuracy not measured yet" in texts
    assert "smoothed for viewing only" in texts
    assert [metric.label for metric in app.metric][:2] == [
        "Error, test",
        "Error, training",
    ]
    # The bird, five tiles, one large map and that of ŷ, with colour bars where they are not zero.
    assert 8 <= len(app.image) <= 10


def list_alts(app: AppTest) -> list[str]:
    return [image.proto.imgs[0].alt for image in app.image]


def list_tiles(app: AppTest) -> list[str]:
    """List the alternative texts of the tiles, in their order."""
    return [
        alt
        for alt in list_alts(app)
        if alt.startswith("Heatmap of x-feature") and not alt.endswith("large")
    ]


def explain(path: Path, app: AppTest) -> Explanation:
    """Explain the photo that a page shows, by the first module."""
    workspace = Workspace(path)
    photo = workspace.dataset.get_photo(select(app, "Photo").value)
    return workspace.networks.explain(workspace.list_modules()[0], load_parts(photo).image)


def rank(explanation: Explanation) -> list[int]:
    order: list[int] = np.argsort(-np.abs(explanation.contributions), kind="stable").tolist()
    return order


def show(app: AppTest, feature: int) -> AppTest:
    """Click on the tile of an x-feature, counted from 0."""
    return app.button(key=f"show-x-feature-{feature + 1}").click().run()


def switch(app: AppTest, feature: int, is_on: bool) -> AppTest:
    return app.toggle(key=f"count-x-feature-{feature + 1}").set_value(is_on).run()


def find_shown(app: AppTest) -> int:
    """Return the x-feature that is shown large, which one tile and the headings agree on."""
    marked = [
        int(button.key.removeprefix("show-x-feature-")) - 1
        for button in app.button
        if button.key and button.key.startswith("show-x-feature-") and button.proto.icon
    ]
    (shown,) = marked
    assert any(text.value.startswith(f"**x-feature {shown + 1}**") for text in app.markdown)
    assert f"x-feature {shown + 1}, part by part" in [header.value for header in app.header]
    assert f"feature=x-feature+{shown + 1}&" in app.code[-1].value
    return shown


def find_off(app: AppTest) -> list[int]:
    """Return the x-features that are switched off."""
    switches = [one for one in app.toggle if one.key.startswith("count-x-feature-")]
    return sorted(
        int(one.key.removeprefix("count-x-feature-")) - 1 for one in switches if not one.value
    )


def test_the_answer_comes_before_everything_else(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace)
    explanation = explain(tiny_workspace, app)
    names = load_names(Workspace(tiny_workspace), Workspace(tiny_workspace).list_modules()[0])
    sentence = describe_contributions(
        explanation.contributions, explanation.y_hat, names, lambda words: f"*{words}*"
    )
    main = [element.value for element in app.main.markdown]
    assert main[0] == sentence
    # Then what the network says; the photo, the tiles and one map large come before any figure.
    assert "The network says" in main[1]
    kinds = [element.type for element in app.main]
    assert kinds[: kinds.index("plotly_chart")].count("image") >= 7


def test_tiles_are_sorted_by_contribution_and_carry_their_share(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(tiny_workspace)
    explanation = explain(tiny_workspace, app)
    tiles = list_tiles(app)
    assert [int(alt.split()[3].strip("“,")) - 1 for alt in tiles] == rank(explanation)
    sizes = np.abs(explanation.contributions)
    bars = [text.value for text in app.markdown if "share-bar" in text.value]
    widths = [float(re.findall(r"width: ([\d.]+)%", bar)[0]) for bar in bars]
    assert widths == pytest.approx(
        [100 * sizes[n] / sizes.sum() for n in rank(explanation)], abs=0.051
    )


def test_the_largest_contribution_on_this_photo_is_shown_unless_a_link_says_otherwise(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(tiny_workspace)
    assert find_shown(app) == rank(explain(tiny_workspace, app))[0]
    for number in range(1, 6):
        assert find_shown(open_app(tiny_workspace, feature=f"x-feature {number}")) == number - 1


def test_a_click_on_a_tile_shows_its_x_feature(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace)
    other = rank(explain(tiny_workspace, app))[-1]
    show(app, other)
    assert find_shown(app) == other
    assert app.query_params["feature"] == f"x-feature {other + 1}"
    # It stays chosen on the next photo, but not for another category.
    next(button for button in app.button if button.label == "Next").click().run()
    assert find_shown(app) == other
    select(app, "Category").set_value(OTHER).run()
    assert "feature" not in app.query_params


def test_a_switch_takes_its_x_feature_out_and_back_in(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(tiny_workspace)
    assert find_off(app) == []
    switch(app, 1, is_on=False)
    switch(app, 3, is_on=False)
    assert find_off(app) == [1, 3]
    assert app.query_params["off"] == ["x-feature 2", "x-feature 4"]
    assert "Without x-feature 2 and x-feature 4, the module's score" in read_texts(app)
    switch(app, 1, is_on=True)
    assert find_off(app) == [3]
    switch(app, 3, is_on=True)
    assert find_off(app) == []
    assert "off" not in app.query_params
    assert "Without" not in read_texts(app)


def test_two_switches_at_once_are_both_obeyed(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace)
    app.toggle(key="count-x-feature-1").set_value(False)
    app.toggle(key="count-x-feature-2").set_value(False).run()
    assert find_off(app) == [0, 1]


def test_excitation_bp_without_heat_says_so(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    zeros = np.zeros((128, 128), np.float32)
    monkeypatch.setattr(Networks, "explain_score", lambda *_: zeros)
    app = open_app(tiny_workspace)
    (alt,) = (alt for alt in list_alts(app) if "ExcitationBP" in alt)
    assert alt.endswith("no heat")
    assert "c-MWP of the score itself · no heat." in read_texts(app)


def test_excitation_bp_with_heat_does_not(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace)
    (alt,) = (alt for alt in list_alts(app) if "ExcitationBP" in alt)
    assert "no heat" not in alt


def test_a_map_without_heat_says_so_on_one_scale_for_all(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute = networks.compute_explanation

    def remove_heat(*args: Any) -> Explanation:
        found = compute(*args)
        maps = np.ones_like(found.maps)
        maps[1] = 0
        return replace(found, maps=maps)

    monkeypatch.setattr(networks, "compute_explanation", remove_heat)
    app = open_app(tiny_workspace, feature="x-feature 2")
    segments(app, "Colour scale").set_value("one for all").run()
    assert not app.exception
    without = [alt for alt in list_tiles(app) if alt.endswith("no heat")]
    assert [alt.partition(" over")[0] for alt in without] == ["Heatmap of x-feature 2"]
    assert "This map is zero everywhere" in read_texts(app)


@pytest.mark.parametrize(("is_painted", "kind"), [(True, "Painted bird"), (False, "Photo")])
def test_the_picture_is_described(
    own_workspace: Path, open_app: OpenApp, is_painted: bool, kind: str
) -> None:
    if not is_painted:
        (own_workspace / "birds" / "traits.json").unlink()
    alts = list_alts(open_app(own_workspace))
    assert any(re.fullmatch(rf"{kind} [1-4], an Ember-capped Finch", alt) for alt in alts)


def test_contributions_are_those_of_the_facade(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace)
    explanation = explain(tiny_workspace, app)
    texts = read_texts(app)
    for value, activation in zip(explanation.contributions, explanation.x_features, strict=True):
        assert (format_signed(value) if activation else "inactive on this photo") in texts
    difference = abs(explanation.y_bar - explanation.y_hat)
    assert f"error {difference:.2f}" in texts


def test_nothing_but_photo_module_and_layer_runs_the_network_again(
    tiny_workspace: Path, open_app: OpenApp, explanations: list[str], scores: list[str]
) -> None:
    app = open_app(tiny_workspace)
    assert explanations == ["relu1"]
    show(app, 3 if find_shown(app) != 3 else 4)
    select(app, "Colour map").set_value("viridis").run()
    app.slider[0].set_value(40).run()
    segments(app, "Colour scale").set_value("one for all").run()
    segments(app, "Drawing").set_value("raw grid").run()
    segments(app, "Show heat as").set_value("contours").run()
    segments(app, "Show").set_value("whole photo").run()
    segments(app, "Look at").set_value("pixel by pixel").run()
    switch(app, 2, is_on=False)
    assert explanations == ["relu1"]
    assert scores == ["relu1"]
    assert not app.error
    assert "one scale for all maps; drawn as the raw grid" in read_texts(app)

    select(app, "Map layer").set_value("pool3").run()
    assert explanations == ["relu1", "pool3"]
    assert "c-MWP at pool3, a grid of 16 × 16" in read_texts(app)
    next(button for button in app.button if button.label == "Next").click().run()
    assert explanations == ["relu1", "pool3", "pool3"] == scores


def test_a_photo_whose_maps_are_cached_needs_no_pass_through_the_network(
    own_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = read_texts(open_app(own_workspace))
    workspace = Workspace(own_workspace)
    for _ in draw_maps(workspace, workspace.list_modules()):
        pass
    passes = []
    convolve = functional.conv2d

    def count(*args: object, **options: object) -> object:
        passes.append(1)
        return convolve(*args, **options)

    monkeypatch.setattr(functional, "conv2d", count)
    st.cache_data.clear()
    app = open_app(own_workspace)
    assert not app.exception
    assert passes == []
    assert read_texts(app) == plain  # every number, as printed
    next(button for button in app.button if button.label == "Next").click().run()
    assert passes == []
    select(app, "Map layer").set_value("pool3").run()  # of which there are none
    assert passes
    assert not app.error


def test_switching_off_changes_the_sum_everywhere_and_the_network_nowhere(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(tiny_workspace, off="x-feature 2")
    explanation = explain(tiny_workspace, app)
    rest = explanation.y_bar - explanation.contributions[1]
    error = format_number(abs(rest - explanation.y_hat))
    texts = read_texts(app)
    assert "switched off" in texts
    assert f"the module's score is **{format_number(rest)}**" in texts
    assert f"instead of {format_number(explanation.y_bar)}. This changes the sum alone" in texts
    assert f"its score stays {format_number(explanation.y_hat)}." in texts
    assert "off=x-feature+2" in app.code[-1].value
    # The title of the figure and the words below it speak of the same sum.
    titles = [json.loads(chart.proto.spec)["layout"]["title"] for chart in app.get("plotly_chart")]
    assert f"Error {error}" in [title.get("text") for title in titles]
    assert f"module's {format_number(rest)} without x-feature 2 · error {error}" in texts

    for feature in range(5):
        switch(app, feature, is_on=False)
    assert "score is **0.00**" in read_texts(app)
    assert not app.error
    select(app, "Category").set_value(OTHER).run()
    assert "Without x-feature" not in read_texts(app)


def list_looks(app: AppTest) -> dict[str, object]:
    """Return how maps are drawn, as the controls of a page say."""
    widgets = (*app.segmented_control, *app.selectbox, *app.slider)
    keys = ("heat", "scale", "crop", "opacity", "colours", "drawing", "layer")
    return {widget.key: widget.value for widget in widgets if widget.key in keys}


LOOKS = {
    "heat": "spotlight",
    "scale": "own scale",
    "crop": "whole photo",
    "opacity": 35,
    "colours": "viridis",
    "drawing": "raw grid",
    "layer": "pool2",
}


def test_choices_of_drawing_survive_links_other_pages_and_a_reload(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    usual = list_looks(open_app(tiny_workspace))
    assert usual.keys() == LOOKS.keys()
    assert not {name for name in LOOKS if usual[name] == LOOKS[name]}
    app = open_app(tiny_workspace)
    for key, value in LOOKS.items():
        widgets = (*app.segmented_control, *app.selectbox, *app.slider)
        next(widget for widget in widgets if widget.key == key).set_value(value).run()
    assert list_looks(app) == LOOKS
    assert app.query_params == {key: str(value) for key, value in LOOKS.items()}
    # A link within the app.
    link = next(item for item in app.get("page_link") if "Explained as" in item.proto.label)
    params = {k: v[0] for k, v in parse_qs(link.proto.query_string).items()}
    assert list_looks(open_app(tiny_workspace, **params)) == LOOKS
    # One that does not mention them, opened in the same session, and pages with and without maps.
    app.query_params = {"category": "Harebell-capped Finch"}
    app.run()
    assert app.title[0].value == "Why “Harebell-capped Finch”?"
    assert list_looks(app) == LOOKS
    for page in ("about", "category", "x_feature", "compare", "your_photo", "photo"):
        app.switch_page(f"../pages/{page}.py").run()
        assert not app.exception
        if page not in ("about", "your_photo"):
            assert list_looks(app) == LOOKS
        # Whoever reloads the page has a new session, and this address.
        assert {key: app.query_params[key] for key in LOOKS} == {
            key: str(value) for key, value in LOOKS.items()
        }
    app.button(key="draw-as-usual").click().run()
    assert list_looks(app) == usual
    assert not set(LOOKS) & set(app.query_params)
    assert app.button(key="draw-as-usual").disabled


def test_a_link_decides_what_it_mentions(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace, colours="viridis", feature="x-feature 4", off="x-feature 1")
    app.query_params = {"colours": "magma", "feature": "x-feature 2"}
    app.run()
    assert select(app, "Colour map").value == "magma"
    assert find_shown(app) == 1
    assert find_off(app) == []


def test_the_menu_keeps_the_chosen_x_feature(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = show(open_app(tiny_workspace, category="Harebell-capped Finch"), 4)
    # The links of the menu leave what the sidebar shows.
    app.query_params = {"category": "Harebell-capped Finch"}
    app.switch_page("../pages/category.py").run()
    assert next(box for box in app.segmented_control if box.key == "feature").value == 4
    assert app.query_params["feature"] == "x-feature 5"
    next(box for box in app.segmented_control if box.key == "feature").set_value(2).run()
    app.switch_page("../pages/photo.py").run()
    assert find_shown(app) == 2


def test_a_photo_that_changes_sides_with_the_category_says_so(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, foreign = (
        SplitSides(frozenset(), frozenset(range(99))),
        SplitSides(frozenset(range(99)), frozenset()),
    )
    monkeypatch.setattr(
        cached, "load_split", lambda _, entry: own if entry.category == CATEGORY else foreign
    )
    said = (
        "For the module of Harebell-capped Finch this is a training photo; for that of Ember-"
        "capped Finch, a test photo."
    )
    assert said not in read_texts(open_app(tiny_workspace))
    params = {"category": "Harebell-capped Finch", "photos_of": "Ember-capped Finch"}
    assert said in read_texts(open_app(tiny_workspace, **params))
    monkeypatch.setattr(cached, "load_split", lambda *_: own)
    assert "For the module of" not in read_texts(open_app(tiny_workspace, **params))


def test_leads_to_the_same_photo_under_another_category(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(tiny_workspace, photos_of="Lantern-bellied Shrike")
    (link,) = (item for item in app.main.get("page_link") if "Explained as" in item.proto.label)
    assert link.proto.label == "Explained as Harebell-capped Finch"
    params = {k: v[0] for k, v in parse_qs(link.proto.query_string).items()}
    other = open_app(tiny_workspace, **params)
    assert not other.warning
    assert other.title[0].value == "Why “Harebell-capped Finch”?"
    assert select(other, "Photo").value == select(app, "Photo").value


def test_steps_through_photos_and_around(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace)
    ids = [select(app, "Photo").value]
    for _ in range(4):
        next(button for button in app.button if button.label == "Next").click().run()
        ids.append(select(app, "Photo").value)
    assert ids[0] == ids[4]
    assert sorted(ids[:4]) == [1, 2, 3, 4]
    next(button for button in app.button if button.label == "Previous").click().run()
    assert select(app, "Photo").value == ids[3]


def test_a_new_category_brings_its_own_photos(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace)
    next(button for button in app.button if button.label == "Next").click().run()
    select(app, "Category").set_value(OTHER).run()
    assert app.title[0].value == "Why “Harebell-capped Finch”?"
    assert select(app, "Photos of").value == OTHER
    assert select(app, "Photo").value in (5, 6, 7, 8)
    assert not app.error


def test_explains_a_photo_of_another_bird(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace)
    select(app, "Photos of").set_value("012.Lantern_bellied_Shrike").run()
    assert app.title[0].value == "Why “Ember-capped Finch”?"
    assert select(app, "Photo").value in (45, 46, 47, 48)
    assert "Lantern-bellied Shrike" in read_texts(app)
    assert not app.error


def test_the_sheet_of_thumbnails_offers_every_photo(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(tiny_workspace)
    next(button for button in app.button if button.label == "All photos").click().run()
    assert {"1", "2", "3", "4"} <= {button.label for button in app.button}
    app.button(key="choose-2").click().run()
    assert select(app, "Photo").value == 2


def test_link_opens_the_same_view(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace)
    next(button for button in app.button if button.label == "Next").click().run()
    select(app, "Category").set_value(OTHER).run()
    next(button for button in app.button if button.label == "Next").click().run()
    show(app, 4)
    select(app, "Map layer").set_value("pool2").run()
    app.slider[0].set_value(35).run()
    segments(app, "Drawing").set_value("raw grid").run()

    link = app.code[-1].value
    params = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    other = open_app(tiny_workspace, **params)
    assert not other.warning
    assert other.code[-1].value == link
    for label in ("Category", "Photos of", "Photo", "Map layer", "Colour map"):
        assert select(other, label).value == select(app, label).value
    assert find_shown(other) == 4
    assert segments(other, "Drawing").value == "raw grid"
    assert other.slider[0].value == 35


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("category", "Dodo"),
        ("run", "NN, 9 x-features, seed 3"),
        ("photos_of", "Dodo"),
        ("photo", "<script>alert(1)</script>"),
        ("feature", "x-feature 99"),
        ("layer", "pool9"),
        ("colours", "jet"),
        ("opacity", "900"),
        ("opacity", "much"),
        ("scale", ""),
        ("drawing", "crayon"),
        ("off", "x-feature 0"),
        ("look", "squint"),
        ("heat", "smoke"),
        ("crop", "tail"),
    ],
)
def test_unknown_options_in_a_link_are_reported(
    tiny_workspace: Path, open_app: OpenApp, name: str, value: str
) -> None:
    app = open_app(tiny_workspace, **{name: value})
    assert not app.exception
    assert not app.error
    assert len(app.warning) == 1
    assert "The link asks for the" in app.warning[0].value
    assert "<" not in app.warning[0].value
    assert app.title[0].value == "Why “Ember-capped Finch”?"
    app.run()
    assert not app.warning


def test_arrays_for_download_say_what_they_are(tiny_workspace: Path, tmp_path: Path) -> None:
    workspace = Workspace(tiny_workspace)
    entry, photo = workspace.list_modules()[0], workspace.dataset.get_photo(2)
    shown = DatasetPhoto(photo)
    stem = shown.make_stem(entry.category, entry.run)
    assert stem.startswith("ember-capped-finch_srae-k5-s0")
    file = tmp_path / "arrays.npz"
    file.write_bytes(make_arrays(workspace, entry, shown, "pool3"))
    with np.load(file, allow_pickle=False) as arrays:
        explanation = workspace.networks.explain(entry, load_parts(photo).image, "pool3")
        np.testing.assert_array_equal(arrays["raw_maps"], explanation.maps)
        assert arrays["contributions"].sum() == pytest.approx(float(arrays["y_bar"]), abs=1e-5)
        assert str(arrays["map_layer"]) == "pool3"
        assert int(arrays["image_id"]) == 2
        histogram = load_parts(photo).measure(explanation.maps).values
        np.testing.assert_allclose(arrays["part_histogram"], histogram)
        shares = arrays["part_histogram"].sum(axis=1) + arrays["share_outside_box"]
        assert set(np.round(shares, 6)) <= {0.0, 1.0}


def test_downloads_are_those_of_a_visitors_photo(tiny_workspace: Path, open_app: OpenApp) -> None:
    labels = [button.label for button in open_app(tiny_workspace).get("download_button")]
    assert "All pictures and the sum (ZIP)" in labels
    assert "Raw maps and numbers (NPZ)" in labels
    assert any(label.startswith("Picture of x-feature") for label in labels)


def test_a_retrained_module_is_explained_again(own_workspace: Path, open_app: OpenApp) -> None:
    workspace = Workspace(own_workspace)
    entry, photo = workspace.list_modules()[0], workspace.dataset.get_photo(2)
    before = caching.make_module_key(workspace, entry)
    entry.path.write_bytes(entry.path.read_bytes() + b"")
    assert caching.make_module_key(workspace, entry) != before
    key = caching.make_photo_key(photo)
    photo.path.write_bytes(photo.path.read_bytes())
    assert caching.make_photo_key(photo) != key


def test_about_page_names_paper_and_data(tiny_workspace: Path) -> None:
    app = AppTest.from_file(REPOSITORY_ROOT / "pages" / "about.py", default_timeout=30).run()
    assert not app.exception
    texts = read_texts(app)
    for words in (
        "Sparse Reconstruction Autoencoder",
        "1608.00507",
        "CUB-200-2011",
        "Painted birds",
    ):
        assert words in texts
