import numpy as np

from explorer.ui.category.scatter import MOST_OTHERS, choose_points


def test_few_photos_are_all_drawn() -> None:
    assert choose_points([True, False, False], [0.1, 0.2, 0.3]).tolist() == [0, 1, 2]
    own = np.arange(MOST_OTHERS + 5) >= MOST_OTHERS
    assert len(choose_points(own, np.zeros(len(own)))) == len(own)


def test_of_many_photos_the_own_and_the_worst_are_drawn() -> None:
    rng = np.random.default_rng(1)
    own = np.zeros(12_000, bool)
    own[rng.choice(12_000, 60, replace=False)] = True
    errors = rng.normal(size=12_000)
    rows = choose_points(own, errors)
    assert len(rows) == len(set(rows.tolist())) == 60 + MOST_OTHERS
    assert set(np.flatnonzero(own)) <= set(rows.tolist())
    others = np.flatnonzero(~own)
    worst = others[np.argsort(-np.abs(errors[others]))[:200]]
    assert set(worst) <= set(rows.tolist())
    assert rows.tolist() == sorted(choose_points(own, errors).tolist())
    # The rest are a fair sample: half of them below the median.
    rest = [row for row in rows if not own[row] and row not in set(worst)]
    assert abs(np.mean(errors[rest])) < 0.1
