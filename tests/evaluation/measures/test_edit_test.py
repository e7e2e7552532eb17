from dataclasses import replace

import numpy as np
import pytest
from subjects import make_heats, make_source, make_subject

from explorer.data.painted.relatives import Mark
from explorer.evaluation.case import Case
from explorer.evaluation.heat import PhotoHeat
from explorer.evaluation.interventions import Interventions, Repainted, Scores
from explorer.evaluation.measures.edit_test import MEASURE, compute_mark_matrix
from explorer.methods.base import Source

CROWN = Mark("crown", ("crown",), ("azure",))
WINGS = Mark("wing_bar", ("left wing", "right wing"), ("none", "double"))


def same(score: np.ndarray) -> np.ndarray:
    return score


def constant(score: np.ndarray) -> np.ndarray:
    return np.ones_like(score)


def measure(
    case: Case, source: Source, heats: list[PhotoHeat], interventions: Interventions | None
) -> dict[str, float | None]:
    return MEASURE.measure(make_subject(case, source, heats, interventions))


def make_scores(case: Case, z: list[list[float]]) -> Scores:
    """Make outputs whose category's logit is the sum of Z."""
    rows = np.array(z, np.float32)
    logits = np.zeros((len(rows), len(case.workspace.dataset.categories)), np.float32)
    logits[:, case.index] = rows.sum(axis=1)
    return Scores(rows, logits)


def mark_twice(
    case: Case, interventions: Interventions, monkeypatch: pytest.MonkeyPatch
) -> Interventions:
    """On every photo, the crown takes 3 of Z's first dimension, and the wings 1 or 2 of both."""
    photo = make_scores(case, [[5.0, 4.0]])
    repainted = Repainted(
        photo=photo,
        marks={
            "crown": make_scores(case, [[2.0, 4.0]]),
            "wing_bar": make_scores(case, [[4.0, 3.0], [3.0, 2.0]]),
        },
        greyed={},
        backdrops=photo,
        distracted=np.zeros((3, 64, 64), np.float32),
        distractor=np.zeros((64, 64), bool),
        distracted_scores=photo,
    )
    own = Interventions(interventions.workspace, interventions.category, interventions.truth)
    monkeypatch.setattr(own, "marks", (CROWN, WINGS))
    monkeypatch.setattr(own, "repaint", lambda _: repainted)
    return own


def test_each_x_feature_is_measured_with_each_mark(
    painted_case: Case, interventions: Interventions, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = mark_twice(painted_case, interventions, monkeypatch)
    heats = make_heats(painted_case, ["crown"], ["left wing", "right wing"])
    plain = make_source(painted_case, same, same)
    source = replace(plain, activate=lambda z, _: z[:, :2], v=np.array([1.0, 2.0]))
    subject = make_subject(painted_case, source, heats, two)
    matrix = compute_mark_matrix(subject)
    np.testing.assert_allclose(matrix.falls, [[3.0, 1.5], [0.0, 3.0]])
    np.testing.assert_allclose(matrix.heat, np.eye(2))
    found = MEASURE.measure(subject)
    assert found["edit_marks"] == 2
    assert found["edit_score_crown"] == pytest.approx(3)
    assert found["edit_score_wing_bar"] == pytest.approx(3)
    assert found["edit_score"] == pytest.approx(3)
    assert found["edit_pointer"] == found["edit_matched"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["edit_owned"] == 2
    # Ranks of heat 3.5, 1.5, 1.5, 3.5, and of falls 3.5, 2, 1, 3.5.
    assert found["edit_rank"] == pytest.approx(4 / np.sqrt(4 * 4.5))


def test_a_single_map_still_ranks_the_marks(
    painted_case: Case, interventions: Interventions, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = mark_twice(painted_case, interventions, monkeypatch)
    source = replace(make_source(painted_case, same), activate=lambda z, _: z[:, :1])
    for mark, rank in ((CROWN, 1.0), (WINGS, -1.0)):
        heats = make_heats(painted_case, mark.parts)
        found = MEASURE.measure(make_subject(painted_case, source, heats, two))
        assert found["edit_rank"] == pytest.approx(rank), "the crown takes 3, the wings 1.5"


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
    assert found["edit_rank"] is None
    assert not {"edit_pointer", "edit_uniform", "edit_matched", "edit_owned"} & found.keys()


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
