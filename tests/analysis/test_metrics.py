import json
import math

import numpy as np
import pytest

from explorer.analysis.metrics import describe_faithfulness, describe_locality


def test_faithfulness_by_hand() -> None:
    y_bar, y_hat = np.array([1.0, 2.0, 3.0, 8.0]), np.array([2.0, 2.0, 0.0, 10.0])
    contributions = np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 2.0], [9.0, -1.0]])
    is_positive = np.array([False, True, False, True])
    found = describe_faithfulness(y_bar, y_hat, contributions, is_positive)
    assert found["faithfulness"]["f_reg"] == pytest.approx((1 + 0 + 3 + 2) / 4)
    assert found["faithfulness"]["y_hat_range"] == 10
    assert found["faithfulness"]["relative_f_reg"] == pytest.approx(0.15)
    # Mean of ŷ is 3.5: 1 - (1 + 0 + 9 + 4) / (1.5² + 1.5² + 3.5² + 6.5²).
    assert found["faithfulness"]["r2"] == pytest.approx(1 - 14 / 59)
    assert found["faithfulness"]["count"] == 4
    assert found["positives"]["f_reg"] == pytest.approx((0 + 2) / 2)
    assert found["positives"]["y_hat_range"] == 8
    assert found["positives"]["count"] == 2
    assert found["mean_contribution"] == [4.5, 0.5]


def test_one_positive_has_no_range_and_no_nan() -> None:
    scores = np.array([1.0, 5.0], dtype=np.float32)
    found = describe_faithfulness(scores, scores, np.ones((2, 3)), np.array([True, False]))
    assert found["positives"]["relative_f_reg"] is None
    assert found["positives"]["r2"] is None
    json.dumps(found, allow_nan=False)


def test_no_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one photo"):
        describe_faithfulness(np.ones(2), np.ones(2), np.ones((2, 3)), np.zeros(2, bool))


def test_locality_by_hand() -> None:
    histograms = np.zeros((3, 2, 4))
    histograms[0, 0] = [1, 0, 0, 0]
    histograms[1, 0] = [0, 1, 0, 0]
    histograms[2, 0] = [0.5, 0.5, 0, 0]
    histograms[:, 1] = [0, 0, 0.25, 0.25]
    is_live = np.array([[True, True], [True, True], [True, False]])
    groups = {"all": [0, 1, 2], "train": [0, 1], "test": [0]}
    found = describe_locality(histograms, is_live, np.array([True, True]), groups)
    assert found["all"]["locality"] == pytest.approx([math.log(2), math.log(2)])
    assert found["all"]["mean_locality"] == pytest.approx(math.log(2))
    assert found["all"]["photo_counts"] == [3, 2]
    assert found["all"]["left_out"] == [0, 1]
    assert found["all"]["outside"] == pytest.approx([0, 0.5])
    assert found["train"]["histogram"][0] == pytest.approx([0.5, 0.5, 0, 0])
    assert found["test"]["locality"] == pytest.approx([0, math.log(2)])
    assert found["test"]["mean_locality"] == pytest.approx(math.log(2) / 2)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    one_dead = describe_locality(histograms, is_live, np.array([True, False]), groups)
    assert one_dead["test"]["mean_locality"] == pytest.approx(0), "a dead x-feature does not count"
    assert one_dead["test"]["locality"] == found["test"]["locality"]


def test_maps_that_are_all_zero_have_no_locality() -> None:
    found = describe_locality(
        np.zeros((2, 1, 4)), np.zeros((2, 1), bool), np.array([True]), {"all": [0, 1]}
    )
    assert found["all"]["mean_locality"] is None
    assert found["all"]["is_defined"] == [False]
    assert found["all"]["left_out"] == [2]
    json.dumps(found, allow_nan=False)
