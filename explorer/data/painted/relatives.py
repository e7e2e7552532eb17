"""The nearest relatives of each painted category, and the marks in which they differ."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from explorer.data.painted.traits import PART_NAMES, TRAIT_PARTS, BirdTraits


@dataclass(frozen=True)
class Relative:
    """A nearest relative of a category.

    Attributes
    ----------
    name : str
        Name of the relative.
    differing_traits : tuple of str
        Traits in which the two categories differ, in the order of `BirdTraits`.
    telling_parts : tuple of str
        Parts on which those traits can be seen, in the order of `PART_NAMES`.
    """

    name: str
    differing_traits: tuple[str, ...]
    telling_parts: tuple[str, ...]


@dataclass(frozen=True)
class Mark:
    """A trait that tells a category from some of its nearest relatives.

    Attributes
    ----------
    trait : str
        Name of the trait.
    parts : tuple of str
        Parts on which it can be seen, in the order of `PART_NAMES`.
    others : tuple of str
        The values of those relatives, each once.
    """

    trait: str
    parts: tuple[str, ...]
    others: tuple[str, ...]


def find_marks(traits: Mapping[str, BirdTraits], relatives: Iterable[Relative]) -> tuple[Mark, ...]:
    """Return the marks of a category with these relatives, in the order of `BirdTraits`."""
    others: dict[str, dict[str, None]] = {field.name: {} for field in fields(BirdTraits)}
    for relative in relatives:
        for trait in relative.differing_traits:
            others[trait][getattr(traits[relative.name], trait)] = None
    return tuple(
        Mark(trait, find_telling_parts((trait,)), tuple(values))
        for trait, values in others.items()
        if values
    )


def find_differing_traits(one: BirdTraits, other: BirdTraits) -> tuple[str, ...]:
    """Return the names of the traits in which two birds differ, in the order of `BirdTraits`."""
    return tuple(
        field.name
        for field in fields(BirdTraits)
        if getattr(one, field.name) != getattr(other, field.name)
    )


def find_telling_parts(differing_traits: tuple[str, ...]) -> tuple[str, ...]:
    """Return the parts on which traits can be seen, in the order of `PART_NAMES`."""
    distinguishing = {part for trait in differing_traits for part in TRAIT_PARTS[trait]}
    return tuple(part for part in PART_NAMES if part in distinguishing)


def find_nearest_relatives(name: str, categories: Mapping[str, BirdTraits]) -> tuple[Relative, ...]:
    """Return the categories that differ from `name` in the fewest traits, including ties."""
    relatives = []
    for other, traits in categories.items():
        if other != name:
            differing = find_differing_traits(categories[name], traits)
            relatives.append(Relative(other, differing, find_telling_parts(differing)))
    fewest = min(len(relative.differing_traits) for relative in relatives)
    return tuple(item for item in relatives if len(item.differing_traits) == fewest)
