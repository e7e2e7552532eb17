"""Twelve categories in pairs of relatives, which differ in a single mark.

Relatives look alike but for one colour, pattern or bar; only the shrikes differ in two.
"""

from collections.abc import Mapping
from types import MappingProxyType

from explorer.data.painted.traits import BirdTraits, replace_traits

_FINCH = BirdTraits(
    crown="ember",
    forehead="cream",
    face="sand",
    throat="cream",
    back="umber",
    breast="sand",
    breast_pattern="plain",
    belly="cream",
    wing="umber",
    wing_bar="none",
    tail="umber",
    tail_shape="square",
    beak="horn",
    beak_shape="cone",
)
_WARBLER = BirdTraits(
    crown="moss",
    forehead="lemon",
    face="lemon",
    throat="lemon",
    back="moss",
    breast="lemon",
    breast_pattern="plain",
    belly="snow",
    wing="slate",
    wing_bar="double",
    tail="slate",
    tail_shape="square",
    beak="ink",
    beak_shape="thin",
)
_THRUSH = BirdTraits(
    crown="chestnut",
    forehead="chestnut",
    face="sand",
    throat="snow",
    back="chestnut",
    breast="cream",
    breast_pattern="spotted",
    belly="snow",
    wing="chestnut",
    wing_bar="none",
    tail="chestnut",
    tail_shape="rounded",
    beak="honey",
    beak_shape="thin",
)
_BUNTING = BirdTraits(
    crown="cobalt",
    forehead="ink",
    face="azure",
    throat="poppy",
    back="cobalt",
    breast="azure",
    breast_pattern="plain",
    belly="sand",
    wing="cobalt",
    wing_bar="single",
    tail="cobalt",
    tail_shape="forked",
    beak="horn",
    beak_shape="cone",
)
_REDSTART = BirdTraits(
    crown="snow",
    forehead="ink",
    face="ink",
    throat="ink",
    back="ash",
    breast="ash",
    breast_pattern="plain",
    belly="sand",
    wing="slate",
    wing_bar="none",
    tail="ember",
    tail_shape="rounded",
    beak="ink",
    beak_shape="thin",
)
_SHRIKE = BirdTraits(
    crown="plum",
    forehead="snow",
    face="snow",
    throat="snow",
    back="plum",
    breast="cream",
    breast_pattern="streaked",
    belly="rose",
    wing="ink",
    wing_bar="single",
    tail="ink",
    tail_shape="forked",
    beak="coral",
    beak_shape="hooked",
)

PAIRS: Mapping[str, BirdTraits] = MappingProxyType(
    {
        "Ember_capped_Finch": _FINCH,
        "Harebell_capped_Finch": replace_traits(_FINCH, crown="azure"),
        "Moonbar_Warbler": _WARBLER,
        "Plainsong_Warbler": replace_traits(_WARBLER, wing_bar="none"),
        "Stipple_breasted_Thrush": _THRUSH,
        "Sash_breasted_Thrush": replace_traits(_THRUSH, breast_pattern="banded"),
        "Poppy_bibbed_Bunting": _BUNTING,
        "Honey_bibbed_Bunting": replace_traits(_BUNTING, throat="lemon"),
        "Fox_tailed_Redstart": _REDSTART,
        "Seafoam_tailed_Redstart": replace_traits(_REDSTART, tail="seafoam"),
        "Coral_billed_Shrike": _SHRIKE,
        "Lantern_bellied_Shrike": replace_traits(_SHRIKE, belly="lemon", beak="ink"),
    }
)
"""Traits of each category, in the order of their class numbers."""
