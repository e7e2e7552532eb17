"""All pages on the workspace of real birds that is shipped, without photos."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from app_pages import read_texts, upload
from photos import hide_photos
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer.config import BIRDS_WORKSPACE, DEMO_WORKSPACE, PAGES_DIR
from explorer.data.photo import load_photo
from explorer.workspace.workspace import Workspace

pytestmark = pytest.mark.skipif(
    not BIRDS_WORKSPACE.is_dir(), reason="the workspace of real birds is not in this clone"
)
OpenApp = Callable[..., AppTest]
PAGES = sorted(path.stem for path in PAGES_DIR.glob("*.py"))


@pytest.fixture(autouse=True)
def _no_photos(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hide_photos(monkeypatch, tmp_path / "none")


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens(open_app: OpenApp, page: str) -> None:
    app = open_app(BIRDS_WORKSPACE, page)
    assert not app.exception
    assert not app.error
    assert app.title


def test_a_painted_bird_is_explained_and_called_strange(open_app: OpenApp) -> None:
    photo = load_photo(Workspace(DEMO_WORKSPACE).dataset.photos[97])
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "PNG")
    app = upload(open_app(BIRDS_WORKSPACE, "your_photo"), file.getvalue())
    assert not app.exception
    assert not app.error
    texts = read_texts(app)
    assert "Why “" in texts
    assert "does not look like any of the 200 species" in texts
