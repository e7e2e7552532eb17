"""Where x-features look on one photo, where that is not what their names say."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.analysis.naming import MIN_PART_HEAT, Heat, find_part
from explorer.data.names import join_words
from explorer.explaining.naming import name_feature
from explorer.measuring.name_records import FeatureName
from explorer.measuring.namer import group_parts, group_regions
from explorer.measuring.parts import PhotoParts

_KEPT = 0.5  # of the heat that usually lies on the parts that the name is about
_MOST = 0.5  # of the heat on the bird
_MUCH_OUTSIDE = 1 / 3  # of all heat
_LEAST = 0.1  # of all contributions: x-features below it are not worth a word


def describe_places(
    names: Sequence[FeatureName],
    parts: PhotoParts,
    maps: NDArray[np.float32],
    part_names: Sequence[str],
) -> dict[int, str]:
    """Say where x-features look on a photo, where that is not what their names say.

    Parameters
    ----------
    names : sequence of FeatureName
        (K,), the names that were found; an "unclear" one says nothing, so that any place counts.
    parts : PhotoParts
        The photo.
    maps : NDArray of float32
        (K, h, w), >= 0.
    part_names : sequence of str
        (P,).

    Returns
    -------
    dict of int to str
        Such as "here on the nape" or "here beside the bird", by x-feature, counted from 0; without
        those that look where their names say, or nowhere in particular. "Here mostly on the head"
        is said of those that look where their names say, but more so at a region beside it.
    """
    histogram, areas = parts.measure(maps), parts.compute_areas()
    found = {}
    for feature in np.flatnonzero(histogram.is_live).tolist():
        on_bird = histogram.values[feature]
        total = on_bird.sum()
        shares = on_bird / total if total > 0 else on_bird
        heat = Heat(shares, areas, float(histogram.outside[feature]), parts.outside_area)
        words = _describe_place(names[feature], heat, part_names)
        if words:
            found[feature] = words
    return found


def describe_exceptions(
    places: Mapping[int, str],
    contributions: ArrayLike,
    names: Mapping[int, str],
    mark: Callable[[str], str] = str,
) -> str:
    """Say in a sentence which named x-features look elsewhere on a photo than their names say.

    Parameters
    ----------
    places : Mapping of int to str
        From `describe_places`.
    contributions : array_like, shape (K,), float
        Signed. X-features with less than a tenth of all contributions are left out.
    names : Mapping of int to str
        Names of x-features, counted from 0; those without a name are left out.
    mark : callable
        How a name is written, for example in italics.

    Returns
    -------
    str
        Such as "On this photo, heat is not always where the names say: wings (x-feature 2) on the
        underparts." Empty if there is nothing to say.
    """
    sizes = np.abs(np.asarray(contributions, np.float64))
    told = [
        f"{mark(names[n])} ({name_feature(n)}) {places[n].removeprefix('here ')}"
        for n in np.argsort(-sizes, kind="stable").tolist()
        if n in places and n in names and sizes[n] >= _LEAST * sizes.sum() > 0
    ]
    if not told:
        return ""
    return f"On this photo, heat is not always where the names say: {join_words(told)}."


def _describe_place(name: FeatureName, heat: Heat, part_names: Sequence[str]) -> str:
    if name.kind == "background":
        if heat.outside >= _KEPT * (name.heat or 0.0):
            return ""
    elif heat.is_outside:
        return "here beside the bird"
    own = np.isin(part_names, name.parts)
    if own.any() and float(own @ heat.shares) >= _KEPT * (name.heat or 0.0):
        region = _find(group_regions, heat, part_names, _MOST)
        return f"here mostly on the {region[0]}" if region and not (region[1] & own).any() else ""
    found = _find(group_parts, heat, part_names) or _find(group_regions, heat, part_names)
    if not found or (found[1] & own).any():
        return ""
    outside = " and beside the bird" if heat.outside >= _MUCH_OUTSIDE else ""
    return f"here on the {found[0]}{outside}"


def _find(
    group: Callable[[Sequence[str]], tuple[tuple[str, ...], NDArray[np.bool_]]],
    heat: Heat,
    part_names: Sequence[str],
    least: float = MIN_PART_HEAT,
) -> tuple[str, NDArray[np.bool_]] | None:
    words, groups = group(part_names)
    place = find_part(heat, groups, least)
    return None if place is None else (words[place], groups[place])
