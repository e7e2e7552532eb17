from types import SimpleNamespace

import pytest

from explorer.ui.shared.part_figures import list_module_shares


def make_measures(contributions: list[float], histogram: list[list[float]]) -> SimpleNamespace:
    test = SimpleNamespace(histogram=histogram, is_defined=[any(row) for row in histogram])
    return SimpleNamespace(
        test=SimpleNamespace(mean_contribution=contributions), locality=SimpleNamespace(test=test)
    )


def test_x_features_count_as_much_as_they_contribute() -> None:
    histogram = [[1.0, 0.0], [0.5, 0.5], [0.0, 0.0], [0.0, 1.0]]
    measures = make_measures([3.0, -1.0, 5.0, 0.0], histogram)
    # The third has no heat, and the fourth contributes nothing.
    assert list_module_shares(measures, ("beak", "tail")) == pytest.approx(
        {"beak": (3 * 1 + 1 * 0.5) / 4, "tail": 0.5 / 4}
    )


@pytest.mark.parametrize(
    ("contributions", "histogram"), [([0.0], [[1.0, 0.0]]), ([2.0], [[0.0, 0.0]])]
)
def test_without_heat_there_are_no_shares(
    contributions: list[float], histogram: list[list[float]]
) -> None:
    assert list_module_shares(make_measures(contributions, histogram), ("beak", "tail")) is None
