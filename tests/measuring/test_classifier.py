from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.measuring.classifier import measure_classifier
from explorer.measuring.records import load_classifier_measures
from explorer.workspace.workspace import Workspace

Run = Callable[[Any], Any]


def test_classifier_is_measured_on_both_sides(own_workspace: Path, run: Run) -> None:
    workspace = Workspace(own_workspace)
    measured = run(measure_classifier(workspace))
    assert measured.test_photos == 12
    assert measured.test_accuracy == pytest.approx(
        workspace.networks.classifier_report["test_accuracy"]
    )
    assert 0 <= measured.train_accuracy <= 1
    held_out = [photo.category for photo in workspace.held_out]
    counts = [held_out.count(category) for category in workspace.dataset.categories]
    right = np.multiply(measured.category_accuracies, counts)
    assert right.sum() == pytest.approx(12 * measured.test_accuracy)
    np.testing.assert_allclose(right, np.round(right))
    assert load_classifier_measures(workspace) == measured
