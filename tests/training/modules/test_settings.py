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
