"""The record of a name that was found for an x-feature, with what speaks for it."""

from dataclasses import dataclass
from typing import Literal

from explorer.storage.text import is_plain_line

MAX_ALSO_ON = 5
_MAX_LENGTH = 80

NameKind = Literal["attribute", "part", "background", "others", "unclear"]


@dataclass(frozen=True)
class FeatureHeat:
    """Where the heat of an x-feature lies, on average over the photos that name it.

    Attributes
    ----------
    shares : tuple of float
        (P,), share of the heat on the bird on each part of the data set.
    areas : tuple of float
        (P,), share of the box that belongs to each part.
    outside, outside_area : float
        Share of all heat, and of the photo, outside the box.
    """

    shares: tuple[float, ...]
    areas: tuple[float, ...]
    outside: float
    outside_area: float

    def __post_init__(self) -> None:
        if len(self.shares) != len(self.areas):
            raise ValueError("its heat has more parts than areas, or fewer")


@dataclass(frozen=True)
class FeatureName:
    """What an x-feature stands for, as far as its activations and its heat tell.

    Attributes
    ----------
    kind : {"attribute", "part", "background", "others", "unclear"}
        An attribute of birds, or where none predicts the activations, the part or region on which
        the heat lies, or the background. "others" for what fires on other birds and
        lowers the score; "unclear" if the heat lies nowhere in particular.
    words : str
        The name, such as "red breast" or "crown".
    is_against : bool
        Whether the x-feature lowers the score: it fires on what other birds have.
    parts : tuple of str
        The parts of the data set that the name is about.
    heat : float or None
        Their share of the heat on the bird, in [0, 1]; for the background, its share of all heat.
        None if the name is unclear.
    correlation, low, high : float or None
        Correlation over categories of the mean activation with the attribute, and the ends of its
        95 % bootstrap interval; None without an attribute.
    elsewhere : float or None
        The same correlation without the explained category, and for an x-feature that lowers the
        score without the one on which it fires most.
    also_on : tuple of str
        Other categories on which it fires, the one with the highest mean activation first; with an
        attribute, only those that have it.
    """

    kind: NameKind
    words: str
    is_against: bool = False
    parts: tuple[str, ...] = ()
    heat: float | None = None
    correlation: float | None = None
    low: float | None = None
    high: float | None = None
    elsewhere: float | None = None
    also_on: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for text in (self.words, *self.parts):
            if not text or len(text) > _MAX_LENGTH or not is_plain_line(text):
                raise ValueError(f"{text[:_MAX_LENGTH]!r} is not a name")
