import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from app_pages import find, list_captions, read_texts, upload
from photos import make_jpeg, make_pixels
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer.data.cub import format_category
from explorer.measuring.parts import load_parts
from explorer.nn.backbones.backbone import Backbone
from explorer.ui.your_photo.own_photo import SAMPLE
from explorer.workspace.workspace import Workspace

OpenApp = Callable[..., AppTest]
CATEGORY, OTHER = "001.Ember_capped_Finch", "002.Harebell_capped_Finch"


# --- Choices, links and how often the network runs ------------------------------------------------


def test_nothing_but_photo_module_and_layer_runs_the_network_again(
    tiny_workspace: Path, open_app: OpenApp, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Backbone, "is_quick", False)
    app = upload(open_app(tiny_workspace, "your_photo"), make_jpeg())
    first = ["scores", "x-features, pool3", "x-features, relu1", "score, relu1"]
    assert calls == first
    app.button(key="show-x-feature-3").click().run()
    app.button(key="show-x-feature-4").click().run()
    app.toggle(key="count-x-feature-1").set_value(False).run()
    find(app.segmented_control, "Show heat as").set_value("spotlight").run()
    find(app.segmented_control, "Show").set_value("whole photo").run()
    find(app.selectbox, "Colour map").set_value("viridis").run()
    find(app.slider, "Opacity").set_value(40).run()
    find(app.segmented_control, "Colour scale").set_value("one for all").run()
    find(app.segmented_control, "Drawing").set_value("raw grid").run()
    find(app.segmented_control, "Look at").set_value("pixel by pixel").run()
    find(app.toggle, "Measure it against parts").set_value(True).run()
    app.slider(key="your_photo_box_1").set_value((20, 70)).run()
    assert calls == first
    assert not app.error
    assert "one scale for all maps; drawn as the raw grid" in read_texts(app)

    find(app.selectbox, "Map layer").set_value("pool3").run()
    assert calls == [*first, "score, pool3"]  # the coarse maps are those of pool3
    assert "c-MWP at pool3, a grid of 16 × 16" in read_texts(app)
    find(app.selectbox, "Map layer").set_value("relu1").run()
    assert len(calls) == 5


def test_pictures_follow_every_choice_of_drawing(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace, "your_photo", source=SAMPLE, explained="Ember-capped Finch")
    seen = [[picture.value for picture in app.image]]
    for label, value in (
        ("Colour map", "viridis"),
        ("Opacity", 40),
        ("Colour scale", "one for all"),
        ("Drawing", "raw grid"),
        ("Map layer", "pool2"),
        ("Explain the score of", OTHER),
    ):
        find((*app.selectbox, *app.slider, *app.segmented_control), label).set_value(value).run()
        assert not app.error
        assert [picture.value for picture in app.image] not in seen
        seen.append([picture.value for picture in app.image])


def test_a_category_is_explained_once_and_remembered(
    tiny_workspace: Path, open_app: OpenApp, calls: list[str]
) -> None:
    app = upload(open_app(tiny_workspace, "your_photo"), make_jpeg())
    box = find(app.selectbox, "Explain the score of")
    one, other = box.value, OTHER if box.value == CATEGORY else CATEGORY
    calls.clear()
    box.set_value(other).run()
    assert calls == ["x-features, relu1", "score, relu1"]
    name = format_category(other)
    assert f"What adds up to the score of {name}" in read_texts(app)
    find(app.selectbox, "Explain the score of").set_value(one).run()
    assert len(calls) == 2


def test_the_sidebars_category_is_one_click_away(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace, "your_photo", category="Harebell-capped Finch")
    app = upload(app, make_jpeg())
    box = find(app.selectbox, "Explain the score of")
    if box.value == OTHER:
        box.set_value(CATEGORY).run()
        find(app.selectbox, "Category").set_value(OTHER).run()
    else:
        app.button(key="as-in-sidebar").click().run()
        assert find(app.selectbox, "Explain the score of").value == OTHER
    assert not app.error


def test_a_new_photo_is_explained_for_its_own_highest_category(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = upload(open_app(tiny_workspace, "your_photo"), make_jpeg())
    usual = find(app.selectbox, "Explain the score of").value
    find(app.selectbox, "Explain the score of").set_value(OTHER if usual == CATEGORY else CATEGORY)
    app.run()
    app.button(key="forget").click().run()
    app = upload(app, make_jpeg(62, 90))
    assert find(app.selectbox, "Explain the score of").value == usual


def test_link_to_a_sample_opens_the_same_view(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace, "your_photo", source=SAMPLE)
    find(app.selectbox, "Sample").set_value(find(app.selectbox, "Sample").options[2]).run()
    usual = find(app.selectbox, "Explain the score of").value
    other = OTHER if usual == CATEGORY else CATEGORY
    find(app.selectbox, "Explain the score of").set_value(other).run()
    app.button(key="show-x-feature-5").click().run()
    find(app.toggle, "Measure it against parts").set_value(True).run()
    find(app.selectbox, "Map layer").set_value("pool2").run()
    find(app.slider, "Opacity").set_value(35).run()
    link = app.code[-1].value
    params = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    again = open_app(tiny_workspace, "your_photo", **params)
    assert not again.warning
    assert not again.error
    assert again.code[-1].value == link
    assert find(again.selectbox, "Sample").value == find(app.selectbox, "Sample").value
    assert find(again.selectbox, "Explain the score of").value == other
    assert find(again.toggle, "Measure it against parts").value is True
    assert read_texts(again) == read_texts(app)


def test_link_of_an_own_photo_keeps_the_choices_for_the_next_photo(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = upload(open_app(tiny_workspace, "your_photo"), make_jpeg())
    usual = find(app.selectbox, "Explain the score of").value
    other = OTHER if usual == CATEGORY else CATEGORY
    find(app.selectbox, "Explain the score of").set_value(other).run()
    app.button(key="show-x-feature-5").click().run()
    find(app.slider, "Opacity").set_value(35).run()
    assert "A link cannot hold your photo" in read_texts(app)
    link = app.code[-1].value
    assert "robin" not in link
    params = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    again = open_app(tiny_workspace, "your_photo", **params)
    assert "but cannot hold the photo itself" in read_texts(again)
    again = upload(again, make_jpeg(62, 90))
    assert not again.warning
    assert "but cannot hold the photo itself" not in read_texts(again)
    assert find(again.selectbox, "Explain the score of").value == other
    assert find(again.slider, "Opacity").value == 35
    assert again.code[-1].value == link


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("source", "the moon"),
        ("sample", "<script>alert(1)</script>"),
        ("explained", "Dodo"),
        ("explained_run", "NN, 9 x-features, seed 3"),
        ("feature", "x-feature 99"),
        ("parts", "perhaps"),
        ("layer", "pool9"),
        ("colours", "jet"),
        ("opacity", "900"),
        ("scale", ""),
        ("drawing", "crayon"),
    ],
)
def test_what_a_link_asks_for_in_vain_is_told(
    tiny_workspace: Path, open_app: OpenApp, name: str, value: str
) -> None:
    app = open_app(tiny_workspace, "your_photo", **{"source": SAMPLE, name: value})
    assert not app.exception
    assert not app.error
    (warning,) = app.warning
    assert "The link asks for the" in warning.value
    assert "<" not in warning.value
    assert app.title[0].value == "Your photo"
    app.run()
    assert not app.warning


def test_vain_choices_are_told_when_the_photo_is_there(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(tiny_workspace, "your_photo", explained="Dodo")
    assert not app.warning
    app = upload(app, make_jpeg())
    assert "The link asks for the explained category “Dodo”" in app.warning[0].value
    assert not app.error


def test_another_workspace_judges_the_same_photo_again(
    own_workspace: Path, tiny_workspace: Path, open_app: OpenApp, calls: list[str]
) -> None:
    other = Workspace(own_workspace)
    (photo,) = (p for p in other.held_out if p.category == CATEGORY)
    Image.fromarray(make_pixels(70, 64)).save(photo.path)
    paths = Path(f"{tiny_workspace}{os.pathsep}{own_workspace}")
    app = upload(open_app(paths, "your_photo"), make_jpeg())
    assert len(calls) == 3
    names = find(app.selectbox, "Workspace").options
    find(app.selectbox, "Workspace").set_value(names[1]).run()
    assert not app.exception
    assert not app.error
    assert "robin.jpg, 90 × 60 pixels" in list_captions(app)
    assert len(calls) == 6
    # A sample of the same name is the other workspace's own.
    find(app.segmented_control, "Take the photo from").set_value(SAMPLE).run()
    name = find(app.selectbox, "Sample").value
    assert f"{name}, 64 × 70 pixels" in list_captions(app)
    assert len(calls) == 9
    find(app.selectbox, "Workspace").set_value(names[0]).run()
    assert not app.error
    assert f"{name}, 64 × 64 pixels" in list_captions(app)
    assert len(calls) == 12


# --- Box and parts --------------------------------------------------------------------------------


def test_parts_of_a_sample_are_measured_as_on_its_own_page(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(
        tiny_workspace, "your_photo", source=SAMPLE, parts="true", explained="Ember-capped Finch"
    )
    assert not app.error
    workspace = Workspace(tiny_workspace)
    (photo,) = (p for p in workspace.held_out if p.category == CATEGORY)
    parts = load_parts(photo)
    measured = parts.measure(
        workspace.networks.explain(workspace.list_modules()[0], parts.image).maps
    )
    shown = parse_qs(urlsplit(app.code[-1].value).query)["feature"][0]
    feature = int(shown.removeprefix("x-feature ")) - 1
    texts = read_texts(app)
    if measured.is_live[feature]:
        assert f"{measured.outside[feature]:.0%} of the heat lies outside the bird's box." in texts
    else:
        assert "The map is zero everywhere on this photo" in texts
    seen = int(parts.visible.sum())
    assert f"{seen} of 15 parts have a place." in texts
    assert f"{seen} of 15 parts can be seen." in texts


def test_box_and_parts_can_be_changed_and_every_step_undone(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(tiny_workspace, "your_photo", source=SAMPLE, parts="true")
    before = list_captions(app)
    (placed,) = (text for text in before if text.endswith("parts have a place."))
    count = int(placed.split()[0])
    app.slider(key="your_photo_box_0").set_value((0, 50)).run()
    assert app.slider(key="your_photo_box_0").value == (0, 50)
    find(app.pills, "Part to place next").set_value(1).run()
    assert "**beak**" in read_texts(app)
    app.button(key="hide-part").click().run()
    assert f"{count - 1} of 15 parts have a place." in list_captions(app)
    assert app.button(key="hide-part").disabled
    find(app.button, "Clear").click().run()
    assert "0 of 15 parts have a place." in list_captions(app)
    assert "Place the bird's parts on the photo below" in read_texts(app)
    for _ in range(3):
        find(app.button, "Undo").click().run()
    assert not app.error
    assert find(app.button, "Undo").disabled
    assert list_captions(app) == before


def test_an_own_photo_begins_with_no_parts_and_nearly_all_of_it_in_the_box(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = upload(open_app(tiny_workspace, "your_photo", parts="true"), make_jpeg())
    assert not app.error
    assert app.slider(key="your_photo_box_0").value == (5, 95)
    assert app.slider(key="your_photo_box_1").value == (5, 95)
    assert "0 of 15 parts have a place." in list_captions(app)
    assert "A click or a tap will place: **back**" in read_texts(app)


def read_figures(app: AppTest) -> str:
    return "".join(figure.proto.spec for figure in app.get("plotly_chart"))


def test_a_map_can_be_read_pixel_by_pixel(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = upload(open_app(tiny_workspace, "your_photo", look="pixel by pixel"), make_jpeg())
    assert not app.error
    assert not app.warning
    assert "P(pixel | n)" in read_figures(app)
    assert "no parts placed yet" in read_figures(app)
    assert "look=pixel+by+pixel" in app.code[-1].value
    app = open_app(tiny_workspace, "your_photo", source=SAMPLE, parts="true", look="pixel by pixel")
    assert not app.error
    assert "outside the box" in read_figures(app)
    assert "no parts placed yet" not in read_figures(app)
