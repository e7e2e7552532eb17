import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from steps import run_steps

from explorer.config import CUB_ROOT_VARIABLE, REPOSITORY_ROOT, ExplorerError
from explorer.data import photo
from explorer.data.photo_folders import remember_photo_folder
from explorer.evaluation.results import load_results, write_results
from explorer.measuring.module import measure_module
from explorer.measuring.records import load_classifier_measures, load_module_measures
from explorer.measuring.references import load_references
from explorer.measuring.scores import score_photos
from explorer.shipping.packing import pack_workspace
from explorer.workspace.layout import CLASSIFIER_FILE, PARTS_FILE
from explorer.workspace.photos import check_photos, list_refused
from explorer.workspace.workspace import Workspace

SCRIPT = """
import os, signal, sys
from pathlib import Path
from explorer.shipping.packing import pack_workspace
from explorer.workspace.workspace import Workspace
for _ in pack_workspace(Workspace(Path(sys.argv[1])), Path(sys.argv[2])):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def shipped(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the packed workspace. Read only."""
    write_results(
        finished,
        [{"method": "z", "category": "c", "seed": 0, "measures": {"locality": 1.5}}],
    )
    target = tmp_path_factory.mktemp("shipped") / "birds"
    run_steps(pack_workspace(Workspace(finished), target))
    return target


def list_files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_nothing_but_what_pages_need_is_packed(finished: Path, shipped: Path) -> None:
    modules = [str(p.relative_to(finished)) for p in finished.glob("modules/*/*/*.*")]
    tables = ("bounding_boxes", "classes", "image_class_labels", "images", "train_test_split")
    assert list_files(shipped) == sorted(
        [
            *modules,
            *(f"birds/{name}.txt.gz" for name in (*tables, "parts/parts", "parts/part_locs")),
            *("birds/traits.json", "classifier.safetensors", "features/packed.npz"),
            *("metrics.json", "parts.safetensors", "references.safetensors"),
            *("results/results.csv", "workspace.json"),
        ]
    )


def test_weights_are_in_half_precision_and_fit_each_other(shipped: Path) -> None:
    own = (shipped / CLASSIFIER_FILE, shipped / PARTS_FILE)
    for file in (*own, *shipped.glob("modules/*/*/*.safetensors")):
        assert {str(array.dtype) for array in load_file(file).values()} == {"float16"}
    workspace = Workspace(shipped)
    assert workspace.list_damaged() == ()
    assert workspace.networks.load_part_finder() is not None
    assert load_references(workspace) is not None
    assert len(workspace.list_modules()) == 2
    assert workspace.settings.half
    assert not Path(workspace.settings.dataset).is_absolute()


def test_a_workspace_without_photos_says_the_same_as_the_one_that_it_was_made_of(
    finished: Path, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a photo was opened")

    before, after = Workspace(finished), Workspace(shipped)
    features = run_steps(before.networks.compute_features())
    monkeypatch.setattr(photo, "load_photo", refuse)
    packed = run_steps(after.networks.compute_features())
    np.testing.assert_allclose(packed.z, features.z, rtol=2**-10, atol=1e-6)
    np.testing.assert_allclose(packed.logits, features.logits, rtol=2e-3, atol=2e-3)
    assert not after.dataset.has_photos
    assert after.held_out[0].image_id == before.held_out[0].image_id
    for old, new in zip(before.list_modules(), after.list_modules(), strict=True):
        assert after.load_record(new).split == before.load_record(old).split
        one, other = score_photos(before, old, features), score_photos(after, new, packed)
        np.testing.assert_allclose(other.y_bar, one.y_bar, rtol=5e-3, atol=5e-3)
        measured, kept = load_module_measures(before, old), load_module_measures(after, new)
        assert measured is not None
        assert kept is not None
        assert kept.locality == measured.locality
    assert load_classifier_measures(after) is not None
    assert load_results(shipped) is not None


def test_a_packed_workspace_is_packed_again_to_the_byte(shipped: Path, tmp_path: Path) -> None:
    run_steps(pack_workspace(Workspace(shipped), tmp_path / "again"))
    assert list_files(tmp_path / "again") == list_files(shipped)
    for name in list_files(shipped):
        assert (tmp_path / "again" / name).read_bytes() == (shipped / name).read_bytes(), name


def test_photos_are_found_in_a_copy_and_nothing_is_computed_again(
    finished: Path, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Workspace(shipped).dataset.photos_root is None
    monkeypatch.setenv(CUB_ROOT_VARIABLE, str(finished / "birds"))
    workspace = Workspace(shipped)
    assert workspace.dataset.photos_root == finished / "birds"
    assert list(workspace.networks.compute_features()) == []
    image = photo.load_photo(workspace.dataset.photos[0])
    assert workspace.networks.explain(workspace.list_modules()[0], image).maps.any()


def test_a_copy_is_checked_and_remembered(finished: Path, shipped: Path, cub_folder: Path) -> None:
    with pytest.raises(ExplorerError, match="lacks 48 of 48 photos"):
        check_photos(Workspace(shipped), cub_folder)
    check_photos(Workspace(shipped), finished / "birds")
    assert Workspace(shipped).dataset.photos_root is None
    remember_photo_folder(finished / "birds")
    assert Workspace(shipped).dataset.photos_root == finished / "birds"
    assert list_refused(Workspace(shipped)) == {}


def test_a_copy_that_does_not_fit_is_told(
    shipped: Path, cub_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CUB_ROOT_VARIABLE, str(cub_folder))
    assert Workspace(shipped).dataset.photos_root is None
    assert "lacks 48" in list_refused(Workspace(shipped))[cub_folder]


def test_what_needs_photos_says_how_to_get_them(shipped: Path) -> None:
    workspace = Workspace(shipped)
    with pytest.raises(ExplorerError, match="explorer fetch cub"):
        run_steps(measure_module(workspace, workspace.list_modules()[0]))


def test_without_features_and_photos_the_cure_is_named(shipped: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(shipped, tmp_path / "copy"))
    (copy / "features" / "packed.npz").write_bytes(b"damaged")
    with pytest.raises(ExplorerError, match="are not on this computer"):
        run_steps(Workspace(copy).networks.compute_features())


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root writes everywhere")
def test_it_can_be_opened_read_only(shipped: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(shipped, tmp_path / "copy"))
    for path in (copy, *copy.rglob("*")):
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    assert len(run_steps(Workspace(copy).networks.compute_features()).z) == 48


def test_opening_it_writes_nothing(shipped: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in shipped.rglob("*")}
    workspace = Workspace(shipped)
    run_steps(workspace.networks.compute_features())
    workspace.networks.load_module(workspace.list_modules()[0])
    assert {path: path.stat().st_mtime_ns for path in shipped.rglob("*")} == before


def test_too_large_a_result_is_refused_and_removed(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(ExplorerError, match=r"more than 0\.1 MB: classifier\.safetensors \d"):
        run_steps(pack_workspace(Workspace(finished), tmp_path / "new", most_megabytes=0.1))
    assert list(tmp_path.glob("*new*")) == []


def test_files_of_macos_are_not_packed(finished: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(finished, tmp_path / "source"))
    (source / "results").mkdir(exist_ok=True)
    (source / "results/._results.csv").write_bytes(b"\0\5\x16\7")
    (tmp_path / "new").mkdir()
    (tmp_path / "new/.DS_Store").touch()
    run_steps(pack_workspace(Workspace(source), tmp_path / "new"))
    assert not {"results/._results.csv", ".DS_Store"} & set(list_files(tmp_path / "new"))


def test_an_existing_folder_is_left_alone(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ExplorerError, match="exists already"):
        run_steps(pack_workspace(Workspace(finished), tmp_path))
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["notes.txt"]


def test_a_killed_run_leaves_no_target(finished: Path, tmp_path: Path) -> None:
    target = tmp_path / "new"
    command = [sys.executable, "-c", SCRIPT, str(finished), str(target)]
    ended = subprocess.run(command, cwd=REPOSITORY_ROOT, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert not target.exists()
    run_steps(pack_workspace(Workspace(finished), target))
    assert Workspace(target).list_damaged() == ()


def test_unfinished_workspaces_are_refused(finished: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(finished, tmp_path / "copy"))
    (copy / "metrics.json").unlink()
    with pytest.raises(ExplorerError, match="explorer evaluate"):
        run_steps(pack_workspace(Workspace(copy), tmp_path / "new"))
    shutil.copy(finished / "metrics.json", copy)
    next(copy.glob("modules/*/*/metrics.json")).unlink()
    with pytest.raises(ExplorerError, match=r"module\.safetensors has not been measured"):
        run_steps(pack_workspace(Workspace(copy), tmp_path / "new"))
    with pytest.raises(ExplorerError, match="no modules of the run nn-k5-s0"):
        run_steps(pack_workspace(Workspace(copy), tmp_path / "new", run="nn-k5-s0"))
    assert not (tmp_path / "new").exists()
