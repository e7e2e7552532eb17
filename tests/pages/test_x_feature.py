import csv
import io
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import torch
from app_pages import read_texts
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer.attribution.engine import Engine
from explorer.config import run
from explorer.measuring.parts import load_parts
from explorer.measuring.records import load_module_measures
from explorer.measuring.scores import ModuleScores, score_photos
from explorer.nn.checkpoint import save_module
from explorer.render.numbers import format_signed
from explorer.ui.shared import cached, drawings
from explorer.ui.shared.shown_photo import DatasetPhoto
from explorer.ui.shared.state import MapStyle
from explorer.ui.shared.subject import Subject, escape_words, name_in_figure
from explorer.ui.x_feature import photos as feature_photos
from explorer.ui.x_feature import summary
from explorer.ui.x_feature.photos import Choice, make_pack
from explorer.ui.x_feature.summary import make_numbers
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.notes import get_notes_path, load_notes, save_note
from explorer.workspace.notes_file import Note
from explorer.workspace.workspace import Workspace

OpenApp = Callable[..., AppTest]
OTHER = "Harebell-capped Finch"
TEST_PHOTOS = 10


@pytest.fixture
def open_page(open_app: OpenApp) -> OpenApp:
    """Return a function that opens the x-feature page on a workspace."""
    return lambda workspace, **params: open_app(workspace, "x_feature", **params)


def segments(app: AppTest, key: str) -> object:
    return next(box for box in app.segmented_control if box.key == key)


def press(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def read_metric(app: AppTest, label: str) -> str:
    return next(metric.value for metric in app.metric if metric.label == label)


def list_shown(app: AppTest) -> list[int]:
    """Return the image ids of the gallery, in their order on the page."""
    labels = [link.proto.label for link in app.main.get("page_link")]
    prefix = "Painted bird "
    return [int(label.removeprefix(prefix)) for label in labels if label.startswith(prefix)]


def load_scores(path: Path, number: int = 0) -> tuple[Workspace, ModuleEntry, ModuleScores]:
    workspace = Workspace(path)
    entry = workspace.list_modules()[number]
    features = run(workspace.networks.compute_features())
    return workspace, entry, score_photos(workspace, entry, features)


def make_subject(path: Path, feature: int, names: dict[int, str] | None = None) -> Subject:
    workspace, entry, scores = load_scores(path)
    split = cached.load_split(workspace, entry)
    sides = np.array([split.name_side(int(image_id)) for image_id in scores.image_ids])
    return Subject(workspace, entry, scores, sides, names or {}, feature)


def write_note(path: Path, feature: int, note: Note) -> ModuleEntry:
    entry = Workspace(path).list_modules()[0]
    found = load_notes(entry)
    base = found.get(feature)
    save_note(entry, feature, note, base=base, module_sha256=found.module_sha256)
    return entry


def test_the_whole_page_is_shown_without_errors(tiny_workspace: Path, open_page: OpenApp) -> None:
    app = open_page(tiny_workspace)
    assert not app.exception
    assert not app.error
    assert not app.warning
    headers = [header.value for header in app.header]
    assert headers == [
        "What it fires on",
        "How well it tells the category",
        "Where on the bird it looks",
        "What it rebuilds of Z",
        "Download and share",
    ]
    assert len(list_shown(app)) == TEST_PHOTOS
    assert len(app.image) == TEST_PHOTOS
    labels = {button.proto.label for button in app.get("download_button")}
    assert {"Every photo's numbers (CSV)", "These 10 pictures (ZIP)", "Numbers (CSV)"} <= labels
    assert "painted test birds of all categories, highest activation first" in read_texts(app)


def test_starts_with_the_x_feature_chosen_on_the_photo_page(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(tiny_workspace, "photo")
    app.button(key="show-x-feature-4").click().run()
    app.switch_page("../pages/x_feature.py").run()
    assert segments(app, "feature").value == 3
    assert app.title[0].value.startswith("x-feature 4")


@pytest.mark.parametrize("feature", range(5))
def test_key_figures_are_those_of_the_module(
    tiny_workspace: Path, open_page: OpenApp, feature: int
) -> None:
    app = open_page(tiny_workspace, feature=f"x-feature {feature + 1}")
    workspace, entry, scores = load_scores(tiny_workspace)
    weight = float(workspace.networks.load_module(entry)[0].v.weight[0, feature])
    assert read_metric(app, "Weight vₙ") == f"{weight:+.3f}".replace("-", "−")
    measures = load_module_measures(workspace, entry)
    assert measures is not None
    mean = measures.test.mean_contribution[feature]
    assert read_metric(app, "Mean contribution, test") == format_signed(mean)
    assert read_metric(app, "State") == ("live" if measures.live[feature] else "dead")
    own, others = (scores.x_features[scores.is_positive == kind, feature] for kind in (True, False))
    assert read_metric(app, "Inactive, own") == f"{np.mean(own == 0):.1%}"
    assert read_metric(app, "Inactive, others") == f"{np.mean(others == 0):.1%}"
    for label, side in (("AUC, test", "test"), ("AUC, train", "train")):
        ids = workspace.load_record(entry).split[side]
        pairs = [
            (one > other) + (one == other) / 2
            for one in _pick(scores, ids, feature, True)
            for other in _pick(scores, ids, feature, False)
        ]
        assert read_metric(app, label) == f"{sum(pairs) / len(pairs):.1%}"


def _pick(scores: ModuleScores, ids: list[int], feature: int, kind: bool) -> list[float]:
    is_asked = np.isin(scores.image_ids, ids) & (scores.is_positive == kind)
    return scores.x_features[is_asked, feature].tolist()


@pytest.mark.parametrize(
    "order", ["highest activation", "highest contribution", "lowest activation"]
)
@pytest.mark.parametrize("among", ["all birds", "its own category"])
@pytest.mark.parametrize("side", ["test", "training", "both"])
def test_gallery_follows_the_chosen_order(
    tiny_workspace: Path, open_page: OpenApp, order: str, among: str, side: str
) -> None:
    app = open_page(
        tiny_workspace,
        feature="x-feature 3",
        photos_by=order,
        photos_among=among,
        photos_side=side,
    )
    assert not app.warning
    assert not app.error
    workspace, entry, scores = load_scores(tiny_workspace)
    split = workspace.load_record(entry).split
    allowed = {"test": split["test"], "training": split["train"]}.get(
        side, [*split["test"], *split["train"]]
    )
    if among == "its own category":
        own = {photo.image_id for photo in workspace.dataset.photos_of(entry.category)}
        allowed = [image_id for image_id in allowed if image_id in own]
    column = scores.contributions if "contribution" in order else scores.x_features
    values = dict(zip(scores.image_ids.tolist(), column[:, 2].tolist(), strict=True))
    expected = sorted((values[n] for n in allowed), reverse="highest" in order)[:12]
    shown = list_shown(app)
    assert set(shown) <= set(allowed)
    assert len(set(shown)) == len(shown)
    assert [values[image_id] for image_id in shown] == expected


def test_share_is_relative_to_all_contributions(tiny_workspace: Path, open_page: OpenApp) -> None:
    app = open_page(tiny_workspace, photos_by="largest share", photos_side="both")
    _, _, scores = load_scores(tiny_workspace)
    feature = segments(app, "feature").value
    shares = {
        int(image_id): abs(row[feature]) / (np.abs(row).sum() or 1)
        for image_id, row in zip(scores.image_ids, scores.contributions, strict=True)
    }
    shown = [shares[image_id] for image_id in list_shown(app)]
    used = Workspace(tiny_workspace).load_record(Workspace(tiny_workspace).list_modules()[0]).split
    expected = sorted((shares[n] for n in (*used["train"], *used["test"])), reverse=True)[:12]
    assert shown == pytest.approx(expected)


def test_another_seed_shows_other_photos_and_is_in_the_address(
    tiny_workspace: Path, open_page: OpenApp
) -> None:
    app = open_page(tiny_workspace, photos_by="random", photos_side="both")
    first = list_shown(app)
    app.run()
    assert list_shown(app) == first
    press(app, "Draw again")
    second = list_shown(app)
    assert second != first
    assert app.number_input[0].value == 2
    assert "photos_draw=2" in app.code[-1].value
    again = open_page(tiny_workspace, photos_by="random", photos_side="both", photos_draw="2")
    assert list_shown(again) == second
    press(again, "Draw again")
    segments(again, "photos_by").set_value("highest activation").run()
    assert not again.error
    assert "photos_draw" not in again.code[-1].value or "chance decides" in read_texts(again)


def test_ties_are_reported(tiny_workspace: Path) -> None:
    subject = make_subject(tiny_workspace, 0)
    silent = Subject(
        subject.workspace,
        subject.entry,
        ModuleScores(
            **{
                **vars(subject.scores),
                "x_features": np.zeros_like(subject.scores.x_features),
                "contributions": np.zeros_like(subject.scores.contributions),
            }
        ),
        subject.sides,
        {},
        0,
    )
    rows = feature_photos.find_rows(silent, "all birds", "both")
    choice = Choice("lowest activation", "all birds", "both", 1, tuple(rows[:12]), True, len(rows))
    said = feature_photos.describe_choice(silent, choice)
    assert f"{len(rows)} have the same value 0.00; among them chance decides." in said


def test_orders_by_contribution_and_activation_are_compared(
    tiny_workspace: Path, open_page: OpenApp
) -> None:
    workspace, entry, _ = load_scores(tiny_workspace)
    weights = workspace.networks.load_module(entry)[0].v.weight[0].tolist()
    for feature, weight in enumerate(weights):
        app = open_page(
            tiny_workspace, feature=f"x-feature {feature + 1}", photos_by="highest contribution"
        )
        word = "positive" if weight > 0 else "negative"
        assert f"The weight is {word}, so" in read_texts(app)


def test_the_network_runs_only_for_shown_photos(
    tiny_workspace: Path, open_page: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Sequence[int] | None] = []
    draw = Engine.draw

    def count(*args: Any) -> Any:
        calls.append(args[-1])
        return draw(*args)

    monkeypatch.setattr(Engine, "draw", count)
    app = open_page(tiny_workspace, photos_among="its own category", photos_side="both")
    feature = segments(app, "feature")
    count_of_own = len(list_shown(app))
    assert calls == [[feature.value]] * 4
    assert count_of_own == 4
    other = 3 if feature.value != 3 else 4
    feature.set_value(other).run()
    assert calls[4:] == [[other]] * 4
    app.slider[0].set_value(40).run()
    next(b for b in app.selectbox if b.label == "Colour map").set_value("viridis").run()
    segments(app, "drawing").set_value("raw grid").run()
    assert len(calls) == 8
    assert not app.error


def test_link_opens_the_same_view(tiny_workspace: Path, open_page: OpenApp) -> None:
    app = open_page(tiny_workspace)
    segments(app, "feature").set_value(3).run()
    segments(app, "photos_by").set_value("random").run()
    segments(app, "photos_side").set_value("both").run()
    press(app, "Draw again")
    press(app, "Draw again")
    app.slider[0].set_value(35).run()
    link = app.code[-1].value
    params = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    other = open_page(tiny_workspace, **params)
    assert not other.warning
    assert other.code[-1].value == link
    assert list_shown(other) == list_shown(app)
    assert segments(other, "feature").value == 3
    assert other.number_input[0].value == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("feature", "x-feature 99"),
        ("photos_by", "beauty"),
        ("photos_among", "dodos"),
        ("photos_side", "<script>alert(1)</script>"),
        ("photos_draw", "0"),
        ("photos_draw", "1.5"),
        ("photos_draw", "10000"),
        ("photos_draw", "99999999999999999999999"),
        ("photos_draw", "two"),
        ("layer", "pool9"),
    ],
)
def test_unknown_values_in_a_link_are_reported(
    tiny_workspace: Path, open_page: OpenApp, name: str, value: str
) -> None:
    usual = {"photos_by": "random", "photos_side": "both"}
    app = open_page(tiny_workspace, **{**usual, name: value})
    assert not app.exception
    assert not app.error
    assert len(app.warning) == 1
    assert "The link asks for the" in app.warning[0].value
    assert "<" not in app.warning[0].value
    assert len(list_shown(app)) == (10 if name == "photos_side" else 12)  # 10 are for testing
    app.run()
    assert not app.warning


def test_a_name_is_shown_everywhere(own_workspace: Path, open_page: OpenApp) -> None:
    app = open_page(own_workspace, feature="x-feature 2")
    press(app, "Give it a name")
    next(box for box in app.text_input if box.label == "Name").set_value("red  cap")
    app.text_area[0].set_value("Fires on *caps*.\n# not on tails")
    app.button(key="note-save").click().run()
    assert not app.error
    entry = Workspace(own_workspace).list_modules()[0]
    assert load_notes(entry).current == {1: Note("red cap", "Fires on *caps*.\n# not on tails")}
    app.run()
    assert app.title[0].value == "x-feature 2 “red cap”"
    assert [text.value for text in app.text] == ["Fires on *caps*.\n# not on tails"]
    assert "Maps of x-feature 2 “red cap”" in read_texts(app)
    # The address contains the number, so links stay valid when names change.
    assert "feature=x-feature+2" in app.code[-1].value
    segments(app, "feature").set_value(0).run()
    assert app.title[0].value == "x-feature 1"
    assert "The others of this module: x-feature 2 “red cap”" in read_texts(app)
    press(open_page(own_workspace, feature="x-feature 2"), "Edit name and note")


def test_a_conflict_between_two_editors_is_reported(
    own_workspace: Path, open_page: OpenApp
) -> None:
    app = open_page(own_workspace, feature="x-feature 1")
    press(app, "Give it a name")
    entry = write_note(own_workspace, 0, Note("`theirs` *x*"))
    next(box for box in app.text_input if box.label == "Name").set_value("mine")
    app.button(key="note-save").click().run()
    assert r"\`theirs\` \*x\*" in app.warning[0].value
    assert load_notes(entry).names == {0: "`theirs` *x*"}
    app.button(key="note-save").click().run()
    assert load_notes(entry).names == {0: "mine"}


def test_notes_of_an_earlier_module_are_not_used_as_names(
    own_workspace: Path, open_page: OpenApp
) -> None:
    entry = write_note(own_workspace, 1, Note("red cap", "old words"))
    workspace = Workspace(own_workspace)
    module, record = workspace.networks.load_module(entry)
    with torch.no_grad():
        module.v.weight.mul_(0.5)
    save_module(entry.path, module, record)
    app = open_page(own_workspace, feature="x-feature 2")
    assert not app.error
    assert app.title[0].value == "x-feature 2"
    assert app.expander[0].label == ":material/history: 1 note written for an earlier module"
    assert "x-feature 2 “red cap”" in read_texts(app)
    assert "old words" in read_texts(app)


def test_damaged_notes_do_not_affect_the_page_and_can_be_set_aside(
    own_workspace: Path, open_page: OpenApp
) -> None:
    entry = write_note(own_workspace, 1, Note("red cap"))
    get_notes_path(entry).write_text("{")
    app = open_page(own_workspace)
    assert "notes.json are damaged" in app.warning[0].value
    assert len(list_shown(app)) == TEST_PHOTOS
    press(app, "Set the damaged file aside")
    assert not app.warning
    assert get_notes_path(entry).with_name("notes-damaged-1.json").read_text() == "{"
    assert not get_notes_path(entry).exists()
    assert "Give it a name" in [button.label for button in app.button]


def test_notes_that_cannot_be_stored(
    own_workspace: Path, open_page: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("explorer.workspace.notes_file.write_json", refuse)
    app = open_page(own_workspace)
    press(app, "Give it a name")
    next(box for box in app.text_input if box.label == "Name").set_value("cap")
    app.button(key="note-save").click().run()
    assert "Read-only file system" in app.error[0].value
    assert next(box for box in app.text_input if box.label == "Name").value == "cap"


def test_names_with_markup_are_shown_as_they_are() -> None:
    assert escape_words("`*a*` [b](c) <i> :red[x] $y$") == (
        r"\`\*a\*\` \[b\](c) \<i\> \:red\[x\] \$y\$"
    )
    assert name_in_figure(0, {0: "<b>&cap"}) == "1 · &lt;b&gt;&amp;cap"
    assert name_in_figure(0, {0: "n" * 60}) == "1 · " + "n" * 19 + "…"
    assert name_in_figure(1, {0: "cap"}) == "x-feature 2"


def test_numbers_of_every_photo(tiny_workspace: Path) -> None:
    subject = make_subject(tiny_workspace, 2)
    rows = list(csv.DictReader(io.StringIO(make_numbers(subject).decode())))
    assert len(rows) == 48
    split = subject.workspace.load_record(subject.entry).split
    for row in (rows[0], rows[20], rows[47]):
        image_id = int(row["image_id"])
        photo = subject.workspace.dataset.get_photo(image_id)
        image = load_parts(photo).image
        explanation = subject.workspace.networks.explain(subject.entry, image)
        assert row["category"] == photo.category
        side = next((name for name, ids in split.items() if image_id in ids), "unused")
        assert row["side"] == side
        assert float(row["activation"]) == pytest.approx(explanation.x_features[2], abs=1e-4)
        assert float(row["contribution"]) == pytest.approx(explanation.contributions[2], abs=1e-4)


def test_pack_holds_pictures_and_their_numbers(own_workspace: Path) -> None:
    subject = make_subject(own_workspace, 1)
    style = MapStyle("pool3", colours="viridis", opacity=60)
    choice = Choice("random", "all birds", "both", 1, (5, 0, 30), True, 48)
    gone = int(subject.scores.image_ids[0])
    subject.workspace.dataset.get_photo(gone).path.unlink()
    with zipfile.ZipFile(io.BytesIO(make_pack(subject, choice, style))) as pack:
        rows = list(csv.DictReader(io.StringIO(pack.read("numbers.csv").decode())))
        assert [int(row["image_id"]) for row in rows] == subject.scores.image_ids[
            [5, 0, 30]
        ].tolist()
        assert [row["file"] == "" for row in rows] == [False, True, False]
        assert set(pack.namelist()) == {"numbers.csv", rows[0]["file"], rows[2]["file"]}
        for row, index in ((rows[0], 5), (rows[2], 30)):
            assert float(row["activation"]) == float(subject.scores.x_features[index, 1])
            photo = subject.workspace.dataset.get_photo(int(row["image_id"]))
            drawn = drawings.draw_overlay_png(
                subject.workspace, subject.entry, DatasetPhoto(photo), style, 1
            )
            assert pack.read(row["file"]) == drawn
            assert Image.open(io.BytesIO(drawn)).format == "PNG"


def test_a_module_without_measures_says_how_to_get_them(
    tiny_workspace: Path, open_page: OpenApp
) -> None:
    app = open_page(tiny_workspace, category=OTHER)
    assert not app.error
    assert app.title[0].value == "x-feature 1"
    assert any("python -m explorer evaluate" in block.value for block in app.code)
    assert list_shown(app)


def test_a_module_without_decoder_is_reported(own_workspace: Path, open_page: OpenApp) -> None:
    workspace = Workspace(own_workspace)
    entry = workspace.list_modules()[0]
    module, record = workspace.networks.load_module(entry)
    record.settings["method"] = "nn"
    save_module(entry.path, module, record)
    app = open_page(own_workspace)
    assert not app.error
    assert "trained without rebuilding Z" in read_texts(app)
    assert "test photos" not in [caption.value for caption in app.caption][-1]


def test_a_dead_x_feature_is_reported(own_workspace: Path, open_page: OpenApp) -> None:
    workspace = Workspace(own_workspace)
    entry = workspace.list_modules()[0]
    module, record = workspace.networks.load_module(entry)
    with torch.no_grad():
        last = [layer for layer in module.encoder if isinstance(layer, torch.nn.Linear)][-1]
        last.weight[1], last.bias[1] = 0, -1
    save_module(entry.path, module, record)
    app = open_page(own_workspace, feature="x-feature 2")
    assert not app.error
    assert read_metric(app, "State") == "dead"
    assert read_metric(app, "Inactive, own") == "100.0%"
    assert read_metric(app, "AUC, test") == "50.0%"
    assert "adds nothing to the score of any photo" in read_texts(app)
    assert "No dimension of Z is rebuilt worse without it" in read_texts(app)


def test_one_module_alone(own_workspace: Path, open_page: OpenApp) -> None:
    for path in Workspace(own_workspace).list_modules()[1].path.parent.iterdir():
        path.unlink()
    app = open_page(own_workspace)
    assert not app.error
    assert len(list_shown(app)) == TEST_PHOTOS


def test_no_workspace_and_no_modules(
    own_workspace: Path, tmp_path: Path, open_page: OpenApp
) -> None:
    app = open_page(tmp_path / "nowhere")
    assert not app.exception
    assert app.title[0].value == "No workspace yet"
    for path in (own_workspace / "modules").glob("*/*/*"):
        path.unlink()
    app = open_page(own_workspace)
    assert not app.error
    assert app.title[0].value == "No module yet"


def test_a_damaged_module_does_not_affect_the_others(
    own_workspace: Path, open_page: OpenApp
) -> None:
    Workspace(own_workspace).list_modules()[0].path.write_bytes(b"garbage")
    app = open_page(own_workspace)
    assert not app.exception
    assert "module.safetensors" in app.error[0].value
    box = next(box for box in app.selectbox if box.label == "Category")
    app = box.set_value("002.Harebell_capped_Finch").run()
    assert not app.error
    assert list_shown(app)


def test_damaged_measures_do_not_affect_the_rest(own_workspace: Path, open_page: OpenApp) -> None:
    next((own_workspace / "modules").glob("*/*/metrics.json")).write_text("{")
    app = open_page(own_workspace)
    assert not app.exception
    assert len(app.error) == 1
    assert "metrics.json" in app.error[0].value
    assert len(list_shown(app)) == TEST_PHOTOS
    assert app.header[-1].value == "Download and share"


def test_a_missing_photo_does_not_affect_the_others(
    own_workspace: Path, open_page: OpenApp
) -> None:
    app = open_page(own_workspace)
    shown = list_shown(app)
    Workspace(own_workspace).dataset.get_photo(shown[3]).path.unlink()
    app.run()
    assert not app.exception
    assert len(app.error) == 1
    assert "cannot be read" in app.error[0].value
    assert list_shown(app) == shown[:3] + shown[4:]


def test_unknown_numbers_are_not_shown(tiny_workspace: Path) -> None:
    subject = make_subject(tiny_workspace, 0, {0: "cap"})
    assert subject.title == "x-feature 1 “cap”"
    assert summary.make_stem(subject) == (
        "ember-capped-finch_srae-k5-s0-widths16x8-epochs2-pretrain-epochs0_x-feature-1"
    )
