import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import Call, make_call
from photos import make_jpeg
from PIL import Image
from steps import run_steps

from explorer.analysis import trust
from explorer.cli.explain import list_files, name_folder
from explorer.config import (
    BIRDS_WORKSPACE,
    DEMO_WORKSPACE,
    WORKSPACE_VARIABLE,
    ExplorerError,
    list_workspaces,
)
from explorer.explaining.photo import answer_photo, prepare_standard
from explorer.explaining.records import ReportRecord
from explorer.measuring.parts import load_parts
from explorer.nn.part_finder import FoundParts
from explorer.storage.json_records import convert_record, parse_json
from explorer.workspace.networks import Networks
from explorer.workspace.workspace import Workspace


def test_files_of_macos_are_no_photos(tmp_path: Path) -> None:
    for name in ("bird.jpg", "._bird.jpg", "__MACOSX.jpg"):
        (tmp_path / name).touch()
    assert [file.name for file in list_files([tmp_path])] == ["__MACOSX.jpg", "bird.jpg"]


@pytest.fixture(scope="module")
def workspace(tiny_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(shutil.copytree(tiny_workspace, tmp_path_factory.mktemp("own") / "workspace"))
    run_steps(prepare_standard(Workspace(folder)))
    return folder


@pytest.fixture
def call(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Call:
    """Return a function that runs ``explain`` in this process, with so few photos judged."""

    monkeypatch.setattr(trust, "MIN_PHOTOS", 6)
    call_plainly = make_call(monkeypatch, capsys, "explain")
    return lambda *arguments: call_plainly(*arguments, "--workspace", workspace)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "robin.jpg"
    path.write_bytes(make_jpeg())
    return path


def test_text_says_verdict_categories_and_sum(call: Call, photo: Path) -> None:
    status, out, _ = call(photo)
    words = " ".join(out.split())
    assert status == 0
    assert "robin.jpg" in words
    assert "test photo" in words
    assert "do not rely on it" in words, "noise is strange"
    assert "probability" not in words
    assert "x-feature 5" in words
    assert "together ȳ = " in words
    assert "not explained " in words


def test_json_is_the_record_of_the_answer(call: Call, workspace: Path) -> None:
    opened = Workspace(workspace)
    shown = opened.held_out[0]
    status, out, err = call(shown.path, "--json")
    assert (status, err) == (0, "")
    report = convert_record(parse_json(out), ReportRecord, allow_unknown=False)
    (said,) = report.photos
    standard = run_steps(prepare_standard(opened))
    answer = answer_photo(opened, standard, load_parts(shown).image)
    assert answer.judgement is not None
    assert said.level == answer.judgement.level.value
    assert said.certainty == answer.certainty
    assert [one.category for one in said.categories] == list(answer.ranked)
    assert sum(one.probability for one in said.categories) == pytest.approx(1)
    assert sum(one.in_set for one in said.categories) == len(answer.likely)
    why = said.explanation
    assert why is not None
    assert sum(x.contribution for x in why.x_features) == pytest.approx(why.y_bar, abs=1e-4)
    assert why.rest == pytest.approx(why.y_hat - why.y_bar)
    with Image.open(shown.path) as opened_photo:
        assert (said.width, said.height) == opened_photo.size


def test_found_parts_say_where_the_heat_lies(
    call: Call, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Workspace(workspace)
    shown = opened.held_out[0]
    true = load_parts(shown)

    def find_parts(_: Networks, image: np.ndarray) -> FoundParts:
        assert image.shape == true.image.shape
        return FoundParts(true.box, true.points, true.visible * 0.75)

    monkeypatch.setattr(Networks, "find_parts", find_parts)
    monkeypatch.setattr(trust, "MIN_PHOTOS", 100)  # none is judged, so none is strange
    run_json = call(shown.path, "--json")[1]
    (said,) = convert_record(parse_json(run_json), ReportRecord, allow_unknown=False).photos
    assert said.found is not None
    assert said.explanation is not None
    assert len(said.found.parts) == true.visible.sum()
    assert {part.confidence for part in said.found.parts} == {0.75}
    entry = next(e for e in opened.list_modules() if e.category == said.explanation.category)
    measured = true.measure(opened.networks.explain(entry, true.image).maps)
    for x, shares in zip(said.explanation.x_features, measured.values, strict=True):
        assert x.part_shares == pytest.approx(
            dict(zip(opened.dataset.part_names, shares.tolist(), strict=True))
        )
    assert "By the parts found on the photo: x-feature" in " ".join(call(shown.path)[1].split())


def test_without_a_part_finder_no_parts_are_named(call: Call, photo: Path) -> None:
    (said,) = json.loads(call(photo, "--json")[1])["photos"]
    assert said["found"] is None
    assert {x["part_shares"] for x in said["explanation"]["x_features"]} == {None}


def test_bad_files_among_many_are_named_and_skipped(
    call: Call, photo: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "photos" / "deeper"
    folder.mkdir(parents=True)
    shutil.copy(photo, folder / "b.JPG")
    (folder.parent / "a.jpg").write_bytes(b"no photo")
    (folder.parent / "notes.txt").write_text("not looked at")
    table = tmp_path / "birds.csv"
    missing = tmp_path / "missing.jpg"
    status, out, err = call(folder.parent, missing, photo, "--json", "--csv", table)
    assert status == 1
    report = json.loads(out)
    assert [Path(one["file"]).name for one in report["photos"]] == ["b.JPG", "robin.jpg"]
    assert [Path(one["file"]).name for one in report["failures"]] == ["a.jpg", "missing.jpg"]
    squeezed = "".join(err.split())
    assert squeezed.startswith("Error:")
    assert "a.jpg:Thefileisnotacomplete" in squeezed
    assert "missing.jpg:Itcannotberead" in squeezed
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    assert [Path(row["file"]).name for row in rows] == ["b.JPG", "robin.jpg"]
    contributions = [float(rows[0][f"contribution_{n}"]) for n in range(1, 6)]
    assert sum(contributions) == pytest.approx(float(rows[0]["y_bar"]), abs=1e-4)
    members = [one["category"] for one in report["photos"][0]["categories"] if one["in_set"]]
    assert rows[0]["set"].split(";") == members


def test_out_has_pictures_raw_maps_and_numbers(call: Call, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    status, _, _ = call(photo, "--out", out, "--layer", "pool3")
    assert status == 0
    names = {path.name for path in (out / "robin").iterdir()}
    pictures = {f"x-feature-{n}.png" for n in range(1, 6)} | {"excitation-bp-of-the-score.png"}
    assert names == pictures | {"numbers.npz"}
    with Image.open(out / "robin" / "x-feature-1.png") as drawn, Image.open(photo) as shown:
        assert drawn.size == shown.size
    with np.load(out / "robin" / "numbers.npz") as numbers:
        assert numbers["raw_maps"].shape[0] == 5
        assert str(numbers["map_layer"]) == "pool3"
        assert numbers["contributions"].sum() == pytest.approx(float(numbers["y_bar"]), abs=1e-4)


def test_a_category_can_be_named(call: Call, photo: Path, workspace: Path) -> None:
    named = Workspace(workspace).list_modules()[0].category
    _, out, _ = call(photo, "--json", "--category", named.split(".")[1].replace("_", " "))
    assert json.loads(out)["photos"][0]["explanation"]["category"] == named
    other = Workspace(workspace).dataset.categories[7]
    status, _, err = call(photo, "--category", other)
    assert status == 1
    assert "There is no module for" in err


def test_a_folder_without_photos_is_an_error(call: Call, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    status, _, err = call(tmp_path / "empty")
    assert status == 1
    assert "holds no photos" in " ".join(err.split())


def test_folders_of_photos_of_the_same_name_differ(tmp_path: Path) -> None:
    taken: dict[str, int] = {}
    names = [name_folder(Path(path), taken) for path in ("a/robin.jpg", "b/robin.png", "c/x.jpg")]
    assert names == ["robin", "robin-2", "x"]
    with pytest.raises(ExplorerError, match="holds no photos"):
        list(list_files([tmp_path]))


def test_the_shipped_workspace_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(WORKSPACE_VARIABLE, raising=False)
    wanted = BIRDS_WORKSPACE if BIRDS_WORKSPACE.is_dir() else DEMO_WORKSPACE
    assert list_workspaces()[0] == wanted.resolve()
