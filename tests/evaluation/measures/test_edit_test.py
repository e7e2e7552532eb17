from dataclasses import replace

import numpy as np
import pytest
from subjects import make_heats, make_source, make_subject

from explorer.evaluation.case import Case
from explorer.evaluation.heat import PhotoHeat
from explorer.evaluation.interventions import Interventions
from explorer.evaluation.measures.edit_test import MEASURE
from explorer.methods.base import Source


def same(score: np.ndarray) -> np.ndarray:
    return score


def constant(score: np.ndarray) -> np.ndarray:
    return np.ones_like(score)


def measure(
    case: Case, source: Source, heats: list[PhotoHeat], interventions: Interventions | None
) -> dict[str, float | None]:
    return MEASURE.measure(make_subject(case, source, heats, interventions))


def test_the_changing_x_feature_must_be_on_the_edited_part(
    painted_case: Case, interventions: Interventions
) -> None:
    heats = make_heats(painted_case, ["crown"], ["tail"])
    fall = measure(painted_case, make_source(painted_case, same, constant), heats, interventions)
    size = fall["edit_score"]
    assert size is not None
    assert size != 0
    assert fall["edit_pointer"] == (1.0 if size > 0 else 0.0)
    assert fall["edit_rank"] == pytest.approx(np.sign(size))
    assert fall["edit_uniform"] == 0.5
    assert fall["edit_error"] is None, "without ȳ there is no error"
    swapped = make_source(painted_case, constant, same)
    blind = measure(painted_case, swapped, heats, interventions)
    assert blind["edit_pointer"] == 0
    assert blind["edit_rank"] == pytest.approx(-np.sign(size))


def test_a_single_x_feature_has_no_pointer_or_rank(
    painted_case: Case, interventions: Interventions
) -> None:
    heats = make_heats(painted_case, ["crown"])
    found = measure(painted_case, make_source(painted_case, same), heats, interventions)
    assert found["edit_pointer"] is found["edit_rank"] is found["edit_uniform"] is None


def test_the_error_of_y_bar_is_relative_to_the_drop_of_the_score(
    painted_case: Case, interventions: Interventions
) -> None:
    heats = make_heats(painted_case, ["crown"])
    plain = make_source(painted_case, same)

    def explain(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.ones((len(z), 1), np.float32), np.zeros(len(z), np.float32)

    found = measure(painted_case, replace(plain, explain=explain), heats, interventions)
    assert found["edit_error"] == pytest.approx(1), "a constant ȳ misses the whole drop"


def test_without_interventions_or_v_there_are_no_results(
    painted_case: Case, interventions: Interventions
) -> None:
    source, heats = make_source(painted_case, same), make_heats(painted_case, ["crown"])
    assert measure(painted_case, source, heats, None) == {}
    assert measure(painted_case, replace(source, v=None), heats, interventions) == {}
