"""The ways in on the first page: a photo of one's own, and the workspaces that are shipped."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from app_pages import find, read_texts, select, upload
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer import config
from explorer.ui.shared import workspaces
from explorer.ui.shared.workspaces import Introduction, introduce
from explorer.workspace.settings import WorkspaceSettings, load_settings, save_settings
from explorer.workspace.workspace import Workspace

OpenApp = Callable[..., AppTest]
REAL, PAINTED = "200 real species", "Painted birds with known truth"


@pytest.fixture
def shipped(tiny_workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ship two small workspaces; return the one that stands in for the real birds."""
    for name in ("birds", "demo"):
        shutil.copytree(tiny_workspace, tmp_path / name)
        monkeypatch.setattr(config, f"{name.upper()}_WORKSPACE", tmp_path / name)
    shutil.rmtree(tmp_path / "birds" / "modules" / "001.Ember_capped_Finch")
    return tmp_path / "birds"


@pytest.fixture
def open_shipped(
    shipped: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., AppTest]:
    """Return a function that opens a page while no workspace is named."""

    monkeypatch.setattr(config, "WORKSPACE_VARIABLE", "A_VARIABLE_THAT_IS_NOT_SET")

    def run(page: str = "overview", **params: str) -> AppTest:
        return open_app(shipped, page, **params)

    return run


def make_photo() -> bytes:
    pixels = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def list_ways(app: AppTest) -> list[str]:
    return [button.label for button in app.button if str(button.key).startswith("choose-workspace")]


def test_real_birds_come_first_and_both_are_offered(open_shipped: OpenApp) -> None:
    app = open_shipped()
    assert not app.exception
    assert select(app, "Workspace").options == [REAL, PAINTED]
    assert select(app, "Workspace").value == REAL
    assert list_ways(app) == [PAINTED]
    texts = read_texts(app)
    assert f"{REAL}, shown here" in texts
    assert texts.count("A network that tells 200 species of birds apart") == 1
    assert "Birds painted by a program." in texts


def test_one_click_opens_the_other(open_shipped: OpenApp) -> None:
    app = open_shipped()
    assert select(app, "Category").options == ["Harebell-capped Finch"]
    find(app.button, PAINTED).click().run()
    assert not app.exception
    assert not app.warning
    assert select(app, "Workspace").value == PAINTED
    assert "Ember-capped Finch" in select(app, "Category").options
    assert list_ways(app) == [REAL]


def test_each_opens_with_its_example(
    open_shipped: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    birds = Introduction("Real", "Real birds.", example="002.Harebell_capped_Finch")
    demo = Introduction(PAINTED, "Painted birds.", example="002.Harebell_capped_Finch")
    monkeypatch.setattr(workspaces, "_BY_FOLDER", {"birds": birds, "demo": demo})
    app = open_shipped(workspace=PAINTED)
    assert select(app, "Category").value == "002.Harebell_capped_Finch"
    assert len(select(app, "Category").options) > 1
    app = open_shipped(workspace=PAINTED, category="Ember-capped Finch")
    assert select(app, "Category").value == "001.Ember_capped_Finch"


def test_a_link_opens_the_other(open_shipped: OpenApp) -> None:
    app = open_shipped(workspace=PAINTED)
    assert not app.warning
    assert list_ways(app) == [REAL]
    assert "workspace=Painted+birds" in app.code[-1].value


def test_a_single_workspace_is_not_offered(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace, "overview")
    assert not list_ways(app)
    assert "shown here" not in read_texts(app)


def test_only_shipped_workspaces_are_introduced(shipped: Path, tmp_path: Path) -> None:
    known = introduce(shipped)
    assert known is not None
    assert known.name == REAL
    assert introduce(tmp_path / "elsewhere" / "birds") is None


@pytest.mark.parametrize(
    "params", [{}, {"category": "Harebell-capped Finch", "heat": "spotlight", "find": "finch"}]
)
def test_a_photo_on_the_first_page_opens_its_explanation(
    tiny_workspace: Path, open_app: OpenApp, params: dict[str, str]
) -> None:
    app = upload(open_app(tiny_workspace, "overview", **params), make_photo())
    assert not app.exception
    assert not app.error
    assert app.title[0].value == "Your photo"
    assert "robin.jpg, 80 × 60 pixels" in read_texts(app)
    assert app.query_params.get("heat") == params.get("heat")


def test_the_first_page_can_be_opened_again_after_that(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = upload(open_app(tiny_workspace, "overview"), make_photo())
    app.switch_page("../pages/overview.py").run()
    assert app.title[0].value == "Why this bird?"
    app.switch_page("../pages/your_photo.py").run()
    assert "robin.jpg, 80 × 60 pixels" in read_texts(app)


def test_a_photo_taken_on_its_own_page_opens_nothing_later(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = upload(open_app(tiny_workspace, "your_photo"), make_photo())
    assert "robin.jpg, 80 × 60 pixels" in read_texts(app)
    app.switch_page("../pages/overview.py").run()
    assert app.title[0].value == "Why this bird?"


def test_a_file_that_is_no_photo_is_refused_there(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = upload(open_app(tiny_workspace, "overview"), b"not a photo", "notes.jpg")
    assert not app.exception
    assert app.title[0].value == "Why this bird?"
    assert app.error[0].value.startswith(r"notes.jpg\: The file is not a complete")


def test_no_photo_is_taken_without_a_network(own_workspace: Path, open_app: OpenApp) -> None:
    settings = load_settings(own_workspace)
    save_settings(own_workspace, WorkspaceSettings(dataset=settings.dataset))
    assert not Workspace(own_workspace).settings.classifier_sha256
    app = open_app(own_workspace, "overview")
    assert not app.file_uploader
