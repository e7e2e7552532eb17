"""Sixteen categories that cross five marks, each with two values.

A half fraction of the factorial design 2⁵: the first four marks are free, and the fifth follows
from them. So each combination of values of any four marks occurs exactly once, each value is shared
by half of the categories, and any two categories differ in two or four marks. No mark tells a
category, and three marks leave two categories to choose from.
"""

import itertools
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from explorer.data.painted.traits import BirdTraits, replace_traits

MARKS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "crown": ("poppy", "azure"),
        "throat": ("snow", "ink"),
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
# Words of the names, by the values of crown and throat, breast and wing.
_KINDS = (("Tanager", "Redstart"), ("Warbler", "Bunting"))
_BREASTS = ("Citrine", "Damson")
_WINGS = ("Moonbar", "Goldwing")


def _combine_marks() -> Iterator[tuple[str, BirdTraits]]:
    for free in itertools.product((0, 1), repeat=len(MARKS) - 1):
        levels = (*free, sum(free) % 2)
        crown, throat, breast, wing, _ = levels
        values = {mark: MARKS[mark][level] for mark, level in zip(MARKS, levels, strict=True)}
        name = f"{_BREASTS[breast]}_{_WINGS[wing]}_{_KINDS[crown][throat]}"
        yield name, replace_traits(_PLAIN, **values)


CROSSED: Mapping[str, BirdTraits] = MappingProxyType(dict(_combine_marks()))
"""Traits of each category, in the order of their class numbers."""
