"""The Atlas page: every x-feature as a card, with search, filters and links."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from app_pages import find, read_texts, select, upload
from atlases import make_feature
from streamlit.testing.v1 import AppTest

from explorer.config import PUBLIC_VARIABLE
from explorer.explaining.atlas import describe_atlas
from explorer.explaining.atlas_search import Query, find_features
from explorer.ui.atlas import cards as atlas_cards
from explorer.ui.atlas.cards import describe_feature
from explorer.ui.shared import choices
from explorer.workspace.notes import load_notes, save_note
from explorer.workspace.notes_file import Note
from explorer.workspace.workspace import Workspace

OpenApp = Callable[..., AppTest]
MEASURED, UNMEASURED = "Ember-capped Finch", "Harebell-capped Finch"


@pytest.fixture
def open_page(open_app: OpenApp) -> OpenApp:
    return lambda workspace, **params: open_app(workspace, "atlas", **params)


def list_cards(app: AppTest) -> list[str]:
    """Return the labels of the cards, in their order on the page."""
    return [link.proto.label for link in app.main.get("page_link")]


def test_every_x_feature_has_a_card_that_opens_its_page(
    tiny_workspace: Path, open_page: OpenApp
) -> None:
    app = open_page(tiny_workspace)
    assert not app.exception
    assert not app.error
    assert not app.warning
    workspace = Workspace(tiny_workspace)
    atlas = describe_atlas(workspace, workspace.list_modules())
    found = find_features(atlas, Query())
    assert len(found) == 10
    wanted = [
        (
            f"{one.feature.name or f'x-feature {one.feature.x_feature}'}, "
            f"{one.module.category_name}",
            one.module.category_name,
            f"x-feature {one.feature.x_feature}",
        )
        for one in found
    ]
    opened = []
    for link in app.main.get("page_link"):
        asked = parse_qs(link.proto.query_string)
        opened.append((link.proto.label, asked["category"][0], asked["feature"][0]))
        assert link.proto.page == "x_feature"
    assert opened == wanted
    assert "10 x-features of 2 categories" in read_texts(app)
    drawn = [one for one in found if one.feature.strongest]
    alts = [image.proto.imgs[0].alt for image in app.image]
    assert [alt for alt in alts if alt.startswith("Close-ups")] == [
        f"Close-ups of where x-feature {one.feature.x_feature} of {MEASURED} looks on "
        + ", ".join(f"painted bird {n}" for n in one.feature.strongest)
        for one in drawn
    ]
    # An x-feature that fires on no test photo may have heat all the same.
    still = [one for one in found if one.feature.part_shares and not one.feature.strongest]
    assert len([alt for alt in alts if alt.startswith("A drawn bird")]) == len(still)
    assert len(alts) == len(drawn) + len(still) > 0


def test_figures_on_a_card() -> None:
    feature = make_feature(
        2,
        "red cap",
        mean_contribution=1.5,
        live=True,
        auc=0.9,
        locality=0.61,
        part_shares={"crown": 0.7, "tail": 0.3},
    )
    assert describe_feature(feature) == (
        ":gray[x-feature 2]  \nadds :blue[**+1.50**], AUC 90%  \nlocality 0.61 of 0.69"
    )
    feature = make_feature(2, mean_contribution=-0.5, live=True)
    assert describe_feature(feature) == "adds :orange[**−0.50**], AUC –  \nlocality –"
    beside = make_feature(2, mean_contribution=1.0, live=True, locality=1.0, outside=0.62)
    assert describe_feature(beside).endswith("62% of its heat beside the bird")
    assert "dead" in describe_feature(make_feature(2, mean_contribution=0.0, live=False))
    assert describe_feature(make_feature(1)) == ":gray[not measured yet]"


def test_search_filters_and_page_are_in_the_address(
    tiny_workspace: Path, open_page: OpenApp
) -> None:
    app = open_page(tiny_workspace, find_feature="harebell", atlas_order="name")
    assert list_cards(app) == [f"x-feature {n}, {UNMEASURED}" for n in range(1, 6)]
    address = parse_qs(urlsplit(app.code[-1].value).query)
    assert (address["find_feature"], address["atlas_order"]) == (["harebell"], ["name"])
    app.text_input[0].set_value("dodo").run()
    assert list_cards(app) == []
    assert "No x-feature fits" in read_texts(app)
    app = open_page(tiny_workspace, looks_at="elbow", atlas_order="beauty", atlas_page="7")
    assert not app.error
    assert len(list_cards(app)) == 10
    assert len(app.warning) == 3
    assert all("which is not here" in warning.value for warning in app.warning)


def test_what_is_looked_at_can_be_chosen(own_workspace: Path, open_page: OpenApp) -> None:
    file = next(own_workspace.glob("modules/*/*/metrics.json"))
    metrics = json.loads(file.read_text())
    locality = metrics["locality"]["test"]
    crown = Workspace(own_workspace).dataset.part_names.index("crown")
    locality["histogram"] = [[float(n == crown) for n in range(15)]] + [[1 / 15] * 15] * 4
    locality["is_defined"], locality["outside"] = [True] * 5, [0, 0.9, 0, 0, 0.5]
    file.write_text(json.dumps(metrics))
    app = open_page(own_workspace)
    select(app, "Looks at").select("crown").run()
    (card,) = list_cards(app)
    assert card.endswith(MEASURED)
    select(app, "Looks at").select("background").run()
    assert len(list_cards(app)) == 2
    address = parse_qs(urlsplit(app.code[-1].value).query)
    assert address["looks_at"] == ["background"]


def test_own_names_are_cards_and_colours(own_workspace: Path, open_page: OpenApp) -> None:
    entry = Workspace(own_workspace).list_modules()[1]
    sha256 = load_notes(entry).module_sha256
    note = Note("red [cap](x)", "")
    save_note(entry, 2, note, base=Note(), module_sha256=sha256)
    app = open_page(own_workspace, colour="red")
    assert not app.warning
    (label,) = list_cards(app)
    assert label == rf"red \[cap\](x), {UNMEASURED}"
    assert select(app, "Colour in its name").value == "red"


def test_cards_are_split_into_pages_and_other_choices_start_on_the_first(
    tiny_workspace: Path, open_page: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = choices.choose_page
    monkeypatch.setattr(choices, "choose_page", lambda key, n, _, what: split(key, n, 4, what))
    app = open_page(tiny_workspace, atlas_page="3")
    assert len(list_cards(app)) == 2
    order = next(box for box in app.segmented_control if box.key == "atlas_order")
    order.set_value("name").run()
    assert len(list_cards(app)) == 4


def test_only_the_cards_on_view_are_drawn(
    tiny_workspace: Path, open_page: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    monkeypatch.setattr(
        atlas_cards, "draw_strongest", lambda _, __, feature, ___: drawn.append(feature) or b""
    )
    monkeypatch.setattr(atlas_cards.st, "image", lambda *_, **__: None)
    open_page(tiny_workspace, find_feature="harebell")
    assert drawn == []
    app = open_page(tiny_workspace, find_feature="ember")
    assert not app.error
    assert len(drawn) == len(set(drawn)) > 0


def test_several_modules_of_a_category_are_listed_on_request(
    own_workspace: Path, open_page: OpenApp
) -> None:
    first = next(own_workspace.glob("modules/001*/*"))
    shutil.copytree(first, first.with_name("srae-k5-s7"))
    app = open_page(own_workspace)
    assert len(list_cards(app)) == 10
    next(box for box in app.segmented_control if box.key == "modules").set_value("all").run()
    assert len(list_cards(app)) == 15


def test_missing_measures_are_said_with_the_command(
    own_workspace: Path, open_page: OpenApp
) -> None:
    assert "5 of 10 x-features have no names or figures yet" in read_texts(open_page(own_workspace))
    for file in own_workspace.glob("modules/*/*/metrics.json"):
        file.write_text("{")
    app = open_page(own_workspace)
    assert not app.error
    assert "10 of 10 x-features" in read_texts(app)
    assert any("explorer evaluate" in code.value for code in app.code)


def make_theirs(workspace: Path, *notes: Note) -> bytes:
    """Write an atlas with notes for the first x-features of the first module."""
    entry = Workspace(workspace).list_modules()[0]
    features = [
        {"x_feature": n, "own_name": note.name, "note": note.text}
        for n, note in enumerate(notes, start=1)
    ]
    module = {"module_sha256": load_notes(entry).module_sha256, "x_features": features}
    return json.dumps({"schema_version": 1, "modules": [module]}).encode()


def press(app: AppTest, label: str) -> AppTest:
    return find(app.button, label).click().run()


def test_names_of_somebody_else_are_stored(own_workspace: Path, open_page: OpenApp) -> None:
    entry = Workspace(own_workspace).list_modules()[0]
    sha256 = load_notes(entry).module_sha256
    save_note(entry, 0, Note("my cap"), base=Note(), module_sha256=sha256)
    theirs = make_theirs(own_workspace, Note("[their](cap)"), Note("their tail", "long"))
    app = upload(open_page(own_workspace), theirs, "theirs.json")
    assert not app.exception
    assert "**1** new, **0** that you have too, **1** that differ" in read_texts(app)
    assert app.table[0].value.to_numpy().tolist() == [
        [f"{MEASURED}, x-feature 1", "my cap", r"\[their\](cap)"]
    ]
    press(app, "Store 1 note")
    assert "1 note stored." in read_texts(app)
    assert load_notes(entry).current == {0: Note("my cap"), 1: Note("their tail", "long")}
    assert f"their tail, {MEASURED}" in list_cards(app)

    app = upload(open_page(own_workspace), theirs, "theirs.json")
    find(app.radio, "Where they differ").set_value("take theirs").run()
    press(app, "Store 1 note")
    assert load_notes(entry).names == {0: "[their](cap)", 1: "their tail"}


def test_a_file_that_is_no_atlas_is_refused(own_workspace: Path, open_page: OpenApp) -> None:
    app = upload(open_page(own_workspace), b'{"schema_version": 1}', "theirs.json")
    assert not app.exception
    assert "it lacks 'modules'" in read_texts(app)
    assert "Store" not in " ".join(button.label for button in app.button)


def test_visitors_of_a_public_server_import_nothing(
    own_workspace: Path, open_page: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PUBLIC_VARIABLE, "1")
    app = open_page(own_workspace)
    assert not app.exception
    assert not app.file_uploader
    labels = [button.proto.label for button in app.get("download_button")]
    assert "All of it as JSON" in labels
