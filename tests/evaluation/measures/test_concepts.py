from dataclasses import replace

import numpy as np
import pytest
from subjects import make_heats, make_source, make_subject

from explorer.evaluation.case import Case
from explorer.evaluation.measures.concepts import MEASURE


def one(score: np.ndarray) -> np.ndarray:
    return np.ones_like(score)


def three(score: np.ndarray) -> np.ndarray:
    return np.full_like(score, 3)


def test_shares_overlap_and_weights_of_known_x_features(painted_case: Case) -> None:
    heats = make_heats(painted_case, ["crown"], ["crown"], ["tail"])
    source = make_source(painted_case, three, one, one)
    found = MEASURE.measure(make_subject(painted_case, source, heats))
    shares = np.array([0.6, 0.2, 0.2])
    assert found["top_share"] == pytest.approx(0.6)
    assert found["effective_number"] == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))
    assert found["overlap"] == pytest.approx(1 / 3), "one of three pairs is on the same part"
    assert found["weighted_locality"] == pytest.approx(0)
    assert found["overlap_pairs"] == 3 * len(painted_case.test_photos)
    assert (found["silent_photos"], found["zero_maps"]) == (0, 0)


def test_an_empty_map_makes_no_pair_and_is_counted(painted_case: Case) -> None:
    heats = make_heats(painted_case, ["crown"], [])
    found = MEASURE.measure(make_subject(painted_case, make_source(painted_case, one, one), heats))
    assert found["overlap"] is None
    assert found["effective_number"] == pytest.approx(2)
    assert found["zero_maps"] == len(painted_case.test_photos)


def test_weighted_and_plain_locality_differ(painted_case: Case) -> None:
    names = painted_case.workspace.dataset.part_names
    heats = make_heats(painted_case, ["crown"], list(names))
    subject = make_subject(painted_case, make_source(painted_case, one, three), heats)
    plain, weighted = subject.summary.mean_locality, MEASURE.measure(subject)["weighted_locality"]
    assert plain is not None
    assert weighted == pytest.approx(plain * 2 * 0.75)


def test_a_single_map_or_one_without_a_score_has_no_concepts(painted_case: Case) -> None:
    heats = make_heats(painted_case, ["crown"])
    assert MEASURE.measure(make_subject(painted_case, make_source(painted_case, one), heats)) == {}
    source = replace(make_source(painted_case, one, one), v=None)
    heats = make_heats(painted_case, ["crown"], ["tail"])
    assert MEASURE.measure(make_subject(painted_case, source, heats)) == {}
