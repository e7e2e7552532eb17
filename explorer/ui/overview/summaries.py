"""The key figures of all categories: collected, searched and ordered."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from explorer.config import ExplorerError
from explorer.data.bird_names import simplify_name
from explorer.data.names import name_categories
from explorer.explaining.naming import load_own_names, merge_names
from explorer.measuring.records import ModuleMeasures, load_module_measures
from explorer.methods.runs import get_default_modules
from explorer.ui.shared import cached, caching, scores
from explorer.ui.shared.part_figures import list_module_shares
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.notes import get_notes_path
from explorer.workspace.workspace import Workspace

LIVE = "live x-features"
_MOST_CONCEPTS = 3


@dataclass(frozen=True)
class CategorySummary:
    """A category with the key figures of its default module; None for unknown figures.

    Attributes
    ----------
    category : str
        As in ``classes.txt``.
    name : str
        As it is shown.
    entry : ModuleEntry or None
        Its default module.
    accuracy : float or None
        The network's, on the category's held-out photos, in [0, 1].
    f_reg, relative_f_reg, locality : float or None
        Of the module, on test photos.
    live, x_features : int or None
        Number of live x-features, and of all.
    shares : Mapping of str to float, or None
        Share of the module's heat on each part of the bird.
    concepts : tuple of str
        Names of the x-features that add most to the score, the first the most.
    problem : str
        Why the module or its measures cannot be read; empty if they can.
    """

    category: str
    name: str
    entry: ModuleEntry | None
    accuracy: float | None
    f_reg: float | None = None
    relative_f_reg: float | None = None
    locality: float | None = None
    live: int | None = None
    x_features: int | None = None
    shares: Mapping[str, float] | None = None
    concepts: tuple[str, ...] = ()
    problem: str = ""


# Sort key of each order, ascending; unknown figures come last.
ORDERS: Mapping[str, Callable[[CategorySummary], Any]] = {
    "name": lambda found: found.name,
    "accuracy": lambda found: None if found.accuracy is None else -found.accuracy,
    "error": lambda found: found.relative_f_reg,
    "locality": lambda found: found.locality,
    LIVE: lambda found: None if found.live is None else -found.live,
}


def summarise(workspace: Workspace) -> list[CategorySummary]:
    """Collect the key figures of all categories, in the order of the data set."""
    usual = get_default_modules(workspace.list_modules())
    accuracies = scores.list_accuracies(workspace)
    # As text, which Streamlit reads a hundred times as fast as tuples.
    key = str((accuracies, *map(_make_key, usual.values())))
    return _collect(workspace, key, usual, accuracies)


def _make_key(entry: ModuleEntry) -> tuple[object, ...]:
    files = (entry.metrics_path, get_notes_path(entry))
    return (*caching.make_entry_key(entry), *map(caching.get_stamp, files))


# Hundreds of files are read once, and not in every run.
@caching.cache_data(4)
def _collect(
    workspace: Workspace,
    key: str,  # noqa: ARG001
    _usual: Mapping[str, ModuleEntry],
    _accuracies: Sequence[float | None],
) -> list[CategorySummary]:
    categories = workspace.dataset.categories
    names, problems = name_categories(categories), cached.list_damaged(workspace)
    found = []
    for category, accuracy in zip(categories, _accuracies, strict=True):
        entry = _usual.get(category)
        plain = CategorySummary(category, names[category], entry, accuracy)
        found.append(plain if entry is None else _add_measures(workspace, plain, entry, problems))
    return found


def _add_measures(
    workspace: Workspace,
    plain: CategorySummary,
    entry: ModuleEntry,
    problems: Mapping[Path, str],
) -> CategorySummary:
    if entry.path in problems:
        return replace(plain, problem=problems[entry.path])
    try:
        measures = load_module_measures(workspace, entry)
    except ExplorerError as error:
        return replace(plain, problem=str(error))
    if measures is None:
        return plain
    faithfulness = measures.test.faithfulness
    return replace(
        plain,
        f_reg=faithfulness.f_reg,
        relative_f_reg=faithfulness.relative_f_reg,
        locality=measures.locality.test.mean_locality,
        live=sum(measures.live),
        x_features=len(measures.live),
        shares=list_module_shares(measures, workspace.dataset.part_names),
        concepts=_list_concepts(measures, merge_names(load_own_names(entry), measures)),
    )


def _list_concepts(measures: ModuleMeasures, names: Mapping[int, str]) -> tuple[str, ...]:
    """Return the names of the x-features that add most, each name once."""
    means = measures.test.mean_contribution
    adding = [n for n in sorted(names, key=lambda n: -means[n]) if means[n] > 0]
    return tuple(dict.fromkeys(names[n] for n in adding))[:_MOST_CONCEPTS]


def find_categories(
    summaries: Sequence[CategorySummary], words: str, order: str
) -> list[CategorySummary]:
    """Return the categories whose names contain all `words`, in an order of `ORDERS`.

    Categories without a module come after those with one. In both groups, those with an unknown
    figure come last.
    """
    asked = simplify_name(words).split()
    found = [one for one in summaries if all(word in simplify_name(one.name) for word in asked)]
    value = ORDERS[order]

    def rank(one: CategorySummary) -> tuple[bool, bool, Any]:
        key = value(one)
        return one.entry is None, key is None, 0 if key is None else key

    return sorted(found, key=rank)
