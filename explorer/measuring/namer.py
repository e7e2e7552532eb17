"""Naming one x-feature: after the attribute, the part or the region, or the background."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.naming import (
    HAS_SHARE,
    MIN_PART_HEAT,
    MIN_REGION_HEAT,
    Heat,
    find_attribute,
    find_categories,
    find_part,
)
from explorer.data.attributes import AttributeTable
from explorer.measuring.name_records import MAX_ALSO_ON, FeatureName

_PAIRED = {"eye": "eyes", "leg": "legs", "wing": "wings"}
_REGIONS = {
    "head": ("beak", "crown", "forehead", "eyes", "nape", "throat"),
    "underparts": ("throat", "breast", "belly"),
    "upperparts": ("nape", "back", "wings"),
}
_OTHERS = "likeness to other birds"


def group_parts(part_names: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.bool_]]:
    """Put left and right parts together.

    Returns
    -------
    words : tuple of str
        G names, such as "wings".
    groups : (G, P) bool
        The parts of each.
    """
    words = []
    for name in part_names:
        side, _, noun = name.partition(" ")
        words.append(_PAIRED.get(noun, noun) if side in ("left", "right") and noun else name)
    names = tuple(dict.fromkeys(words))
    return names, np.array([[word == name for word in words] for name in names])


def group_regions(part_names: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.bool_]]:
    """Put the parts of larger regions together, as `group_parts` does for left and right.

    Regions of which the data set has fewer than two parts are left out.
    """
    words, groups = group_parts(part_names)
    found = {
        region: groups[[word in parts for word in words]]
        for region, parts in _REGIONS.items()
        if len(set(parts).intersection(words)) > 1
    }
    masks = [group.any(axis=0) for group in found.values()]
    return tuple(found), np.array(masks, bool).reshape(len(found), len(part_names))


@dataclass(frozen=True, eq=False)
class Namer:
    """Names the x-features of one module.

    Attributes
    ----------
    categories : sequence of str
        All categories of the data set.
    category : str
        The module's.
    part_names : sequence of str
        P names.
    means : NDArray of float64
        (C, K), mean activations on the training photos of categories that have any.
    rows : NDArray of int
        (C,), indices of these among `categories`.
    """

    categories: Sequence[str]
    category: str
    part_names: Sequence[str]
    means: NDArray[np.float64]
    rows: NDArray[np.integer]

    def name(
        self, feature: int, heat: Heat, table: AttributeTable | None, *, is_against: bool
    ) -> FeatureName:
        """Name an x-feature, counted from 0; by part alone without a table."""
        means = self.means[:, feature]
        fires_on = self.rows[find_categories(means)].tolist()
        others = [index for index in fires_on if self.categories[index] != self.category]
        if table is not None and fires_on:
            found = self._name_by_attribute(feature, heat, table, others, is_against)
            if found is not None:
                return found
        also_on = tuple(self.categories[index] for index in others[:MAX_ALSO_ON])
        if heat.is_outside:
            return FeatureName(
                "background", "background", is_against, heat=heat.outside, also_on=also_on
            )
        place = self._find_place(heat, with_regions=not is_against)
        if place is not None:
            words, parts = place
            return FeatureName(
                "part",
                words,
                is_against,
                parts=self._list_parts(parts),
                heat=float(parts @ heat.shares),
                also_on=also_on,
            )
        if is_against and also_on and len(others) == len(fires_on):
            return FeatureName("others", _OTHERS, is_against, also_on=also_on)
        return FeatureName("unclear", "unclear", is_against, also_on=also_on)

    def _find_place(
        self, heat: Heat, *, with_regions: bool
    ) -> tuple[str, NDArray[np.bool_]] | None:
        """Find the part on which the heat lies, or the region; its name and its parts, (P,)."""
        ways = [(group_parts, MIN_PART_HEAT)]
        ways += [(group_regions, MIN_REGION_HEAT)] if with_regions else []
        for group, least in ways:
            words, groups = group(self.part_names)
            place = find_part(heat, groups, least)
            if place is not None:
                return words[place], groups[place]
        return None

    def _name_by_attribute(
        self,
        feature: int,
        heat: Heat,
        table: AttributeTable,
        others: Sequence[int],
        is_against: bool,
    ) -> FeatureName | None:
        has = table.shares >= HAS_SHARE
        chosen = [self.categories.index(self.category)]
        is_candidate = has[chosen[0]]
        if is_against:
            # What speaks against a category is a mark of the bird on which it fires most.
            chosen += others[:1]
            is_candidate = ~is_candidate & has[chosen[-1]]
        parts = np.array([[name in seen for name in self.part_names] for seen in table.parts])
        found = find_attribute(
            self.means[:, feature],
            table.shares[self.rows],
            parts,
            heat,
            is_candidate=is_candidate,
            is_chosen=np.isin(self.rows, chosen),
        )
        if found is None:
            return None
        sharing = [index for index in others if has[index, found.attribute]]
        return FeatureName(
            "attribute",
            table.words[found.attribute],
            is_against,
            parts=self._list_parts(parts[found.attribute]),
            heat=float(heat.sum_over(parts[found.attribute])),
            correlation=found.correlation,
            low=found.low,
            high=found.high,
            elsewhere=found.elsewhere,
            also_on=tuple(self.categories[index] for index in sharing[:MAX_ALSO_ON]),
        )

    def _list_parts(self, is_in: NDArray[np.bool_]) -> tuple[str, ...]:
        pairs = zip(self.part_names, is_in, strict=True)
        return tuple(name for name, is_one in pairs if is_one)
