"""Finding x-features in an atlas: by words, by what they look at, and by colour."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from explorer.analysis.naming import MIN_OUTSIDE, MIN_PART_HEAT
from explorer.data.attributes import COLOURS
from explorer.data.bird_names import simplify_name
from explorer.explaining.atlas import Atlas, AtlasFeature, AtlasModule
from explorer.measuring.namer import group_parts

BACKGROUND = "background"


class Found(NamedTuple):
    """An x-feature of an atlas, and its module."""

    module: AtlasModule
    feature: AtlasFeature


@dataclass(frozen=True)
class Query:
    """What is asked of an atlas.

    Attributes
    ----------
    words : str
        A word of the names, the note or the category must begin with each, in any order and case.
    looks_at : str
        A group of parts, or `BACKGROUND`; empty for any.
    colour : str
        A word that must be in a name; empty for any.
    order : str
        A key of `ORDERS`.
    """

    words: str = ""
    looks_at: str = ""
    colour: str = ""
    order: str = "contribution"


# Sort key of each order, ascending; x-features without one come last.
ORDERS: Mapping[str, Callable[[Found], Any]] = {
    "contribution": lambda found: _negate(found.feature.mean_contribution),
    "AUC": lambda found: _negate(found.feature.auc),
    "locality": lambda found: found.feature.locality,
    "name": lambda found: found.feature.name and found.feature.name.casefold(),
    "category": lambda _: 0,
}


def _negate(value: float | None) -> float | None:
    return None if value is None else -value


def find_features(atlas: Atlas, query: Query) -> list[Found]:
    """Return the x-features that fit a query, in its order; ties keep the order of the atlas.

    Those whose name alone has all the words come before the others.
    """
    words = simplify_name(query.words).split()
    key = ORDERS[query.order]
    found = [
        Found(module, one)
        for module in atlas.modules
        for one in module.x_features
        if (not query.looks_at or query.looks_at in list_sights(one))
        and (not query.colour or query.colour in list_colours(one))
    ]
    fitting = [one for one in found if all(f" {word}" in _list_text(one) for word in words)]

    def rank(one: Found) -> tuple[bool, bool, Any]:
        name = f" {simplify_name(one.feature.name or '')}"
        is_named = all(f" {word}" in name for word in words)
        return not is_named, key(one) is None, key(one) or 0

    return sorted(fitting, key=rank)


def _list_text(found: Found) -> str:
    feature = found.feature
    words = feature.found.words if feature.found else None
    texts = (feature.name, words, feature.note, found.module.category_name)
    return f" {simplify_name(' '.join(filter(None, texts)))}"


def list_sights(feature: AtlasFeature) -> frozenset[str]:
    """Return what an x-feature looks at: parts with a quarter of its heat, and the background.

    The bars are those of names, but for how large a part is, which the shares do not tell.
    """
    if feature.part_shares is None or feature.outside is None:
        return frozenset()
    sights = {
        word
        for word, group in zip(*group_parts(tuple(feature.part_shares)), strict=True)
        if group @ [*feature.part_shares.values()] >= MIN_PART_HEAT
    }
    return frozenset(sights | ({BACKGROUND} if is_on_background(feature) else set()))


def is_on_background(feature: AtlasFeature) -> bool:
    """Return whether at least half of the heat lies beside the bird."""
    return feature.outside is not None and feature.outside >= MIN_OUTSIDE


def list_colours(feature: AtlasFeature) -> frozenset[str]:
    """Return the colours in the names of an x-feature."""
    names = (feature.name or "", feature.found.words if feature.found else "")
    return COLOURS.intersection(" ".join(names).casefold().replace("-", " ").split())


def list_all_colours(atlas: Atlas) -> Sequence[str]:
    """Return the colours that occur in names, by name."""
    features = (one for module in atlas.modules for one in module.x_features)
    return sorted(frozenset[str]().union(*map(list_colours, features)))
