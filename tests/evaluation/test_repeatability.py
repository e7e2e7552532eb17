from pathlib import Path

import numpy as np
import pytest

from explorer.config import ExplorerError
from explorer.evaluation.repeatability import (
    Trace,
    load_trace,
    measure_repeatability,
    save_trace,
)


def make_trace(seed: int, features: int = 3) -> Trace:
    rng = np.random.default_rng(seed)
    activations = rng.random((20, features)).astype(np.float32)
    maps = rng.random((2, features, 4, 4)).astype(np.float32)
    return Trace(activations, maps, np.ones(features, bool))


def permute(trace: Trace, order: list[int]) -> Trace:
    return Trace(trace.activations[:, order], trace.maps[:, order], trace.live[order])


def test_reordered_x_features_repeat_fully() -> None:
    one = make_trace(0)
    for found in measure_repeatability([one, permute(one, [2, 0, 1])]):
        assert found["repeat_activation"] == pytest.approx(1)
        assert found["repeat_map"] == pytest.approx(1)


def test_each_seed_is_compared_with_all_others() -> None:
    one, other = make_trace(0), make_trace(1)
    first, second, third = measure_repeatability([one, one, other])
    assert first == second
    assert first["repeat_map"] is not None
    assert third["repeat_map"] is not None
    assert third["repeat_map"] < first["repeat_map"] < 1
    assert first["repeat_map"] == pytest.approx((1 + third["repeat_map"]) / 2)


def test_dead_x_features_are_ignored() -> None:
    one = make_trace(0)
    dead = Trace(one.activations, one.maps, np.array([True, True, False]))
    (found, _) = measure_repeatability([dead, permute(one, [1, 0, 2])])
    assert found["repeat_activation"] == pytest.approx(1)
    alone = measure_repeatability([one])
    assert alone == [{"repeat_activation": None, "repeat_map": None}]


def test_a_trace_can_be_saved_and_loaded(tmp_path: Path) -> None:
    one = make_trace(0)
    save_trace(tmp_path / "a.npz", one)
    loaded = load_trace(tmp_path / "a.npz")
    np.testing.assert_array_equal(loaded.activations, one.activations)
    np.testing.assert_array_equal(loaded.maps, one.maps)
    data = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(data[: len(data) // 2])
    with pytest.raises(ExplorerError, match=r"a\.npz is damaged"):
        load_trace(tmp_path / "a.npz")
