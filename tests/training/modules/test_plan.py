from pathlib import Path

import pytest

from explorer.config import ExplorerError, run
from explorer.methods.srae import SraeSettings
from explorer.training.modules import plan
from explorer.training.modules.plan import plan_training
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.train import train_module
from explorer.workspace.workspace import Workspace

CATEGORY = "002.Harebell_capped_Finch"


def test_the_plan_is_what_training_does(
    own_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace(own_workspace)
    training = TrainingSettings(epochs=6, pretrain_epochs=2, batch_size=4)
    # As if the photos of the workspace were many.
    monkeypatch.setattr("explorer.training.modules.settings.PASS_PHOTOS", 17)
    planned = plan_training(workspace, CATEGORY, training)
    assert planned.training.epochs < training.epochs
    steps: list[str] = []
    entry = run(
        train_module(workspace, CATEGORY, SraeSettings(widths=(8,)), training),
        lambda step: steps.append(step.detail),
    )
    assert planned.photos == len(workspace.load_record(entry).split["train"])
    epochs, pretraining = planned.training.epochs, planned.training.pretrain_epochs
    assert steps[-1] == f"epoch {epochs} of {epochs}"
    assert steps[: pretraining + 1] == [
        *(f"layer 1 of 2, epoch {n} of {pretraining}" for n in range(1, pretraining + 1)),
        f"layer 2 of 2, epoch 1 of {pretraining}",
    ]


def test_a_tenth_is_held_out_to_stop_early(tiny_workspace: Path) -> None:
    workspace = Workspace(tiny_workspace)
    photos = plan_training(workspace, CATEGORY, TrainingSettings()).photos
    held = plan_training(workspace, CATEGORY, TrainingSettings(patience=3)).photos
    assert held == round(0.9 * photos)


def test_too_few_photos_are_reported(tiny_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ExplorerError("It needs at least one held-out photo.")

    monkeypatch.setattr(plan, "draw_module_split", refuse)
    with pytest.raises(ExplorerError, match="held-out"):
        plan_training(Workspace(tiny_workspace), CATEGORY, TrainingSettings())
