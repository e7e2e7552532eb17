from dataclasses import replace

import numpy as np
import pytest
from subjects import make_heats, make_source, make_subject

from explorer.evaluation.case import Case
from explorer.evaluation.measures.locality import MEASURE


def one(score: np.ndarray) -> np.ndarray:
    return np.ones_like(score)


def test_maps_on_one_part_are_local_and_empty_maps_are_ignored(
    painted_case: Case,
) -> None:
    heats = make_heats(painted_case, ["crown"], ["tail"], [])
    source = make_source(painted_case, one, one, one)
    found = MEASURE.measure(make_subject(painted_case, source, heats))
    assert found["locality"] == pytest.approx(0)
    assert found["outside"] == pytest.approx(0)
    assert found["live_x_features"] == 2
    assert found["photos"] == len(painted_case.test_photos)


def test_the_locality_of_a_constant_map_is_that_of_the_part_areas(painted_case: Case) -> None:
    names = painted_case.workspace.dataset.part_names
    heats = make_heats(painted_case, list(names))
    found = MEASURE.measure(make_subject(painted_case, make_source(painted_case, one), heats))
    areas = np.stack([heat.parts.compute_areas() for heat in heats]).mean(axis=0)
    expected = -sum(a * np.log(a) for a in areas if a > 0)
    assert found["locality"] == pytest.approx(expected, abs=0.02)


def test_an_x_feature_that_never_contributes_is_not_live(painted_case: Case) -> None:
    heats = make_heats(painted_case, ["crown"], ["tail"])

    def explain(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x_features = np.ones((len(z), 2), np.float32) * [1, 0]
        return x_features, x_features.sum(axis=1)

    source = replace(make_source(painted_case, one, one), explain=explain)
    found = MEASURE.measure(make_subject(painted_case, source, heats))
    assert found["live_x_features"] == 1
