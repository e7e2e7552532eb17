import numpy as np
import pytest
from subjects import make_heats, make_source, make_subject

from explorer.data.painted.truth import get_region_parts
from explorer.evaluation.case import Case
from explorer.evaluation.interventions import Interventions
from explorer.evaluation.measures.pointing import MEASURE


def one(score: np.ndarray) -> np.ndarray:
    return np.ones_like(score)


def measure(
    case: Case, interventions: Interventions | None, *part_sets: list[str]
) -> dict[str, float | None]:
    source = make_source(case, *[one for _ in part_sets])
    return MEASURE.measure(make_subject(case, source, make_heats(case, *part_sets), interventions))


def test_heat_and_maxima_on_the_distinctive_part_are_counted(
    painted_case: Case, interventions: Interventions
) -> None:
    found = measure(painted_case, interventions, ["crown"], ["tail"])
    assert found["telling_share"] == pytest.approx(0.5)
    assert found["pointing_telling"] == pytest.approx(0.5)
    assert found["pointing_box"] == 1
    assert get_region_parts("crown") == {"crown"}


def test_empty_maps_are_ignored(painted_case: Case, interventions: Interventions) -> None:
    found = measure(painted_case, interventions, ["crown"], [])
    assert found["telling_share"] == found["pointing_crown"] == found["pointing_box"] == 1


def test_distinctive_parts_are_known_only_for_painted_birds(painted_case: Case) -> None:
    found = measure(painted_case, None, ["crown"])
    assert found["pointing_crown"] == 1
    assert not [name for name in found if "telling" in name]
