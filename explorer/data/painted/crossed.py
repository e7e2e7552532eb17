"""Sixteen categories that cross four marks, each with two values.

The full factorial design 2⁴: each combination of values occurs exactly once, each value is shared
by half of the categories, and each category has four others that differ from it in a single mark.
No mark tells a category, and none can be left out.
"""

import itertools
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from explorer.data.painted.traits import BirdTraits, replace_traits

MARKS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "crown": ("poppy", "azure"),
        "breast": ("lemon", "plum"),
        "wing_bar": ("double", "patch"),
        "tail": ("ember", "seafoam"),
    }
)
"""The two values of each mark."""

_PLAIN = BirdTraits(
    crown="poppy",
    forehead="snow",
    face="snow",
    throat="snow",
    back="slate",
    breast="lemon",
    breast_pattern="plain",
    belly="snow",
    wing="slate",
    wing_bar="none",
    tail="slate",
    tail_shape="square",
    beak="horn",
    beak_shape="cone",
)
# Words of the names, by the values of crown and tail, breast and wing.
_KINDS = (("Tanager", "Redstart"), ("Warbler", "Bunting"))
_BREASTS = ("Citrine", "Damson")
_WINGS = ("Moonbar", "Goldwing")


def _combine_marks() -> Iterator[tuple[str, BirdTraits]]:
    for levels in itertools.product((0, 1), repeat=len(MARKS)):
        crown, breast, wing, tail = levels
        values = {mark: MARKS[mark][level] for mark, level in zip(MARKS, levels, strict=True)}
        name = f"{_BREASTS[breast]}_{_WINGS[wing]}_{_KINDS[crown][tail]}"
        yield name, replace_traits(_PLAIN, **values)


CROSSED: Mapping[str, BirdTraits] = MappingProxyType(dict(_combine_marks()))
"""Traits of each category, in the order of their class numbers."""
