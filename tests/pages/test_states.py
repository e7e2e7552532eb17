import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from app_pages import show_commands
from streamlit.testing.v1 import AppTest

from explorer.data.bird_names import spell_name
from explorer.ui.shared import drawings
from explorer.ui.shared.markdown import escape_markdown
from explorer.workspace.layout import CLASSIFIER_FILE
from explorer.workspace.settings import WorkspaceSettings, save_settings
from explorer.workspace.workspace import Workspace

OpenApp = Callable[..., AppTest]
OTHER = "002.Harebell_capped_Finch"


def show_errors(app: AppTest) -> str:
    assert not app.exception
    assert app.error
    return "\n".join(error.value for error in app.error)


def choose_category(app: AppTest, category: str) -> AppTest:
    return next(box for box in app.selectbox if box.label == "Category").set_value(category).run()


def test_no_workspace(tmp_path: Path, open_app: OpenApp) -> None:
    app = open_app(tmp_path / "nowhere")
    assert "is not a workspace" in show_errors(app)
    assert len(app.error) == 1
    assert "python -m explorer demo" in show_commands(app)
    assert "python -m explorer new" in show_commands(app)


def test_damaged_settings(own_workspace: Path, open_app: OpenApp) -> None:
    (own_workspace / "workspace.json").write_text("{")
    assert "workspace.json" in show_errors(open_app(own_workspace))


def test_missing_data_set(own_workspace: Path, open_app: OpenApp) -> None:
    (own_workspace / "birds" / "images.txt").unlink()
    assert r"images.txt" in show_errors(open_app(own_workspace))


def test_no_classifier(own_workspace: Path, open_app: OpenApp) -> None:
    for path in (own_workspace / "modules").glob("*/*/*"):
        path.unlink()
    (own_workspace / CLASSIFIER_FILE).unlink()
    save_settings(own_workspace, WorkspaceSettings(dataset="birds"))
    app = open_app(own_workspace)
    assert not app.error
    assert app.title[0].value == "No network yet"
    assert f"python -m explorer finetune {own_workspace}" in show_commands(app)


def test_no_modules(own_workspace: Path, open_app: OpenApp) -> None:
    for path in (own_workspace / "modules").glob("*/*/*"):
        path.unlink()
    app = open_app(own_workspace)
    assert not app.error
    assert app.title[0].value == "No module yet"
    assert "python -m explorer train" in show_commands(app)
    assert "--category 'Ember-capped Finch'" in show_commands(app)


def test_module_without_measures(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace, category="Harebell-capped Finch")
    assert not app.error
    assert not app.metric
    assert f"python -m explorer evaluate {tiny_workspace}" in show_commands(app)
    assert app.get("download_button")


def test_damaged_measures_do_not_affect_the_photo(own_workspace: Path, open_app: OpenApp) -> None:
    metrics = next((own_workspace / "modules").glob("*/*/metrics.json"))
    metrics.write_text("{")
    app = open_app(own_workspace)
    assert "metrics.json" in show_errors(app)
    assert len(app.image) >= 1


def test_damaged_module_does_not_affect_the_others(own_workspace: Path, open_app: OpenApp) -> None:
    module = Workspace(own_workspace).list_modules()[0].path
    module.write_bytes(module.read_bytes()[:100])
    app = open_app(own_workspace)
    assert "module.safetensors" in show_errors(app)
    app = choose_category(app, OTHER)
    assert not app.error
    assert app.title[0].value == "Why “Harebell-capped Finch”?"


def test_damaged_classifier_still_shows_the_photo(own_workspace: Path, open_app: OpenApp) -> None:
    classifier = own_workspace / CLASSIFIER_FILE
    classifier.write_bytes(classifier.read_bytes()[:100])
    app = open_app(own_workspace)
    assert "classifier.safetensors" in show_errors(app)
    assert len(app.image) == 1


def test_missing_photo_does_not_affect_the_others(own_workspace: Path, open_app: OpenApp) -> None:
    workspace = Workspace(own_workspace)
    app = open_app(own_workspace)
    photo = next(box for box in app.selectbox if box.label == "Photo")
    path = workspace.dataset.get_photo(photo.value).path
    path.unlink()
    errors = show_errors(app.run())
    assert "cannot be read" in errors
    next(button for button in app.button if button.label == "Next").click().run()
    assert not app.error


@pytest.mark.parametrize("page", ["overview", "category", "photo", "x_feature", "compare"])
def test_a_photo_missing_from_the_start_does_not_affect_the_others(
    own_workspace: Path, open_app: OpenApp, page: str
) -> None:
    photo = Workspace(own_workspace).dataset.photos_of(OTHER)[-1]
    photo.path.unlink()
    app = open_app(own_workspace, page)
    assert not app.exception
    assert not app.error
    shown = open_app(
        own_workspace,
        category="Harebell-capped Finch",
        photo=spell_name(photo.name),
    )
    assert "cannot be read" in show_errors(shown)


def test_unexpected_failure_is_reported_without_a_traceback(
    tiny_workspace: Path,
    open_app: OpenApp,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*args: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(drawings, "draw_tiles", fail)
    with caplog.at_level(logging.ERROR):
        app = open_app(tiny_workspace)
    assert "secret detail" not in show_errors(app)
    assert "secret detail" in caplog.text


def test_messages_keep_paths_and_code_as_they_are() -> None:
    assert escape_markdown("/a_b/$c [1] `run_me $x`") == r"/a\_b/\$c \[1\] `run_me $x`"
