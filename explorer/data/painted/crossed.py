"""Sixteen categories that cross four marks, each with two values.

The full factorial design 2⁴: each combination of values occurs exactly once, each value is shared
by half of the categories, and each category has four others that differ from it in a single mark.
No mark tells a category, and none can be left out.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from explorer.data.painted.traits import BirdTraits, replace_traits

Marks = Mapping[str, tuple[str, str]]
"""The two values of each mark."""

MARKS: Marks = MappingProxyType(
    {
        "crown": ("poppy", "azure"),
        "breast": ("lemon", "plum"),
        "wing_bar": ("double", "patch"),
        "tail": ("ember", "seafoam"),
    }
)
OTHER_MARKS: Marks = MappingProxyType(
    {
        "throat": ("coral", "cobalt"),
        "belly": ("honey", "moss"),
        "back": ("chestnut", "azure"),
        "wing": ("rose", "ink"),
    }
)

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
_OTHER_PLAIN = replace_traits(_PLAIN, crown="slate", breast="snow")
# Words of the names: by the value of each mark alone, or of two together.
_KINDS = (("Tanager", "Redstart"), ("Warbler", "Bunting"))
_BREASTS = ("Citrine", "Damson")
_WINGS = ("Moonbar", "Goldwing")
_OTHER_KINDS = (("Vireo", "Thrush"), ("Kinglet", "Siskin"))
_BACKS = ("Russet", "Lagoon")
_OTHER_WINGS = ("Petalwing", "Inkwing")


def _name(crown: int, breast: int, wing: int, tail: int) -> str:
    return f"{_BREASTS[breast]}_{_WINGS[wing]}_{_KINDS[crown][tail]}"


def _name_other(throat: int, belly: int, back: int, wing: int) -> str:
    return f"{_BACKS[back]}_{_OTHER_WINGS[wing]}_{_OTHER_KINDS[throat][belly]}"


def _combine_marks(
    marks: Marks, plain: BirdTraits, name: Callable[..., str]
) -> Iterator[tuple[str, BirdTraits]]:
    for levels in itertools.product((0, 1), repeat=len(marks)):
        values = {mark: marks[mark][level] for mark, level in zip(marks, levels, strict=True)}
        yield name(*levels), replace_traits(plain, **values)


CROSSED: Mapping[str, BirdTraits] = MappingProxyType(dict(_combine_marks(MARKS, _PLAIN, _name)))
"""Traits of each category, in the order of their class numbers."""

CROSSED_OTHERS: Mapping[str, BirdTraits] = MappingProxyType(
    dict(_combine_marks(OTHER_MARKS, _OTHER_PLAIN, _name_other))
)
"""The same with other marks, on which no setting of a method has been chosen."""
