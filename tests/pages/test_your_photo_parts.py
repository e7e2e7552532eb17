import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from app_pages import find, read_texts, upload
from photos import make_jpeg, make_pixels
from steps import run_steps
from streamlit.testing.v1 import AppTest

from explorer.analysis.doubt import Judgement, Level
from explorer.explaining import answer as answers
from explorer.explaining.photo import answer_photo
from explorer.nn.part_finder import FoundParts
from explorer.training.parts.settings import PartSettings
from explorer.training.parts.train import train_part_finder
from explorer.ui.your_photo import finding, verdict
from explorer.ui.your_photo.marks import Marks
from explorer.ui.your_photo.own_photo import FILE, SAMPLE, OwnPhoto
from explorer.workspace.layout import PARTS_FILE
from explorer.workspace.networks import Networks
from explorer.workspace.workspace import Workspace

OpenApp = Callable[..., AppTest]
# What is found on the photo of 90 × 60 pixels: the beak surely, the tail hardly, nothing else.
BEAK, TAIL = 1, 13
BOX = (10.0, 5.0, 60.0, 40.0)


@pytest.fixture(scope="module")
def finding_workspace(tiny_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small workspace with a hardly trained part finder. Read only."""
    folder = Path(shutil.copytree(tiny_workspace, tmp_path_factory.mktemp("finding") / "tiny"))
    settings = PartSettings(width=8, epochs=1, precision="full")
    run_steps(train_part_finder(Workspace(folder), settings))
    return folder


@pytest.fixture
def finds(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Let two parts be found on every photo; return a list that grows with every look."""
    looks: list[object] = []

    def find_parts(_: Networks, image: np.ndarray) -> FoundParts:
        looks.append(image)
        points, confidence = np.full((15, 2), np.nan), np.full(15, 0.1)
        points[BEAK], points[TAIL] = (60, 20), (20, 30)
        confidence[[BEAK, TAIL]] = 0.9, 0.6
        return FoundParts(BOX, points, confidence)

    monkeypatch.setattr(Networks, "find_parts", find_parts)
    return looks


def judge_as(monkeypatch: pytest.MonkeyPatch, level: Level) -> None:
    make = answers.make_answer
    monkeypatch.setattr(
        verdict,
        "make_answer",
        lambda *args: replace(
            make(*args), judgement=Judgement(level, 0.5), likely=make(*args).order[:2]
        ),
    )


def test_parts_are_found_shown_as_found_and_measured(
    finding_workspace: Path, open_app: OpenApp, finds: list[object]
) -> None:
    app = upload(open_app(finding_workspace, "your_photo", parts="true"), make_jpeg())
    assert not app.exception
    assert not app.error
    texts = read_texts(app)
    assert "2 of 15 parts have a place." in texts
    assert "2 of them were found by the network, most surely the beak, 90%" in texts
    assert "least surely the tail, 60%" in texts
    # Said below the histogram and below the partition.
    assert texts.count("By a box and 2 parts found by the network and not checked") == 2
    assert app.slider(key="your_photo_box_0").value == (11, 78)
    find(app.slider, "Opacity").set_value(40).run()
    assert len(finds) == 1


def test_a_found_part_that_is_moved_belongs_to_the_visitor(
    finding_workspace: Path, open_app: OpenApp, finds: list[object]
) -> None:
    app = upload(open_app(finding_workspace, "your_photo", parts="true"), make_jpeg())
    app.session_state["your_photo_part"] = BEAK
    app.run()
    app.button(key="hide-part").click().run()
    texts = read_texts(app)
    assert "1 of 15 parts have a place." in texts
    assert "By a box and 1 part found by the network" in texts
    app.slider(key="your_photo_box_0").set_value((0, 50)).run()
    assert "By 1 part found by the network" in read_texts(app)
    find(app.button, "Clear").click().run()
    assert "found by the network and not checked" not in read_texts(app)
    # What the visitor has taken away does not come back by itself, but when it is asked for.
    assert "0 of 15 parts have a place." in read_texts(app)
    app.button(key="find-parts").click().run()
    assert "By a box and 2 parts found by the network" in read_texts(app)
    find(app.button, "Undo").click().run()
    assert "0 of 15 parts have a place." in read_texts(app)
    assert len(finds) == 1  # what was found is remembered


def test_nothing_is_looked_for_on_a_strange_photo_unless_it_is_asked_for(
    finding_workspace: Path,
    open_app: OpenApp,
    finds: list[object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judge_as(monkeypatch, Level.STRANGE)
    app = upload(open_app(finding_workspace, "your_photo", parts="true"), make_jpeg())
    assert "so no parts were looked for" in read_texts(app)
    assert "0 of 15 parts have a place." in read_texts(app)
    assert not finds
    app.button(key="find-parts").click().run()
    assert "2 of 15 parts have a place." in read_texts(app)
    assert "so no parts were looked for" not in read_texts(app)


def test_annotated_parts_of_a_sample_are_kept(
    finding_workspace: Path, open_app: OpenApp, finds: list[object]
) -> None:
    app = open_app(finding_workspace, "your_photo", source=SAMPLE, parts="true")
    assert not finds
    assert "found by the network and not checked" not in read_texts(app)


def test_the_real_part_finder_runs_on_a_photo(finding_workspace: Path, open_app: OpenApp) -> None:
    app = upload(open_app(finding_workspace, "your_photo"), make_jpeg())
    assert "The network looks for the bird and its parts" in read_texts(app)
    find(app.toggle, "Measure it against parts").set_value(True).run()
    assert not app.exception
    assert not app.error


def test_a_damaged_part_finder_leaves_the_page(
    own_workspace: Path, finding_workspace: Path, open_app: OpenApp
) -> None:
    whole = (finding_workspace / PARTS_FILE).read_bytes()
    (own_workspace / PARTS_FILE).write_bytes(whole[:-50])
    app = upload(open_app(own_workspace, "your_photo", parts="true"), make_jpeg())
    (error,) = app.error
    assert "not a readable safetensors file" in error.value
    assert "The parts can be placed by hand all the same." in error.value
    assert "0 of 15 parts have a place." in read_texts(app)


def test_without_a_part_finder_nothing_is_offered(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = upload(open_app(tiny_workspace, "your_photo"), make_jpeg())
    assert "Say where the bird and its parts are" in read_texts(app)
    find(app.toggle, "Measure it against parts").set_value(True).run()
    assert "Find them" not in [button.label for button in app.button]


def test_pictures_are_cropped_to_the_box_that_is_found_or_placed(
    finding_workspace: Path, finds: list[object]
) -> None:
    workspace, pixels = Workspace(finding_workspace), make_pixels()
    photo = OwnPhoto(pixels, "0" * 64, "robin.jpg", FILE, Marks(90, 60))
    said = answer_photo(workspace, None, pixels)
    assert photo.box is None
    finding.find_box(workspace, photo, said)
    finding.find_box(workspace, photo, said)
    assert photo.box == BOX
    assert len(finds) == 1
    assert photo.parts is None  # nothing is measured that nobody has asked for
    finding.find_box(workspace, photo, replace(said, judgement=Judgement(Level.STRANGE, 0.01)))
    assert photo.box is None
    photo.marks.place(BEAK, 30, 30)
    assert photo.box == photo.marks.box
