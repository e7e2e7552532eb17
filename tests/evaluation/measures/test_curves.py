from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from subjects import make_subject

from explorer.analysis.curves import name_point
from explorer.evaluation.case import Case
from explorer.evaluation.heat import draw_heat
from explorer.evaluation.measures.curves import MEASURE
from explorer.methods.base import Source
from explorer.workspace.networks import Networks
from explorer.workspace.workspace import Workspace

Run = Callable[[Any], Any]


class MiddleCounts(Networks):
    """A classifier whose score is the brightness of the centre."""

    def estimate_scores(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        side = pixels.shape[-1]
        middle = pixels[:, 0, side // 4 : 3 * side // 4, side // 4 : 3 * side // 4]
        spread = middle.std(axis=(1, 2))[:, None].astype(np.float32)
        return spread, np.repeat(spread, len(self.backbone.categories), axis=1)


def make_source(heat: np.ndarray) -> Source:
    return Source(lambda *_: heat[None], lambda _, logits: logits[:, :1], np.ones(1))


@pytest.fixture
def case(tiny_workspace: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Case:
    workspace = Workspace(tiny_workspace)
    features = run(workspace.networks.compute_features())
    monkeypatch.setattr(workspace, "_networks", MiddleCounts(workspace))
    return Case(workspace, features, workspace.dataset.categories[0], seed=0)


def measure(case: Case, heat: np.ndarray) -> dict[str, float | None]:
    source = make_source(heat)
    heats = [draw_heat(case.workspace, source.draw, photo, "relu1") for photo in case.test_photos]
    return MEASURE.measure(make_subject(case, source, heats))


def test_a_relevant_map_beats_an_irrelevant_one(case: Case) -> None:
    middle = np.zeros((16, 16), np.float32)
    middle[4:12, 4:12] = 1
    right, wrong = measure(case, middle), measure(case, 1 - middle)
    assert right["gap_own"] == right["gap_score"], "one map, whose activation is the score"
    assert right["gap_own"] is not None
    assert wrong["gap_own"] is not None
    assert right["gap_own"] > 0.3 > -0.3 > wrong["gap_own"]
    assert right[name_point("insertion", "own", 0.35)] == pytest.approx(1, abs=0.2)
    assert right[name_point("deletion", "own", 0.35)] == pytest.approx(0, abs=0.2)
    assert right["deletion_own_at_0"] == right["insertion_own_at_100"] == 1
    assert right["deletion_own_at_100"] == right["insertion_own_at_0"] == 0


def test_a_method_without_contributions_has_no_score_curve(case: Case) -> None:
    source = replace(make_source(np.eye(16, dtype=np.float32)), v=None)
    heats = [draw_heat(case.workspace, source.draw, photo, "relu1") for photo in case.test_photos]
    found = MEASURE.measure(make_subject(case, source, heats))
    assert found["gap_score"] is None
    assert found["gap_own"] is not None
