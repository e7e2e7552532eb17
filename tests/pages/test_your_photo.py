import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import streamlit as st
from app_pages import find, list_captions, read_texts, upload
from photos import encode, make_jpeg, make_pixels
from PIL import Image
from steps import run_steps
from streamlit.testing.v1 import AppTest

from explorer.analysis import trust
from explorer.analysis.doubt import Judgement, Level
from explorer.analysis.trust import Count
from explorer.config import ExplorerError
from explorer.data.cub import format_category
from explorer.data.names import name_categories
from explorer.data.samples import draw_meadow
from explorer.data.uploads.decoding import FORMAT_NAMES
from explorer.explaining import answer as answers
from explorer.explaining.photo import answer_photo
from explorer.explaining.sentence import describe_contributions
from explorer.explaining.words import describe_answer
from explorer.measuring.parts import load_parts
from explorer.measuring.references import load_or_compute_references
from explorer.nn.backbones.backbone import Backbone
from explorer.render.numbers import format_number, format_signed
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.your_photo import verdict
from explorer.ui.your_photo.own_photo import SAMPLE
from explorer.workspace.layout import CLASSIFIER_FILE, REFERENCES_FILE
from explorer.workspace.networks import Networks
from explorer.workspace.settings import WorkspaceSettings, save_settings
from explorer.workspace.workspace import Workspace

OpenApp = Callable[..., AppTest]
CATEGORY, OTHER = "001.Ember_capped_Finch", "002.Harebell_capped_Finch"
MEADOW = "No bird, a meadow"


def encode_exactly(pixels: np.ndarray) -> bytes:
    return encode(Image.fromarray(pixels), "PNG")


# --- Missing photo, workspace or module -----------------------------------------------------------


def test_asks_for_a_photo_at_first_and_runs_nothing(
    tiny_workspace: Path, open_app: OpenApp, calls: list[str]
) -> None:
    app = open_app(tiny_workspace, "your_photo")
    assert not app.exception
    assert not app.error
    assert not app.warning
    assert app.title[0].value == "Your photo"
    # The browser would refuse photos for their names, without saying which it takes.
    assert not app.file_uploader[0].allowed_type
    texts = read_texts(app)
    assert f"{FORMAT_NAMES}." in texts
    assert "This network knows painted birds only" in texts
    assert "never written to disk, and nobody else sees it" in texts
    assert not app.image
    assert calls == []


def test_no_workspace(tmp_path: Path, open_app: OpenApp) -> None:
    app = open_app(tmp_path / "nowhere", "your_photo")
    assert not app.exception
    assert [("is not a workspace" in error.value) for error in app.error] == [True]
    assert not app.file_uploader


def test_no_classifier(own_workspace: Path, open_app: OpenApp) -> None:
    shutil.rmtree(own_workspace / "modules")
    (own_workspace / CLASSIFIER_FILE).unlink()
    save_settings(own_workspace, WorkspaceSettings(dataset="birds"))
    app = open_app(own_workspace, "your_photo")
    assert not app.error
    assert app.title[0].value == "No network yet"
    assert not app.file_uploader


def test_without_modules_the_score_is_still_drawn(
    own_workspace: Path, open_app: OpenApp, calls: list[str]
) -> None:
    shutil.rmtree(own_workspace / "modules")
    app = upload(open_app(own_workspace, "your_photo"), encode_exactly(make_pixels()), "a.png")
    assert not app.exception
    assert not app.error
    assert calls == ["scores", "score, relu1"]
    assert "this workspace has none yet" in read_texts(app)
    workspace = Workspace(own_workspace)
    _, logits = workspace.networks.compute_scores(
        workspace.networks.prepare_image(make_pixels())[np.newaxis]
    )
    first = workspace.dataset.categories[int(logits[0].argmax())]
    name = format_category(first)
    assert any(f"--category '{name}'" in block.value for block in app.code)
    assert [button.label for button in app.get("download_button")][-1] == (
        "Picture of the score (PNG)"
    )
    # Photo, neighbours and the map; the neighbours are named, but lead nowhere.
    assert len(app.image) >= 2 + 6
    assert "Painted bird" in read_texts(app)
    assert not [link for link in app.main.get("page_link") if "Painted bird" in link.proto.label]


def test_link_to_a_sample_without_modules(own_workspace: Path, open_app: OpenApp) -> None:
    shutil.rmtree(own_workspace / "modules")
    app = open_app(own_workspace, "your_photo", source=SAMPLE, sample=MEADOW, colours="viridis")
    link = app.code[-1].value
    params = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    assert params["sample"] == MEADOW
    again = open_app(own_workspace, "your_photo", **params)
    assert not again.warning
    assert again.code[-1].value == link
    assert read_texts(again) == read_texts(app)


def test_damaged_module_leaves_scores_and_the_other_categories(
    own_workspace: Path, open_app: OpenApp
) -> None:
    for entry in Workspace(own_workspace).list_modules():
        if entry.category == CATEGORY:
            entry.path.write_bytes(entry.path.read_bytes()[:100])
    app = open_app(own_workspace, "your_photo", explained="Ember-capped Finch")
    app = upload(app, make_jpeg())
    assert not app.exception
    (error,) = app.error
    assert "module.safetensors" in error.value
    assert "Choose another category or module above" in error.value
    assert "What the network says" in read_texts(app)
    find(app.selectbox, "Explain the score of").set_value(OTHER).run()
    assert not app.error
    assert "X-features, the largest contribution first" in read_texts(app)


def test_damaged_classifier_leaves_the_photo(own_workspace: Path, open_app: OpenApp) -> None:
    classifier = own_workspace / CLASSIFIER_FILE
    classifier.write_bytes(classifier.read_bytes()[:100])
    app = upload(open_app(own_workspace, "your_photo"), make_jpeg())
    assert not app.exception
    (error,) = app.error
    assert "classifier.safetensors" in error.value
    assert len(app.image) == 1


def test_a_highest_category_without_a_module_comes_with_the_command_to_train_it(
    own_workspace: Path, open_app: OpenApp
) -> None:
    workspace = Workspace(own_workspace)
    pixels = workspace.networks.prepare_image(make_pixels())[np.newaxis]
    order = np.argsort(-workspace.networks.compute_scores(pixels)[1][0])
    categories = workspace.dataset.categories
    shown = [categories[index] for index in order if categories[index] in (CATEGORY, OTHER)]
    app = upload(open_app(own_workspace, "your_photo"), encode_exactly(make_pixels()), "robin.png")
    box = find(app.selectbox, "Explain the score of")
    assert box.value == shown[0]
    is_told = any("has no module yet" in text for text in list_captions(app))
    assert is_told == (categories[order[0]] not in shown)


# --- Samples --------------------------------------------------------------------------------------


def test_a_sample_is_shown_in_full_without_errors(
    tiny_workspace: Path, open_app: OpenApp, calls: list[str]
) -> None:
    app = open_app(tiny_workspace, "your_photo")
    app.button(key="try-sample").click().run()
    assert not app.exception
    assert not app.error
    assert not app.warning
    samples = find(app.selectbox, "Sample")
    assert len(samples.options) == 6
    assert samples.value == samples.options[0]
    assert "Ember-capped Finch" in samples.value
    assert calls == ["scores", "x-features, relu1", "score, relu1"]
    texts = read_texts(app)
    assert "What the sample shows: Ember-capped Finch. The first guess is" in texts
    assert "knows painted birds only" not in texts
    assert "There are too few test photos to say how far to rely on that." in texts
    # The photo, six neighbours, the map of ŷ with its colour bar, five tiles, the large map.
    assert len(app.image) >= 1 + 6 + 1 + 5 + 1


def test_sentence_and_coarse_maps_are_there_before_the_fine_ones(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    explain = Networks.explain
    monkeypatch.setattr(Backbone, "is_quick", False)

    def fail_at_fine(*args: object) -> object:
        if args[-1] == "relu1":
            raise ExplorerError("no fine maps")
        return explain(*args)

    monkeypatch.setattr(Networks, "explain", fail_at_fine)
    app = upload(open_app(tiny_workspace, "your_photo"), make_jpeg())
    assert any("no fine maps" in error.value for error in app.error)
    assert "**Why “" in read_texts(app)
    pictures = [picture.proto.imgs[0].alt for picture in app.image]
    assert sum("Heatmap of" in alt for alt in pictures) == 5

    monkeypatch.setattr(Networks, "explain", explain)
    app.run()
    assert not app.error
    pictures = [picture.proto.imgs[0].alt for picture in app.image]
    # Five tiles, one map large and the map of the score: no coarse ones are left.
    assert sum("Heatmap of" in alt for alt in pictures) == 7


def test_numbers_are_those_of_the_facade(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace, "your_photo", source=SAMPLE, explained="Harebell-capped Finch")
    workspace = Workspace(tiny_workspace)
    (photo,) = (p for p in workspace.held_out if p.category == CATEGORY)
    image = load_parts(photo).image
    entry = next(entry for entry in workspace.list_modules() if entry.category == OTHER)
    explanation = workspace.networks.explain(entry, image)
    sentence = describe_contributions(
        explanation.contributions, explanation.y_hat, {}, lambda words: f"*{words}*"
    )
    assert f"**Why “Harebell-capped Finch”?** {sentence}" in [text.value for text in app.markdown]
    texts = read_texts(app)
    for value, activation in zip(explanation.contributions, explanation.x_features, strict=True):
        assert (format_signed(value) if activation else "inactive on this photo") in texts
    y_hat, y_bar = format_number(explanation.y_hat), format_number(explanation.y_bar)
    assert f"Network's score {y_hat} · module's {y_bar}" in texts
    _, logits = workspace.networks.compute_scores(
        workspace.networks.prepare_image(image)[np.newaxis]
    )
    first = workspace.dataset.categories[int(logits[0].argmax())]
    verdict = "right" if first == CATEGORY else "wrong"
    assert f"Ember-capped Finch. The first guess is {verdict}." in texts


def test_every_sample_can_be_shown(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace, "your_photo", source=SAMPLE)
    for name in find(app.selectbox, "Sample").options[1:]:
        find(app.selectbox, "Sample").set_value(name).run()
        assert not app.exception
        assert not app.error
        assert any(text.startswith(name.split(",")[0]) for text in list_captions(app))
    assert "What the sample shows: no bird at all." in read_texts(app)


def test_a_damaged_sample_leaves_the_others(own_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(own_workspace, "your_photo", source=SAMPLE, sample=MEADOW)
    (photo,) = (p for p in Workspace(own_workspace).held_out if p.category == CATEGORY)
    photo.path.write_bytes(b"no photo")
    find(app.selectbox, "Sample").set_value(find(app.selectbox, "Sample").options[0]).run()
    assert not app.exception
    assert "cannot be read" in app.error[0].value
    find(app.selectbox, "Sample").set_value(MEADOW).run()
    assert "What the network says" in read_texts(app)


# --- How far to trust it --------------------------------------------------------------------------


def judge_as(
    monkeypatch: pytest.MonkeyPatch, level: Level, share: float = 0.02, **changes: object
) -> None:
    """Let every photo be judged in this way, whatever the few test photos of the workspace say."""
    make = answers.make_answer

    def judge(*args: object) -> answers.Answer:
        values: dict = {
            "judgement": Judgement(level, share),
            "at_certainty": Count(3, 4),
            "when_named": Count(1, 2),
        }
        answer = make(*args)
        return replace(answer, **{**values, "likely": answer.order[:2], **changes})

    monkeypatch.setattr(verdict, "make_answer", judge)


def test_a_strange_photo_looks_like_no_category(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge_as(monkeypatch, Level.STRANGE)
    app = upload(open_app(tiny_workspace, "your_photo"), make_jpeg())
    assert not app.exception
    (warning,) = app.warning
    assert warning.value.startswith(
        "**This does not look like any of the 12 species that the network knows.** Only 2% of "
        "test photos look as strange to it. Its guess all the same is "
    )
    texts = read_texts(app)
    assert "The network says" not in texts
    # The rule is explained, and the scores are shown as well.
    assert "The\n  strangest 5% of test photos count as strange" in texts
    assert "**not proven** to show" in texts
    assert "What the network says" in texts


def test_a_borderline_photo_is_warned_of_and_still_answered(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge_as(monkeypatch, Level.BORDERLINE, 0.12)
    app = upload(open_app(tiny_workspace, "your_photo"), make_jpeg())
    (warning,) = app.warning
    assert "This may be none of the 12 species" in warning.value
    assert "Only 12% of test photos look as strange" in warning.value
    assert "it is right on 3 of 4 test photos; when it says" in warning.value
    assert escape_markdown("If so: it is probably one of: ") in warning.value


def test_a_known_photo_gets_a_neutral_message_with_the_record_and_the_set(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge_as(monkeypatch, Level.KNOWN, 0.5)
    app = upload(open_app(tiny_workspace, "your_photo"), make_jpeg())
    assert not app.warning
    assert not app.success
    texts = read_texts(app)
    assert "it is right on 3 of 4 test photos" in texts
    assert escape_markdown("It is probably one of: ") in texts
    assert "nothing unusual" not in texts.lower()
    assert "the calibrated probability" in texts


def test_a_strange_photo_gets_no_probability(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge_as(monkeypatch, Level.STRANGE)
    app = upload(open_app(tiny_workspace, "your_photo"), make_jpeg())
    (chart, *_) = app.get("plotly_chart")
    notes = [note["text"] for note in json.loads(chart.proto.spec)["layout"]["annotations"]]
    assert notes
    assert not any("%" in note for note in notes)
    assert "Probabilities are left out" in read_texts(app)


@pytest.mark.parametrize(
    ("level", "words"),
    [
        (Level.STRANGE, "is rightly doubted"),
        (Level.BORDERLINE, "is rightly doubted"),
        (Level.KNOWN, "the rule below does not notice"),
    ],
)
def test_a_sample_without_a_bird_says_whether_the_rule_noticed(
    tiny_workspace: Path,
    open_app: OpenApp,
    monkeypatch: pytest.MonkeyPatch,
    level: Level,
    words: str,
) -> None:
    judge_as(monkeypatch, level)
    app = open_app(tiny_workspace, "your_photo", source=SAMPLE, sample=MEADOW)
    assert words in read_texts(app)


def test_the_page_says_what_the_command_line_says(
    own_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both judge by the few test photos that there are."""
    monkeypatch.setattr(trust, "MIN_PHOTOS", 6)
    app = open_app(own_workspace, "your_photo", source=SAMPLE, sample=MEADOW)
    workspace = Workspace(own_workspace)
    standard = answers.make_standard(run_steps(load_or_compute_references(workspace)))
    answer = answer_photo(workspace, standard, draw_meadow())
    assert answer.judgement is not None
    words = describe_answer(answer, name_categories(answer.categories))
    texts = read_texts(app)
    assert escape_markdown(words.headline) in texts
    assert all(escape_markdown(sentence) in texts for sentence in words.sentences)


def test_neighbours_are_photos_that_the_network_has_learnt_from(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(tiny_workspace, "your_photo", source=SAMPLE)
    held_out = {photo.image_id for photo in Workspace(tiny_workspace).held_out}
    links = [link.proto.label for link in app.main.get("page_link")]
    shown = {int(label.split()[-1]) for label in links if label.startswith("Painted bird")}
    assert len(shown) == 6
    assert not shown & held_out


def test_references_are_stored_and_then_enough(
    own_workspace: Path, open_app: OpenApp, no_cache: None
) -> None:
    upload(open_app(own_workspace, "your_photo"), make_jpeg())
    assert (own_workspace / REFERENCES_FILE).is_file()
    st.cache_resource.clear()
    file = own_workspace / REFERENCES_FILE
    before = file.stat()
    app = upload(open_app(own_workspace, "your_photo"), make_jpeg())
    assert not app.error
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
