from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from explorer.data.painted.truth import load_truth
from explorer.evaluation.case import Case
from explorer.evaluation.interventions import Interventions
from explorer.workspace.workspace import Workspace

Run = Callable[[Any], Any]
FINCH = "001.Ember_capped_Finch"  # differs from its relative in its crown


@pytest.fixture(scope="module")
def painted_workspace(tiny_workspace: Path) -> Workspace:
    return Workspace(tiny_workspace)


@pytest.fixture
def painted_case(painted_workspace: Workspace, run: Run) -> Case:
    features = run(painted_workspace.networks.compute_features())
    return Case(painted_workspace, features, FINCH, seed=0)


@pytest.fixture(scope="module")
def interventions(painted_workspace: Workspace) -> Interventions:
    truth = load_truth(painted_workspace.dataset.root)
    assert truth is not None
    return Interventions(painted_workspace, FINCH, truth)
