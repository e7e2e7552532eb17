from pathlib import Path

import numpy as np
import pytest
import torch
from steps import run_steps
from workspaces import make_tiny_workspace

from explorer.config import PUBLIC_VARIABLE, ExplorerError, PublicError
from explorer.data.photo import load_photo
from explorer.doctor.examine import examine
from explorer.doctor.findings import Severity
from explorer.nn.checkpoint import load_tensors, save_tensors
from explorer.nn.part_finder_file import load_part_finder
from explorer.nn.records import CheckpointError
from explorer.training.parts.settings import PartSettings
from explorer.training.parts.train import train_part_finder
from explorer.workspace.layout import PARTS_FILE, PARTS_FOLDER
from explorer.workspace.workspace import Workspace

SETTINGS = PartSettings(width=8, epochs=1, precision="full")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a tiny workspace with a hardly trained part finder. Read only, but for its file."""
    workspace = Workspace(make_tiny_workspace(tmp_path_factory.mktemp("parts") / "tiny"))
    run_steps(train_part_finder(workspace, SETTINGS))
    return workspace


@pytest.fixture
def intact(trained: Workspace) -> Workspace:
    """Return the workspace as it was, whatever an earlier test did to the file."""
    _KEPT.setdefault("file", (trained.path / PARTS_FILE).read_bytes())
    (trained.path / PARTS_FILE).write_bytes(_KEPT["file"])
    return trained


_KEPT: dict[str, bytes] = {}


def test_the_part_finder_reads_a_fine_layer_and_says_how_good_it_is(intact: Workspace) -> None:
    finder, record = load_part_finder(intact.path / PARTS_FILE, intact.networks.backbone)
    assert record.layer == "pool3"  # 16 × 16 cells; pool4 has 8 × 8
    assert record.part_names == intact.dataset.part_names
    assert record.accuracy.photos == len(intact.held_out)
    assert 0 <= record.accuracy.pck <= 1
    assert not any(parameter.requires_grad for parameter in finder.parameters())
    assert not (intact.path / PARTS_FOLDER).exists()


def test_parts_are_found_within_any_photo(intact: Workspace) -> None:
    for image in (load_photo(intact.held_out[0]), np.zeros((31, 97, 3), np.uint8)):
        found = intact.networks.find_parts(image)
        assert found is not None
        height, width = image.shape[:2]
        x, y, across, down = found.box
        assert min(found.box) >= 0
        assert x + across <= width
        assert y + down <= height
        assert found.points.shape == (15, 2)
        seen = found.points[found.visible]
        assert ((seen >= 0) & (seen <= (width, height))).all()
        assert ((found.confidence >= 0) & (found.confidence <= 1)).all()


def test_another_one_is_trained_only_by_force(intact: Workspace) -> None:
    with pytest.raises(ExplorerError, match="exists already"):
        run_steps(train_part_finder(intact, SETTINGS))


def test_a_public_server_trains_nothing(intact: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PUBLIC_VARIABLE, "1")
    with pytest.raises(PublicError):
        run_steps(train_part_finder(intact, SETTINGS, force=True))


def test_a_layer_that_does_not_exist_is_refused(intact: Workspace) -> None:
    settings = PartSettings(layer="pool9", width=8, epochs=1)
    with pytest.raises(ExplorerError, match="Choose one of: relu1"):
        run_steps(train_part_finder(intact, settings, force=True))


def list_errors(workspace: Workspace) -> list[str]:
    found = run_steps(examine(workspace.path))
    return [one.problem for one in found if one.severity is Severity.ERROR]


def test_the_doctor_knows_the_file_and_an_unfinished_training(intact: Workspace) -> None:
    assert list_errors(intact) == []
    folder = intact.path / PARTS_FOLDER
    folder.mkdir()
    notes = [one for one in run_steps(examine(intact.path)) if one.path == folder]
    folder.rmdir()
    assert [one.severity for one in notes] == [Severity.NOTE]


def change_header(file: Path, **changes: object) -> None:
    tensors, header = load_tensors(file)
    save_tensors(file, tensors, {**header, **changes})


def test_a_damaged_file_is_never_used(intact: Workspace) -> None:
    file, backbone = intact.path / PARTS_FILE, intact.networks.backbone
    whole = file.read_bytes()

    def refuse(match: str) -> None:
        with pytest.raises(CheckpointError, match=match):
            load_part_finder(file, backbone)
        assert any(file.name in problem for problem in list_errors(intact)) or match == "no file"
        file.write_bytes(whole)

    file.write_bytes(whole[:-100])
    refuse("not a readable safetensors file")
    tensors, header = load_tensors(file)
    tensors["heat.bias"] = tensors["heat.bias"] + 1
    save_tensors(file, tensors, header)
    refuse("its weights are not those that were saved")
    tensors["heat.bias"] = torch.full_like(tensors["heat.bias"], torch.nan)
    save_tensors(file, tensors, header)
    refuse("NaN")
    change_header(file, backbone_sha256="0" * 64)
    refuse("another network")
    change_header(file, layer="pool4")
    refuse("a layer that the network does not have")
    change_header(file, shape={"channels": 128, "parts": 15, "width": 9})
    refuse("contradicts its own description")
    change_header(file, shape={"channels": 128, "parts": 15, "width": 10**9})
    refuse("its width must be from 1")
    change_header(file, part_names=["beak"])
    refuse("numbers of parts contradict")
    change_header(file, kind="module")
    refuse("not a part finder")


def test_one_for_other_parts_is_refused(intact: Workspace) -> None:
    names = [f"part {number}" for number in range(15)]
    change_header(intact.path / PARTS_FILE, part_names=names)
    with pytest.raises(ExplorerError, match="finds other parts than"):
        Workspace(intact.path).networks.find_parts(np.zeros((20, 20, 3), np.uint8))


def test_without_a_file_nothing_is_found(intact: Workspace) -> None:
    (intact.path / PARTS_FILE).unlink()
    opened = Workspace(intact.path)
    assert not opened.has_part_finder
    assert opened.networks.find_parts(np.zeros((20, 20, 3), np.uint8)) is None
