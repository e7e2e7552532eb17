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
from explorer.maps.drawing import draw_maps
from explorer.measuring.parts import load_parts
from explorer.nn.explanation import Explanation
from explorer.ui.shared import caching
from explorer.ui.shared.downloads import make_arrays
from explorer.ui.shared.shown_photo import DatasetPhoto
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
    assert [title.value for title in app.title] == ["Why “Ember capped Finch”?"]
    texts = read_texts(app)
    assert "48 painted birds of 12 invented categories" in texts
    assert "2 of 12 categories have a module." in texts
    assert "test accuracy not measured yet" in texts
    assert "smoothed for the eye alone" in texts
    assert [metric.label for metric in app.metric][:2] == ["F_reg, test", "F_reg, train"]
    # The bird, five tiles and that of ŷ, one large map, its colour bar where it is not all zero.
    assert len(app.image) in (8, 9)


def read_tiles(app: AppTest) -> list[tuple[str, str]]:
    """List the alternative texts of the maps and the words below them, ExcitationBP's last."""
    alts = [image.proto.imgs[0].alt for image in app.image]
    alts = [alt for alt in alts if alt.startswith("Heatmap") and not alt.endswith("large")]
    words = [text.value for text in app.markdown if "<br>" in text.value]
    return list(zip(alts, words, strict=True))


def test_excitation_bp_without_heat_says_so(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    zeros = np.zeros((128, 128), np.float32)
    monkeypatch.setattr(Networks, "explain_score", lambda *_: zeros)
    alt, words = read_tiles(open_app(tiny_workspace))[-1]
    assert "ExcitationBP" in alt
    assert alt.endswith("no heat")
    assert words.endswith("no heat")


def test_excitation_bp_with_heat_does_not(tiny_workspace: Path, open_app: OpenApp) -> None:
    assert not any("no heat" in text for text in read_tiles(open_app(tiny_workspace))[-1])


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
    without = [words for _, words in read_tiles(app)[:-1] if "no heat" in words]
    assert [words.partition("<br>")[0] for words in without] == ["x-feature 2"]
    assert "This map is zero everywhere" in read_texts(app)


@pytest.mark.parametrize(("is_painted", "kind"), [(True, "Painted bird"), (False, "Photo")])
def test_the_picture_is_described(
    own_workspace: Path, open_app: OpenApp, is_painted: bool, kind: str
) -> None:
    if not is_painted:
        (own_workspace / "birds" / "traits.json").unlink()
    alts = [image.proto.imgs[0].alt for image in open_app(own_workspace).image]
    assert re.fullmatch(rf"{kind} [1-4], a Ember capped Finch, with a box around the bird", alts[0])


def test_contributions_are_those_of_the_facade(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace)
    workspace = Workspace(tiny_workspace)
    photo = workspace.dataset.get_photo(select(app, "Photo").value)
    explanation = workspace.networks.explain(workspace.list_modules()[0], load_parts(photo).image)
    texts = read_texts(app)
    for value, activation in zip(explanation.contributions, explanation.x_features, strict=True):
        shown = f"{value:+.2f}".replace("-", "−") if activation else "inactive on this photo"
        assert shown in texts
    difference = abs(explanation.y_bar - explanation.y_hat)
    assert f"|ȳ − ŷ| = {difference:.2f}" in texts


def test_nothing_but_photo_module_and_layer_runs_the_network_again(
    tiny_workspace: Path, open_app: OpenApp, explanations: list[str], scores: list[str]
) -> None:
    app = open_app(tiny_workspace)
    assert explanations == ["relu1"]
    feature = segments(app, "x-feature to look at closely")
    feature.set_value(3 if feature.value != 3 else 4).run()
    select(app, "Colour map").set_value("viridis").run()
    app.slider[0].set_value(40).run()
    segments(app, "Colour scale").set_value("one for all").run()
    segments(app, "Drawing").set_value("raw grid").run()
    segments(app, "Look at it as").set_value("pixel by pixel").run()
    next(box for box in app.pills if box.label == "Switch off").set_value([0, 2]).run()
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


def test_switching_off_takes_the_contribution_out_of_the_sum(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(tiny_workspace, off="x-feature 2")
    workspace = Workspace(tiny_workspace)
    photo = workspace.dataset.get_photo(select(app, "Photo").value)
    explanation = workspace.networks.explain(workspace.list_modules()[0], load_parts(photo).image)
    rest = explanation.y_bar - explanation.contributions[1]
    texts = read_texts(app)
    assert "switched off" in texts
    assert f"Without x-feature 2, ȳ is **{rest:.2f}**" in texts
    assert f"in the place of {explanation.y_bar:.2f}" in texts
    assert "off=x-feature+2" in app.code[-1].value

    off = next(box for box in app.pills if box.label == "Switch off")
    off.set_value(list(range(5))).run()
    assert "ȳ is **0.00**" in read_texts(app)
    assert not app.error
    select(app, "Category").set_value(OTHER).run()
    assert "Without x-feature" not in read_texts(app)


def test_leads_to_the_same_photo_under_another_category(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(tiny_workspace, photos_of="Lantern bellied Shrike")
    (link,) = (item for item in app.main.get("page_link") if "Why not" in item.proto.label)
    assert link.proto.label == "Why not a Harebell capped Finch?"
    params = {k: v[0] for k, v in parse_qs(link.proto.query_string).items()}
    other = open_app(tiny_workspace, **params)
    assert not other.warning
    assert other.title[0].value == "Why “Harebell capped Finch”?"
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
    assert app.title[0].value == "Why “Harebell capped Finch”?"
    assert select(app, "Photos of").value == OTHER
    assert select(app, "Photo").value in (5, 6, 7, 8)
    assert not app.error


def test_explains_a_photo_of_another_bird(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace)
    select(app, "Photos of").set_value("012.Lantern_bellied_Shrike").run()
    assert app.title[0].value == "Why “Ember capped Finch”?"
    assert select(app, "Photo").value in (45, 46, 47, 48)
    assert "Lantern bellied Shrike" in read_texts(app)
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
    segments(app, "x-feature to look at closely").set_value(4).run()
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
    assert segments(other, "x-feature to look at closely").value == 4
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
    assert app.title[0].value == "Why “Ember capped Finch”?"
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
    assert "All pictures (ZIP)" in labels
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
