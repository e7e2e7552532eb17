"""Settings of a comparison: methods, categories and seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from explorer.config import ExplorerError, check_seed
from explorer.methods.base import Method
from explorer.methods.registry import METHODS
from explorer.nn.explanation import DEFAULT_STOP


@dataclass(frozen=True)
class EvaluationSettings:
    """Settings of a comparison.

    Attributes
    ----------
    methods : tuple of Method
        From `explorer.methods.registry.get_methods`.
    categories : int
        Number of categories, drawn at random; 0 for all.
    rest : bool
        Use the categories that were *not* drawn, so that settings can be chosen on other categories
        than the results are reported on.
    seeds : tuple of int
        Seeds of modules and splits; everything is repeated for each.
    draw_seed : int
        Seed of the draw of categories.
    stop : str
        Layer at which maps are taken.
    """

    methods: tuple[Method, ...] = tuple(METHODS.values())
    categories: int = 0
    rest: bool = False
    seeds: tuple[int, ...] = (0,)
    draw_seed: int = 0
    stop: str = DEFAULT_STOP

    def __post_init__(self) -> None:
        for seed in (*self.seeds, self.draw_seed):
            check_seed(seed)
        if not self.methods or not self.seeds or self.categories < 0:
            raise ExplorerError(
                "Name at least one method, one seed and a number of categories of at least 0."
            )
        if self.rest and not self.categories:
            raise ExplorerError("--rest needs a draw: use --categories as well.")


def draw_categories(
    categories: Sequence[str], count: int, seed: int, *, rest: bool = False
) -> tuple[str, ...]:
    """Draw `count` categories (0 for all), or return the `rest`, in the order of the data set."""
    if count > len(categories):
        raise ExplorerError(f"There are only {len(categories)} categories, not {count}.")
    if not count:
        return tuple(categories)
    chosen = np.random.default_rng(seed).choice(len(categories), size=count, replace=False)
    drawn = {int(index) for index in chosen}
    return tuple(name for index, name in enumerate(categories) if (index in drawn) != rest)
