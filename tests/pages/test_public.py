import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from app_pages import read_texts
from streamlit.testing.v1 import AppTest

from explorer.config import PAGES_DIR, PUBLIC_VARIABLE, WORKSPACE_VARIABLE
from explorer.jobs.store import get_jobs_folder
from explorer.ui.shared import cached
from explorer.workspace import features_cache
from explorer.workspace.layout import FEATURES_FOLDER, list_module_entries
from explorer.workspace.notes import get_notes_path
from explorer.workspace.settings import load_settings, save_settings

pytestmark = pytest.mark.usefixtures("state_folder")
OpenApp = Callable[..., AppTest]
PAGES = sorted(path.stem for path in PAGES_DIR.glob("*.py"))


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PUBLIC_VARIABLE, "1")


@pytest.fixture
def bare_workspace(own_workspace: Path) -> Path:
    """Return a workspace without anything that pages compute on the first visit."""
    shutil.rmtree(own_workspace / FEATURES_FOLDER)
    return own_workspace


def list_files(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.usefixtures("public")
def test_a_visitor_writes_nothing_on_any_page(
    page: str, bare_workspace: Path, open_app: OpenApp, written: list[str]
) -> None:
    before = list_files(bare_workspace)
    app = open_app(bare_workspace, page)
    assert not app.exception
    assert not app.error
    assert list_files(bare_workspace) == before
    assert [name for name in written if "__pycache__" not in name] == []
    assert not get_jobs_folder().exists()
    assert "Train a module for" not in [box.label for box in app.selectbox]
    assert not [button for button in app.button if "train" in button.label.lower()]
    assert str(bare_workspace) not in read_texts(app)
    assert not [code for code in app.code if str(bare_workspace) in code.value]


def test_the_same_pages_offer_it_on_a_private_server(
    bare_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(bare_workspace, "category")
    assert "Train a module for" in [box.label for box in app.sidebar.selectbox]
    assert (bare_workspace / FEATURES_FOLDER).is_dir()


@pytest.mark.usefixtures("public")
def test_the_training_page_says_why_it_is_closed(tiny_workspace: Path, open_app: OpenApp) -> None:
    texts = read_texts(open_app(tiny_workspace, "training"))
    assert "This is a public server" in texts
    assert "python -m explorer train" in texts
    assert PUBLIC_VARIABLE in texts


@pytest.mark.usefixtures("public")
def test_about_shows_the_setting(tiny_workspace: Path, open_app: OpenApp) -> None:
    texts = read_texts(open_app(tiny_workspace, "about"))
    assert "This server is public (`SRAE_PUBLIC`)" in texts


@pytest.mark.parametrize("lacks", ["module", "measures", "whole file"])
@pytest.mark.usefixtures("public")
def test_visitors_see_no_folders(lacks: str, own_workspace: Path, open_app: OpenApp) -> None:
    entry = list_module_entries(own_workspace)[0]
    if lacks == "module":
        shutil.rmtree(own_workspace / "modules")
    elif lacks == "measures":
        for path in own_workspace.glob("modules/*/*/metrics.json"):
            path.unlink()
    else:
        entry.path.write_bytes(b"cut short")
    for page in ("overview", "photo", "category"):
        app = open_app(own_workspace, page)
        assert not app.exception
        assert str(own_workspace) not in read_texts(app)
        assert not [code for code in app.code if str(own_workspace) in code.value]
        if lacks == "whole file" and page == "overview":
            assert "1 file is damaged" in read_texts(app)


@pytest.mark.usefixtures("public")
def test_visitors_cannot_open_another_workspace(
    tiny_workspace: Path, own_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = os.pathsep.join(map(str, (tiny_workspace, own_workspace)))
    app = open_app(Path(both), "overview", workspace=own_workspace.name)
    assert "Workspace" not in [box.label for box in app.selectbox]
    app.session_state["workspace"] = own_workspace.name
    app.session_state["device"] = "meta"
    opened: list[tuple[object, ...]] = []
    monkeypatch.setattr(cached, "_open_workspace", lambda *key: opened.append(key))
    app.run()
    assert opened
    assert set(opened) == {(tiny_workspace, "auto")}


@pytest.mark.usefixtures("public")
def test_notes_are_read_and_not_written(own_workspace: Path, open_app: OpenApp) -> None:
    entry = list_module_entries(own_workspace)[0]
    get_notes_path(entry).write_text("no notes")
    app = open_app(own_workspace, "x_feature", category="Ember-capped Finch")
    assert "damaged" in read_texts(app)
    labels = [button.label for button in app.button]
    assert not {"Set the damaged file aside", "Give it a name", "Edit name and note"} & {*labels}
    get_notes_path(entry).unlink()
    app = open_app(own_workspace, "x_feature", category="Ember-capped Finch")
    labels = [button.label for button in app.button]
    assert not {"Give it a name", "Edit name and note"} & {*labels}


@pytest.mark.usefixtures("public")
def test_uploads_have_a_smaller_limit(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace, "your_photo")
    (uploader,) = app.file_uploader
    assert uploader.proto.max_upload_size_mb == 10
    app = uploader.set_value(("large.png", bytes(11 * 2**20), "image/png")).run()
    assert "more than the limit of 10 MB" in read_texts(app)


@pytest.mark.parametrize("lacks", ["photo", "notes"])
def test_errors_name_files_relative_to_the_workspace(
    lacks: str,
    own_workspace: Path,
    tmp_path: Path,
    open_app: OpenApp,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elsewhere = tmp_path / "disk" / "birds"
    elsewhere.parent.mkdir()
    (own_workspace / "birds").rename(elsewhere)
    save_settings(own_workspace, replace(load_settings(own_workspace), dataset=str(elsewhere)))
    if lacks == "photo":
        for photo in (elsewhere / "images").glob("001*/*"):
            photo.write_bytes(b"no photo")
    else:
        for entry in list_module_entries(own_workspace):
            entry.path.with_name("notes.json").write_bytes(b"{")
    monkeypatch.setenv(PUBLIC_VARIABLE, "1")
    texts = read_texts(open_app(own_workspace, "x_feature"))
    named = "birds/images/001" if lacks == "photo" else "copy/modules/001"
    assert named in texts.replace("\\", "")
    assert str(tmp_path) not in texts.replace("\\", "")


@pytest.mark.usefixtures("public")
def test_errors_of_an_unreadable_workspace_show_no_paths(
    tmp_path: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_app(tmp_path / "nowhere", "category")
    texts = read_texts(app)
    assert "Whoever runs this server can repair it." in texts
    assert "python -m explorer demo" not in texts
    assert str(tmp_path) not in texts
    monkeypatch.delenv(WORKSPACE_VARIABLE)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_all_pages_work_on_a_read_only_disk(
    number: int, bare_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(features_cache, "acquire_lock", refuse)
    app = open_app(bare_workspace, "category")
    assert not app.error
    assert not app.exception
    assert app.get("plotly_chart")
    assert not (bare_workspace / FEATURES_FOLDER).exists()
