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
    ("photos", "passes", "rate"),
    [
        (1, (60, 10), 1e-3),
        (2_688, (60, 10), 1e-3),
        (2_689, (60, 10), 2_689 / 2_688 * 1e-3),  # 22 batches, the last of a single photo
        (2_817, (58, 10), 2_817 / 2_688 * 1e-3),
        (8_050, (21, 4), 2e-3),
        (8_064, (21, 4), 2e-3),
        (10**7, (1, 1), 2e-3),
    ],
)
def test_many_photos_need_fewer_passes(photos: int, passes: tuple[int, int], rate: float) -> None:
    settings = TrainingSettings(seed=3)
    found = settings.shorten(photos)
    assert (found.epochs, found.pretrain_epochs) == passes
    assert found.learning_rate == pytest.approx(rate)
    rest = replace(found, epochs=60, pretrain_epochs=10, learning_rate=settings.learning_rate)
    assert rest == settings


def test_passes_follow_the_settings() -> None:
    assert TrainingSettings(pretrain_epochs=0).shorten(8_050).pretrain_epochs == 0
    assert TrainingSettings(epochs=120).shorten(8_050).epochs == 41
    assert TrainingSettings(learning_rate=0.7).shorten(8_050).learning_rate == 1
    few = TrainingSettings(learning_rate=0.7)
    assert few.shorten(100) == few
    assert TrainingSettings(batch_size=65_536).shorten(8_050).epochs == 60  # a single batch
