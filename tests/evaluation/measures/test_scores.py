from dataclasses import replace

import numpy as np
import pytest
from subjects import make_heats, make_source, make_subject

from explorer.evaluation.case import Case
from explorer.evaluation.measures.scores import MEASURE


def same(score: np.ndarray) -> np.ndarray:
    return score


def test_a_constant_offset_is_the_error_and_keeps_the_rank_agreement(
    painted_case: Case,
) -> None:
    split = painted_case.split
    scores = {len(ids): painted_case.select(ids)[1] for ids in (split.train, split.test)}

    def explain(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        y_bar = scores[len(z)] + 0.25
        return y_bar[:, None], y_bar

    source = replace(make_source(painted_case, same), explain=explain)
    subject = make_subject(painted_case, source, make_heats(painted_case, ["crown"]))
    found = MEASURE.measure(subject)
    for side, ids in (("train", split.train), ("test", split.test)):
        y_hat = scores[len(ids)]
        assert found[f"f_reg_{side}"] == pytest.approx(0.25, abs=1e-5)
        assert found[f"relative_f_reg_{side}"] == pytest.approx(0.25 / np.ptp(y_hat), rel=1e-4)
        assert found[f"rank_agreement_{side}"] == pytest.approx(1)
        assert found[f"mean_squared_cosine_{side}"] is None, "one x-feature has no pairs"
        assert found[f"accuracy_{side}"] is not None


def test_a_method_without_y_bar_has_no_scores(painted_case: Case) -> None:
    source = make_source(painted_case, same)
    assert MEASURE.measure(make_subject(painted_case, source, [])) == {}
