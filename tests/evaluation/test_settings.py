import pytest

from explorer.config import ExplorerError
from explorer.evaluation.settings import EvaluationSettings, draw_categories


def test_categories_are_drawn_once_and_kept_in_order() -> None:
    names = [f"{n:03d}" for n in range(40)]
    drawn = draw_categories(names, 30, seed=0)
    assert list(drawn) == sorted(set(drawn))
    assert len(drawn) == 30
    assert draw_categories(names, 30, seed=0) == drawn
    assert draw_categories(names, 30, seed=1) != drawn
    assert draw_categories(names, 0, seed=0) == tuple(names)
    with pytest.raises(ExplorerError, match="only 40"):
        draw_categories(names, 41, seed=0)


def test_the_rest_are_the_categories_not_drawn() -> None:
    names = [f"{n:03d}" for n in range(40)]
    rest = draw_categories(names, 30, seed=0, rest=True)
    assert len(rest) == 10
    assert sorted([*rest, *draw_categories(names, 30, seed=0)]) == names
    with pytest.raises(ExplorerError, match="--rest needs a draw"):
        EvaluationSettings(rest=True)
