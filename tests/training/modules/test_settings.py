from dataclasses import replace
from typing import Any

import pytest

from explorer.config import ExplorerError
from explorer.training.modules.settings import TrainingSettings


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"pretrain_epochs": -1},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"learning_rate": 1.1},
        {"learning_rate": float("nan")},
        {"weight_decay": -1e-4},
        {"weight_decay": float("nan")},
        {"patience": -1},
    ],
)
def test_impossible_settings_are_refused(change: dict[str, Any]) -> None:
    (name,) = change
    with pytest.raises(ExplorerError, match=f"^The {name.replace('_', ' ')} must be "):
        TrainingSettings(**change)


def test_settings_of_versions_without_patience_can_be_read() -> None:
    names = ["epochs", "pretrain_epochs", "batch_size", "learning_rate", "weight_decay", "seed"]
    assert list(TrainingSettings().describe()) == names
    assert TrainingSettings(**TrainingSettings(patience=3).describe()).patience == 3


@pytest.mark.parametrize(
    ("photos", "passes"),
    [
        (1, (60, 10)),
        (2_688, (60, 10)),
        (2_689, (60, 10)),  # 22 batches, the last of a single photo
        (2_817, (58, 10)),
        (8_050, (21, 4)),
        (8_064, (21, 4)),
        (10**7, (1, 1)),
    ],
)
def test_many_photos_need_fewer_passes(photos: int, passes: tuple[int, int]) -> None:
    shortened = TrainingSettings(seed=3).shorten(photos)
    assert (shortened.epochs, shortened.pretrain_epochs) == passes
    assert replace(shortened, epochs=60, pretrain_epochs=10) == TrainingSettings(seed=3)


def test_passes_follow_the_settings() -> None:
    assert TrainingSettings(pretrain_epochs=0).shorten(8_050).pretrain_epochs == 0
    assert TrainingSettings(epochs=120).shorten(8_050).epochs == 41
    assert TrainingSettings(batch_size=65_536).shorten(8_050).epochs == 60  # a single batch
