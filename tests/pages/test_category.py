import csv
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from app_pages import read_texts
from streamlit.testing.v1 import AppTest

from explorer.config import run
from explorer.measuring.records import load_module_measures
from explorer.measuring.scores import score_photos
from explorer.render.numbers import format_signed
from explorer.storage.packing import make_csv
from explorer.ui.category import photos as category_photos
from explorer.ui.category import summary
from explorer.ui.category.photos import Choice, compute_values, sort_rows
from explorer.ui.shared import cached
from explorer.ui.shared.subject import Subject
from explorer.workspace import networks
from explorer.workspace.workspace import Workspace

OpenApp = Callable[..., AppTest]
MEASURED, UNMEASURED = "Ember-capped Finch", "Harebell-capped Finch"
PREFIX = "Painted bird "


@pytest.fixture
def open_page(open_app: OpenApp) -> OpenApp:
    return lambda workspace, **params: open_app(workspace, "category", **params)


def list_photos(app: AppTest) -> list[int]:
    """Return the image ids of the gallery, in their order on the page."""
    labels = [link.proto.label for link in app.main.get("page_link")]
    after = labels[next(n for n, label in enumerate(labels) if label.startswith("All about")) :]
    return [int(label.removeprefix(PREFIX)) for label in after if label.startswith(PREFIX)]


def make_subject(path: Path, feature: int = 0) -> Subject:
    workspace = Workspace(path)
    entry = workspace.list_modules()[0]
    scores = score_photos(workspace, entry, run(workspace.networks.compute_features()))
    sides = cached.load_split(workspace, entry).name_sides(scores.image_ids)
    return Subject(workspace, entry, scores, sides, {}, feature)


def test_the_whole_page_is_shown_without_errors(tiny_workspace: Path, open_page: OpenApp) -> None:
    app = open_page(tiny_workspace)
    assert not app.exception
    assert not app.error
    assert not app.warning
    assert app.title[0].value == MEASURED
    assert [header.value for header in app.header] == [
        "What matters most",
        "How well the module copies the score",
        "All photos",
        "Download and share",
    ]
    assert len(app.get("plotly_chart")) == 2
    assert all(image.proto.imgs[0].alt for image in app.image)
    labels = [button.proto.label for button in app.get("download_button")]
    assert "Every photo's numbers (CSV)" in labels


def test_accuracy_of_the_network_is_shown(tiny_workspace: Path, open_page: OpenApp) -> None:
    subject = make_subject(tiny_workspace)
    held_out = {photo.image_id for photo in subject.workspace.held_out}
    own = [
        row
        for row, image_id in enumerate(subject.scores.image_ids.tolist())
        if image_id in held_out and subject.scores.is_positive[row]
    ]
    right = sum(int(subject.scores.logits[row].argmax()) == 0 for row in own)
    text = f"4 painted birds. The network is right on {right} of {len(own)} held-out photos,"
    assert text in read_texts(open_page(tiny_workspace))


def test_x_features_are_ranked_by_their_mean_contribution(tiny_workspace: Path) -> None:
    subject = make_subject(tiny_workspace)
    rows = summary.find_own_test_rows(subject)
    assert rows.size
    assert subject.scores.is_positive[rows].all()
    assert set(subject.sides[rows]) == {"test"}
    means = subject.scores.contributions[rows].mean(axis=0)
    ranked = means[summary.rank_features(subject)]
    assert (np.diff(ranked) <= 0).all()
    measures = load_module_measures(subject.workspace, subject.entry)
    assert measures is not None
    np.testing.assert_allclose(means, measures.test.mean_contribution, rtol=1e-4, atol=1e-6)


def test_the_first_x_feature_shown_is_the_most_important(
    tiny_workspace: Path, open_page: OpenApp
) -> None:
    subject = make_subject(tiny_workspace)
    best, second = summary.rank_features(subject)[:2] + 1
    assert f"**x-feature {best}** is the most important of 5" in read_texts(
        open_page(tiny_workspace)
    )
    app = open_page(tiny_workspace, feature=f"x-feature {second}")
    assert f"**x-feature {second}** is number 2 of 5" in read_texts(app)


def test_contributions_are_shown_above_the_examples(
    tiny_workspace: Path, open_page: OpenApp
) -> None:
    app = open_page(tiny_workspace)
    chosen = next(box for box in app.segmented_control if box.key == "feature").value
    subject = make_subject(tiny_workspace, chosen)
    for row in summary.find_own_test_rows(subject)[:6]:
        value = float(subject.contributions[row])
        if subject.activations[row]:
            assert format_signed(value) in read_texts(app)
        else:
            assert "inactive on this photo" in read_texts(app)


@pytest.mark.parametrize("sort", category_photos.ORDERS)
def test_gallery_follows_the_order(tiny_workspace: Path, open_page: OpenApp, sort: str) -> None:
    app = open_page(tiny_workspace, sort=sort, first="lowest first", side="all", whose="all birds")
    assert not app.error
    chosen = next(box for box in app.segmented_control if box.key == "feature").value
    subject = make_subject(tiny_workspace, chosen)
    ids = subject.scores.image_ids.tolist()
    shown = [ids.index(image_id) for image_id in list_photos(app)]
    assert len(shown) == 24
    values = compute_values(subject, sort)
    assert values[shown].tolist() == sorted(values.tolist())[:24]


def test_sort_values_are_computed_as_named(tiny_workspace: Path) -> None:
    subject = make_subject(tiny_workspace, 1)
    scores = subject.scores
    row = int(np.flatnonzero(~scores.is_positive)[0])
    others = [v for n, v in enumerate(scores.logits[row].tolist()) if n != 0]
    assert compute_values(subject, "score")[row] == pytest.approx(float(scores.logits[row, 0]))
    assert compute_values(subject, "error")[row] == pytest.approx(
        abs(float(scores.y_bar[row]) - float(scores.y_hat[row])), abs=1e-6
    )
    assert compute_values(subject, "activation")[row] == scores.x_features[row, 1]
    margin = compute_values(subject, "margin")[row]
    assert margin == pytest.approx(float(scores.y_hat[row]) - max(others), abs=1e-5)


@pytest.mark.parametrize(("side", "name"), [("test", "test"), ("training", "train")])
def test_photos_are_filtered_by_side_and_category(
    tiny_workspace: Path, side: str, name: str
) -> None:
    subject = make_subject(tiny_workspace)
    for whose in ("its own category", "all birds"):
        choice = Choice("score", "highest first", side, whose, "photo")
        rows = sort_rows(subject, choice, compute_values(subject, "score"))
        wanted = subject.sides == name
        if whose == "its own category":
            wanted = wanted & subject.scores.is_positive
        assert sorted(rows.tolist()) == np.flatnonzero(wanted).tolist()
        assert (np.diff(subject.scores.y_hat[rows]) <= 0).all()


def test_another_choice_starts_on_the_first_page(
    tiny_workspace: Path, open_page: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(category_photos, "PHOTOS_A_PAGE", 3)
    app = open_page(tiny_workspace, side="all", whose="all birds", photo_page="2")
    assert "4–6 of 48 painted birds" in read_texts(app)
    first = list_photos(app)
    next(box for box in app.segmented_control if box.key == "first").set_value("lowest first").run()
    assert "1–3 of 48 painted birds" in read_texts(app)
    assert list_photos(app) != first


def test_the_link_restores_every_choice(tiny_workspace: Path, open_page: OpenApp) -> None:
    asked = {
        "sort": "margin",
        "first": "lowest first",
        "side": "all",
        "whose": "all birds",
        "pictures": "heatmap",
        "photo_page": "2",
        "feature": "x-feature 3",
        "colours": "viridis",
    }
    app = open_page(tiny_workspace, **asked)
    assert not app.warning
    address = parse_qs(urlsplit(app.code[-1].value).query)
    assert {key: address[key] for key in asked} == {key: [value] for key, value in asked.items()}


def test_unknown_values_in_a_link_are_reported(tiny_workspace: Path, open_page: OpenApp) -> None:
    app = open_page(tiny_workspace, sort="age", whose="mine", photo_page="99", pictures="x-ray")
    assert not app.error
    assert len(app.warning) == 4
    assert all("which is not here" in warning.value for warning in app.warning)


def test_other_choices_run_no_network_again(
    tiny_workspace: Path, open_page: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    compute = networks.compute_explanation

    def count(*args: object) -> object:
        calls.append("explained")
        return compute(*args)

    monkeypatch.setattr(networks, "compute_explanation", count)
    app = open_page(tiny_workspace)
    before = len(calls)
    assert before == len(summary.find_own_test_rows(make_subject(tiny_workspace)))
    for key, value in (("feature", 3), ("scale", "one for all"), ("sort", "margin")):
        next(box for box in app.segmented_control if box.key == key).set_value(value).run()
    next(box for box in app.selectbox if box.key == "colours").set_value("viridis").run()
    app.slider[0].set_value(30).run()
    assert not app.error
    assert len(calls) == before


def test_all_numbers_can_be_downloaded(tiny_workspace: Path) -> None:
    subject = make_subject(tiny_workspace)
    rows = list(csv.DictReader(make_csv(summary.make_columns(subject)).decode().splitlines()))
    assert len(rows) == len(subject.scores.image_ids)
    for row in rows:
        total = sum(float(row[f"contribution_{n}"]) for n in range(1, 6))
        assert total == pytest.approx(float(row["y_bar"]), abs=1e-4)
    assert {row["side"] for row in rows} == {"train", "test"}


def test_unmeasured_module_shows_all_but_its_measures(
    tiny_workspace: Path, open_page: OpenApp
) -> None:
    app = open_page(tiny_workspace, category=UNMEASURED)
    assert not app.error
    assert not app.metric
    assert "has not been measured yet" in read_texts(app)
    assert list_photos(app)


def test_damaged_measures_do_not_affect_the_rest(own_workspace: Path, open_page: OpenApp) -> None:
    next((own_workspace / "modules").glob("*/*/metrics.json")).write_text("{")
    app = open_page(own_workspace)
    assert len(app.error) == 1
    assert "metrics.json" in app.error[0].value
    assert list_photos(app)


def test_damaged_module_is_reported(own_workspace: Path, open_page: OpenApp) -> None:
    module = Workspace(own_workspace).list_modules()[0].path
    module.write_bytes(module.read_bytes()[:100])
    app = open_page(own_workspace)
    assert not app.exception
    assert any("module.safetensors" in error.value for error in app.error)
    assert app.title[0].value == MEASURED


def test_missing_photo_does_not_affect_the_others(own_workspace: Path, open_page: OpenApp) -> None:
    app = open_page(own_workspace, side="all")  # Z is read and kept here
    assert not app.error
    gone = Workspace(own_workspace).dataset.photos_of("001.Ember_capped_Finch")[-1]
    gone.path.unlink()
    app.run()
    assert app.error
    assert all("cannot be read" in error.value for error in app.error)
    assert list_photos(app)


@pytest.mark.parametrize("page", ["category", "overview"])
def test_missing_workspace(tmp_path: Path, open_app: OpenApp, page: str) -> None:
    app = open_app(tmp_path / "nowhere", page)
    assert len(app.error) == 1
    assert "python -m explorer demo" in "\n".join(block.value for block in app.code)


@pytest.mark.parametrize(("top_share", "is_said"), [(0.91, True), (0.31, False), (None, False)])
def test_a_single_x_feature_that_carries_the_score_is_pointed_out(
    own_workspace: Path, open_page: OpenApp, top_share: float | None, is_said: bool
) -> None:
    file = next(own_workspace.glob("modules/*/*/metrics.json"))
    metrics = json.loads(file.read_text())
    metrics["concepts"] |= {"top_share": top_share, "effective_number": top_share and 1.3}
    file.write_text(json.dumps(metrics))
    app = open_page(own_workspace)
    assert not app.exception
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["Effective number"] == ("1.3 of 5" if top_share else "–")
    assert shown["Top share"] == (f"{top_share:.1%}" if top_share else "–")
    texts = read_texts(app)
    assert ("a single x-feature carries **91.0%** of the score" in texts) == is_said
    assert ("with about 1.3 concepts, not 5" in texts) == is_said


def test_measures_of_earlier_versions_are_shown(own_workspace: Path, open_page: OpenApp) -> None:
    file = next(own_workspace.glob("modules/*/*/metrics.json"))
    metrics = json.loads(file.read_text())
    del metrics["concepts"]
    file.write_text(json.dumps(metrics))
    app = open_page(own_workspace)
    assert not app.exception
    assert not app.error
    labels = [metric.label for metric in app.metric]
    assert "Error, test" in labels
    assert "Effective number" not in labels
