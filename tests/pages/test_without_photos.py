"""Pages of a workspace that was packed without photos, and of the same one once they are found."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from app_pages import read_texts, select, show_commands
from photos import hide_photos, make_jpeg
from steps import run_steps
from streamlit.testing.v1 import AppTest
from workspaces import make_finished_workspace

from explorer.config import CUB_ROOT_VARIABLE, PAGES_DIR, PUBLIC_VARIABLE
from explorer.explaining.sentence import describe_contributions
from explorer.measuring import parts
from explorer.measuring.records import load_module_measures
from explorer.measuring.scores import score_photos
from explorer.shipping.packing import pack_workspace
from explorer.ui.shared.cached import load_names
from explorer.workspace import feature_batches
from explorer.workspace.workspace import Workspace

OpenApp = Callable[..., AppTest]
PAGES = sorted(path.stem for path in PAGES_DIR.glob("*.py"))
ABSENT = "The photos of this workspace are not on this computer"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the workspace with photos. Read only."""
    return make_finished_workspace(tmp_path_factory.mktemp("finished") / "tiny")


@pytest.fixture(scope="module")
def shipped(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same workspace, packed. Read only."""
    target = tmp_path_factory.mktemp("shipped") / "birds"
    run_steps(pack_workspace(Workspace(finished), target))
    return target


@pytest.fixture(autouse=True)
def _no_pixels(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Let no other copy be found, and no photo be opened unless a test asks for it."""
    hide_photos(monkeypatch, tmp_path / "none")
    if "with_photos" in request.fixturenames:
        return

    def refuse(*_: object) -> None:
        raise AssertionError("a photo was opened")

    monkeypatch.setattr(parts, "load_photo", refuse)
    monkeypatch.setattr(feature_batches, "load_photo", refuse)


@pytest.fixture
def with_photos(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name the folder of photos."""
    monkeypatch.setenv(CUB_ROOT_VARIABLE, str(finished / "birds"))


def list_links(app: AppTest) -> list[str]:
    return [link.proto.label for link in app.main.get("page_link")]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_without_photos(shipped: Path, open_app: OpenApp, page: str) -> None:
    app = open_app(shipped, page)
    assert not app.exception
    assert not app.error
    assert app.title


@pytest.mark.parametrize("page", ["category", "x_feature", "photo", "compare", "quiz"])
def test_pages_of_photos_say_how_to_get_them(shipped: Path, open_app: OpenApp, page: str) -> None:
    app = open_app(shipped, page)
    assert sum(ABSENT in info.value for info in app.info) == 1
    assert "python -m explorer fetch cub" in show_commands(app)
    assert CUB_ROOT_VARIABLE in read_texts(app)


@pytest.mark.parametrize("page", ["photo", "quiz"])
def test_pages_that_are_empty_lead_to_ones_own_photo(
    shipped: Path, open_app: OpenApp, page: str
) -> None:
    assert "Explain a photo of your own" in list_links(open_app(shipped, page))


def test_a_category_shows_all_its_numbers(finished: Path, shipped: Path, open_app: OpenApp) -> None:
    def read(path: Path) -> list[str]:
        app = open_app(path, "category")
        return [text.value for text in app.markdown if text.value.startswith("network ")]

    with_pixels = Workspace(finished)
    own = with_pixels.dataset.photos_of(with_pixels.list_modules()[0].category)
    numbers = read(shipped)
    assert 0 < len(numbers) <= len(own)
    app = open_app(shipped, "category")
    assert not app.image
    assert [chart.proto.id for chart in app.get("plotly_chart")]


def test_the_first_page_answers_on_average(shipped: Path, open_app: OpenApp) -> None:
    app = open_app(shipped, "overview")
    workspace = Workspace(shipped)
    entry = workspace.list_modules()[0]
    measures = load_module_measures(workspace, entry)
    assert measures is not None
    means = np.array(measures.test.mean_contribution)
    scores = score_photos(workspace, entry, run_steps(workspace.networks.compute_features()))
    test = np.isin(scores.image_ids, workspace.load_record(entry).split["test"])
    y_hat = float(scores.y_hat[test & scores.is_positive].mean())
    names = load_names(workspace, entry)
    texts = [element.value for element in app.main.markdown]
    assert describe_contributions(means, y_hat, names, lambda words: f"*{words}*") in texts[:4]
    order = sorted(range(len(means)), key=lambda n: -abs(means[n]))
    tiles = [link.proto.label for link in app.main.get("page_link")]
    found = [label for label in tiles if label.startswith("x-feature")]
    assert [label.split(" ")[1] for label in found] == [str(n + 1) for n in order]
    assert any("On average over" in caption.value for caption in app.caption)


def test_an_x_feature_shows_activations_and_parts(shipped: Path, open_app: OpenApp) -> None:
    app = open_app(shipped, "x_feature")
    assert not app.image
    assert len(app.get("plotly_chart")) >= 2
    assert "What it rebuilds of Z" in [header.value for header in app.header]
    labels = [button.proto.label for button in app.get("download_button")]
    assert "Every photo's numbers (CSV)" in labels
    assert not [label for label in labels if "pictures" in label]


def test_compare_shows_numbers_and_histograms(shipped: Path, open_app: OpenApp) -> None:
    app = open_app(shipped, "compare")
    assert "Mean error, test" in read_texts(app)
    assert any("needs the photos" in info.value for info in app.info)
    labels = [button.proto.label for button in app.get("download_button")]
    assert any("Numbers of" in label for label in labels)
    assert not any("Maps of the" in label for label in labels)


def test_ones_own_photo_is_explained_in_full(shipped: Path, open_app: OpenApp) -> None:
    app = open_app(shipped, "your_photo")
    upload = app.file_uploader[0]
    upload.set_value(("robin.jpg", make_jpeg(), "image/jpeg"))
    app.run()
    assert not app.exception
    assert not app.error
    assert len(app.image) > 3
    assert "Photos that the network finds most similar" in read_texts(app)


def test_samples_without_a_bird_remain(shipped: Path, open_app: OpenApp) -> None:
    app = open_app(shipped, "your_photo", source="a sample")
    assert not app.error
    (samples,) = [box for box in app.selectbox if box.label == "Sample"]
    assert len(samples.options) == 2


def test_visitors_of_a_public_server_see_no_command(
    shipped: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PUBLIC_VARIABLE, "1")
    app = open_app(shipped, "photo")
    texts = read_texts(app)
    assert "The photos of this workspace are not on this server." in texts
    assert CUB_ROOT_VARIABLE not in texts
    assert "explorer fetch" not in show_commands(app)


def test_a_folder_that_does_not_fit_is_told(
    shipped: Path, open_app: OpenApp, cub_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CUB_ROOT_VARIABLE, str(cub_folder))
    assert "lacks 48 of 48 photos" in read_texts(open_app(shipped, "photo"))


@pytest.mark.parametrize("page", PAGES)
def test_every_page_shows_photos_once_they_are_found(
    shipped: Path, open_app: OpenApp, with_photos: None, page: str
) -> None:
    app = open_app(shipped, page)
    assert not app.exception
    assert not app.error
    assert ABSENT not in read_texts(app)
    if page in ("overview", "category", "x_feature", "photo", "compare"):
        assert app.image


def test_photos_appear_while_the_app_runs(
    shipped: Path, finished: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_app(shipped, "photo")
    assert ABSENT in read_texts(app)
    monkeypatch.undo()
    monkeypatch.setenv("SRAE_WORKSPACE", str(shipped))
    monkeypatch.setenv(CUB_ROOT_VARIABLE, str(finished / "birds"))
    app.run()
    assert not app.error
    assert ABSENT not in read_texts(app)
    assert select(app, "Photo").options


def test_photos_appear_once_their_folder_is_named(
    shipped: Path, finished: Path, open_app: OpenApp, state_folder: Path
) -> None:
    app = open_app(shipped, "quiz")
    app.text_input[0].set_value(str(finished / "elsewhere")).run()
    assert app.error
    app.text_input[0].set_value(str(finished / "birds")).run()
    assert not app.exception
    assert not app.error
    assert ABSENT not in read_texts(app)


def test_overview_shows_drawn_birds_instead(
    finished: Path, shipped: Path, open_app: OpenApp
) -> None:
    app = open_app(shipped, "overview")
    drawn = [alt for image in app.image if "A drawn bird" in (alt := image.proto.imgs[0].alt)]
    workspace = Workspace(shipped)
    tiles = [alt for alt in drawn if "the heat of the x-features of" in alt]
    assert len(tiles) == len(workspace.list_modules()) > 0
    entry = workspace.list_modules()[0]
    assert len(drawn) - len(tiles) == workspace.load_record(entry).settings["x_features"]
    assert "A drawn bird shows where" in read_texts(app)
    assert "A drawn bird shows where" not in read_texts(open_app(finished, "overview"))
