from typing import Any

import pytest

from explorer.config import ExplorerError
from explorer.training.classifier.settings import FinetuneSettings


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"batch_size": 1},
        {"validation_share": 0.0},
        {"validation_share": 1.0},
        {"learning_rate": -1e-3},
        {"learning_rate": float("nan")},
        {"head_factor": -1.0},
        {"head_factor": float("nan")},
        {"warm_up": 1.0},
        {"warm_up": -0.1},
        {"weight_decay": -1.0},
        {"label_smoothing": 1.0},
        {"label_smoothing": -0.1},
        {"precision": "double"},
        {"seed": -1},
        {"workers": -1},
    ],
)
def test_impossible_settings_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ExplorerError):
        FinetuneSettings(**change)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ("scratch", 1e-3, 0.3, 1, 1)),
        ({"architecture": "vgg19"}, ("imagenet", 1e-4, 0.1, 10, 1)),
        ({"architecture": "vgg19", "initial": "scratch"}, ("scratch", 1e-4, 0.3, 1, 1)),
        ({"initial": "a.pth"}, ("a.pth", 1e-4, 0.1, 10, 1)),
        (
            {"initial": "a.pth", "learning_rate": 0.5, "head_factor": 2.0, "warm_up": 0.2},
            ("a.pth", 0.5, 0.2, 2, 2),
        ),
    ],
)
def test_defaults_depend_on_the_initial_weights(
    settings: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    made = FinetuneSettings(**settings)
    factors = [made.get_head_factor(is_fresh=is_fresh) for is_fresh in (True, False)]
    assert (made.start, made.peak_rate, made.rise, *factors) == expected
