"""Traits of the painted birds: what can differ between categories, and where it can be seen."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

from explorer.config import ExplorerError

PART_NAMES: tuple[str, ...] = (
    "back",
    "beak",
    "belly",
    "breast",
    "crown",
    "forehead",
    "left eye",
    "left leg",
    "left wing",
    "nape",
    "right eye",
    "right leg",
    "right wing",
    "tail",
    "throat",
)
"""The 15 parts of CUB-200-2011 in the order of its ``parts/parts.txt``."""

Rgb: TypeAlias = tuple[int, int, int]
BeakShape: TypeAlias = Literal["cone", "thin", "hooked"]
BreastPattern: TypeAlias = Literal["plain", "streaked", "spotted", "banded"]
TailShape: TypeAlias = Literal["square", "forked", "rounded"]
WingBar: TypeAlias = Literal["none", "single", "double", "patch"]

PALETTE: Mapping[str, Rgb] = MappingProxyType(
    {
        "ash": (138, 142, 150),
        "azure": (62, 140, 220),
        "chestnut": (142, 76, 42),
        "cobalt": (44, 76, 166),
        "coral": (250, 108, 76),
        "cream": (242, 226, 188),
        "ember": (236, 88, 26),
        "horn": (120, 108, 98),
        "honey": (236, 164, 40),
        "ink": (40, 40, 50),
        "lemon": (248, 214, 58),
        "moss": (116, 128, 56),
        "plum": (112, 52, 112),
        "poppy": (216, 36, 46),
        "rose": (234, 156, 156),
        "sand": (208, 180, 138),
        "seafoam": (116, 220, 190),
        "slate": (80, 96, 118),
        "snow": (248, 246, 240),
        "umber": (106, 80, 60),
    }
)
"""Colours of plumage and beak, sRGB, 0 to 255."""


@dataclass(frozen=True)
class BirdTraits:
    """The traits that define a category. Size, eyes and legs are random.

    Attributes
    ----------
    crown, forehead, face, throat, back, breast, belly, wing, tail, beak : str
        Colours, as keys of `PALETTE`. The nape has the colour of `back`; `face` is the side of the
        head, around the eye.
    breast_pattern : {"plain", "streaked", "spotted", "banded"}
        Dark markings on the breast.
    wing_bar : {"none", "single", "double", "patch"}
        Light bars across the wing, or a golden patch on it.
    tail_shape : {"square", "forked", "rounded"}
        Shape of the end of the tail.
    beak_shape : {"cone", "thin", "hooked"}
        Shape of the beak.
    """

    crown: str
    forehead: str
    face: str
    throat: str
    back: str
    breast: str
    breast_pattern: BreastPattern
    belly: str
    wing: str
    wing_bar: WingBar
    tail: str
    tail_shape: TailShape
    beak: str
    beak_shape: BeakShape


WINGS = ("left wing", "right wing")
TRAIT_PARTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "crown": ("crown",),
        "forehead": ("forehead",),
        "face": ("left eye", "right eye"),
        "throat": ("throat",),
        "back": ("back", "nape"),
        "breast": ("breast",),
        "breast_pattern": ("breast",),
        "belly": ("belly",),
        "wing": WINGS,
        "wing_bar": WINGS,
        "tail": ("tail",),
        "tail_shape": ("tail",),
        "beak": ("beak",),
        "beak_shape": ("beak",),
    }
)
"""The parts on which each trait can be seen."""


def replace_traits(traits: BirdTraits, **changes: str) -> BirdTraits:
    """Return a copy of `traits` with changes.

    Raises
    ------
    ExplorerError
        When a name is not a trait.
    """
    values = asdict(traits)
    unknown = sorted(set(changes) - set(values))
    if unknown:
        raise ExplorerError(
            f"No such trait: {', '.join(unknown)}. Choose from {', '.join(values)}."
        )
    return BirdTraits(**(values | changes))
