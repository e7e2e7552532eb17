import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from steps import run_steps
from typer.testing import CliRunner

from explorer.__main__ import app
from explorer.cli import pack as commands
from explorer.config import ExplorerError
from explorer.data.painted.dataset import PaintedSettings, paint_dataset
from explorer.engines.tasks import run_locally
from explorer.measuring.records import load_module_measures
from explorer.methods.registry import DEFAULT
from explorer.shipping import building
from explorer.shipping.building import build_birds
from explorer.training.classifier.settings import FinetuneSettings
from explorer.training.parts.settings import PartSettings
from explorer.training.parts.train import train_part_finder
from explorer.workspace.create import create_workspace
from explorer.workspace.settings import WorkspaceSettings
from explorer.workspace.workspace import Workspace

FINETUNE = FinetuneSettings(epochs=1, batch_size=16, precision="full", stages="all=1")
MODULE = replace(DEFAULT.settings, widths=(8, 6))


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("painted") / "birds"
    settings = PaintedSettings(
        photos_per_category=4, test_photos_per_category=1, size=64, supersampling=1, plan="pairs"
    )
    run_steps(paint_dataset(root, settings))
    return root


@pytest.fixture(autouse=True)
def _small_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "BIRDS_FINETUNE", FINETUNE)
    quick = PartSettings(width=4, epochs=1, precision="full")
    monkeypatch.setattr(
        building, "train_part_finder", lambda workspace, _: train_part_finder(workspace, quick)
    )


def count_calls(monkeypatch: pytest.MonkeyPatch, name: str) -> list[object]:
    made: list[object] = []
    compute: Callable[..., object] = getattr(building, name)

    def count(*args: object) -> object:
        made.append(args)
        return compute(*args)

    monkeypatch.setattr(building, name, count)
    return made


def test_each_network_is_built_with_its_own_z(birds: Path, tmp_path: Path) -> None:
    steps = build_birds(tmp_path, birds, replace(FINETUNE, architecture="vgg_small_gap"), MODULE)
    next(steps)
    steps.close()
    assert Workspace(tmp_path).settings.z_layer == "avgpool"


def test_an_interrupted_build_goes_on(
    birds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = count_calls(monkeypatch, "train_classifier")
    measured = count_calls(monkeypatch, "measure_module")
    folder = tmp_path / "workspace"
    steps = build_birds(folder, birds, FINETUNE, MODULE)
    for progress in steps:
        if progress.stage == "Drawing heatmaps" and len(measured) == 3:
            break
    steps.close()
    built = run_steps(build_birds(folder, birds, FINETUNE, MODULE))
    assert len(trained) == 1
    assert len(measured) == 12 + 1  # the third, which was not finished, once more
    assert len(built.list_modules()) == 12
    assert built.settings.half
    assert built.networks.load_part_finder() is not None
    assert {entry.run for entry in built.list_modules()} == {"srae-concepts-k5-s0-widths8x6"}
    run_steps(build_birds(folder, birds, FINETUNE, MODULE))
    assert (len(trained), len(measured)) == (1, 13)


def test_an_engine_trains_and_measures_each_module_as_a_task(
    birds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = count_calls(monkeypatch, "TrainingTask")
    measured = count_calls(monkeypatch, "MeasuringTask")
    folder = tmp_path / "workspace"
    built = run_steps(build_birds(folder, birds, FINETUNE, MODULE, engine=run_locally))
    assert len(trained) == len(measured) == 12
    for entry in built.list_modules():
        assert load_module_measures(built, entry) is not None
    entry.metrics_path.unlink()
    run_steps(build_birds(folder, birds, FINETUNE, MODULE, engine=run_locally))
    assert (len(trained), len(measured)) == (12, 13)


def test_one_command_builds_and_packs(
    birds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "build_birds", _build_quickly)
    called = CliRunner().invoke(
        app,
        [
            *("birds", str(tmp_path / "w"), "--cub", str(birds), "--initial", "scratch"),
            *("--epochs", "1", "--pack", str(tmp_path / "packed"), "--device", "cpu"),
            *("--widths", "16x10"),
        ],
        catch_exceptions=False,
    )
    assert called.exit_code == 0, called.output
    assert "classifier.safetensors" in called.output
    packed = Workspace(tmp_path / "packed")
    assert [entry.run for entry in packed.list_modules()] == [
        "srae-concepts-k5-s0-widths16x10"
    ] * 12


def _build_quickly(
    folder: Path, cub: Path, finetune: FinetuneSettings, module: object, **others: Any
) -> object:
    own = replace(finetune, batch_size=16, precision="full", stages="all=1")
    return build_birds(folder, cub, own, module, **others)


def test_pack_prints_sizes_and_refuses_what_is_too_large(finished: Path, tmp_path: Path) -> None:
    target = tmp_path / "packed"
    called = CliRunner().invoke(app, ["pack", str(finished), str(target)], catch_exceptions=False)
    assert called.exit_code == 0
    for part in ("classifier.safetensors", "modules", "features", "birds", "all"):
        assert part in called.output
    with pytest.raises(ExplorerError, match="more than"):
        CliRunner().invoke(
            app,
            ["pack", str(finished), str(tmp_path / "more"), "--most-megabytes", "1"],
            catch_exceptions=False,
        )
    assert not (tmp_path / "more").exists()


def test_a_new_workspace_needs_photos(birds: Path, tmp_path: Path) -> None:
    tables = Path(shutil.copytree(birds, tmp_path / "birds"))
    shutil.rmtree(tables / "images")
    with pytest.raises(ExplorerError, match="has no folder images"):
        create_workspace(tmp_path / "new", WorkspaceSettings(dataset=str(tables)))
    assert not (tmp_path / "new").exists()
