"""What files of measures must hold, so that every page that shows them can."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from explorer.workspace.layout import MEASURED

_FAITHFULNESS = ("f_reg", "y_hat_range", "relative_f_reg", "r2", "count")
_MAY_LACK = ("relative_f_reg", "r2")


def find_fault_of_measures(metrics: Mapping[str, Any]) -> str:
    """Say what keeps a module's measures from being shown; nothing where they are whole."""
    missing = [name for name in MEASURED if name not in metrics]
    return f"it lacks {missing[0]!r}" if missing else next(_list_faults(metrics), "")


def find_fault_of_accuracy(measured: Mapping[str, Any], categories: int) -> str:
    """Say what keeps the classifier's measures from being shown; nothing where they are whole."""
    for name in ("train_accuracy", "test_accuracy"):
        if not _is_number_or_none(measured.get(name)):
            return f"{name!r} is no number"
    accuracies = measured.get("category_accuracies", [None] * categories)
    if not _is_list(accuracies, _is_number_or_none, categories):
        return "'category_accuracies' has not a number for each category"
    return ""


def _list_faults(metrics: Mapping[str, Any]) -> Iterator[str]:
    """Name the faults, the most basic first; whoever goes on after one must expect anything."""
    live = metrics["live"]
    if not live or not _is_list(live, _is_bool):
        yield "'live' does not say yes or no of each x-feature"
    if not isinstance(metrics.get("stop"), str):
        yield "'stop' does not name a layer"
    for part in ("train", "test"):
        for fault in _list_faults_of_part(metrics[part], len(live)):
            yield f"{fault} in {part!r}"
    groups = metrics["locality"]
    if not isinstance(groups, dict):
        yield "'locality' holds no groups of photos"
    for name in ("all", "train", "test"):
        for fault in _list_faults_of_group(groups.get(name), len(live)):
            yield f"{fault} in the locality of {name!r}"


def _list_faults_of_part(part: Any, features: int) -> Iterator[str]:
    if not isinstance(part, dict):
        yield "there are no measures"
    for name in ("faithfulness", "positives"):
        found = part.get(name)
        if not isinstance(found, dict):
            yield f"{name!r} is missing"
        for field in _FAITHFULNESS:
            fits = _is_number_or_none if field in _MAY_LACK else _is_number
            if not fits(found.get(field)):
                yield f"{field!r} of {name!r} is no number"
    if not _is_list(part.get("mean_contribution"), _is_number, features):
        yield "'mean_contribution' has not a number for each x-feature"


def _list_faults_of_group(group: Any, features: int) -> Iterator[str]:
    if not isinstance(group, dict):
        yield "there are no measures"
    for name in ("locality", "photo_counts", "left_out", "outside"):
        if not _is_list(group.get(name), _is_number, features):
            yield f"{name!r} has not a number for each x-feature"
    if not _is_list(group.get("is_defined"), _is_bool, features):
        yield "'is_defined' does not say yes or no of each x-feature"
    rows = group.get("histogram")
    if not _is_list(rows, lambda row: _is_list(row, _is_number), features) or not _are_even(rows):
        yield "'histogram' has not a share of each part for each x-feature"
    if not _is_number_or_none(group.get("mean_locality")):
        yield "'mean_locality' is no number"


def _is_list(value: Any, fits: Callable[[Any], bool], length: int | None = None) -> bool:
    if not isinstance(value, list) or length not in (None, len(value)):
        return False
    return all(map(fits, value))


def _are_even(rows: list[list[float]]) -> bool:
    return len({len(row) for row in rows}) <= 1


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_number_or_none(value: Any) -> bool:
    return value is None or _is_number(value)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)
