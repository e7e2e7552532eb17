"""Attributes of categories, such as "red breast": what annotators said of birds, or the truth.

CUB-200-2011 lists for each of 312 attributes the percentage of annotators that saw it in photos of
a species. Painted birds have theirs by design.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from explorer.data.cub import CubDataset
from explorer.data.cub_files import (
    ATTRIBUTE_NAMES,
    ATTRIBUTES,
    DatasetError,
    read_names,
    read_table,
)
from explorer.data.painted.traits import PALETTE, TRAIT_PARTS
from explorer.data.painted.truth import PaintedTruth, load_truth
from explorer.data.photo_folders import list_photo_folders

TABLE_FILE = "class_attribute_labels_continuous.txt"

COLOURS = frozenset(
    (
        *("black", "blue", "brown", "buff", "green", "grey", "iridescent", "olive", "orange"),
        *("pink", "purple", "red", "rufous", "white", "yellow"),
        *PALETTE,
    )
)
"""The words for colours in the names of attributes: CUB's, and those of painted birds."""

_WINGS = ("left wing", "right wing")
_EYES = ("left eye", "right eye")
_LEGS = ("left leg", "right leg")
_REGIONS: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "back": ("back", ("back",)),
        "belly": ("belly", ("belly",)),
        "bill": ("bill", ("beak",)),
        "breast": ("breast", ("breast",)),
        "crown": ("crown", ("crown",)),
        "eye": ("eyes", _EYES),
        "forehead": ("forehead", ("forehead",)),
        "head": ("head", ("crown", "forehead", *_EYES, "nape", "throat")),
        "leg": ("legs", _LEGS),
        "nape": ("nape", ("nape",)),
        "tail": ("tail", ("tail",)),
        "throat": ("throat", ("throat",)),
        "under_tail": ("undertail", ("tail",)),
        "underparts": ("underparts", ("throat", "breast", "belly")),
        "upper_tail": ("uppertail", ("tail",)),
        "upperparts": ("upperparts", ("nape", "back", *_WINGS)),
        "wing": ("wings", _WINGS),
    }
)
"""For the regions in the names of CUB's attributes, the word for them and CUB's parts. Size, shape
and primary colour are of the whole bird, and cannot be seen on a part."""

_ATTRIBUTE = re.compile(r"has_(?P<region>\w+)_(?:color|pattern|shape|length)::(?P<value>.+)")
_CUB_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "bill about the same as head": "bill as long as the head",
        "bill longer than head": "bill longer than the head",
        "bill shorter than head": "bill shorter than the head",
        "eyebrow head": "eyebrow",
        "eyeline head": "eye line",
        "eyering head": "eye ring",
        "malar head": "malar stripe",
        "specialized bill": "specialised bill",
        "unique pattern head": "head with a pattern of its own",
    }
)
"""Where value and region are not said one after the other."""
_PAINTED_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "breast_pattern": "{} breast",
        "tail_shape": "{} tail",
        "beak_shape": "{} beak",
        "wing": "{} wings",
        "wing_bar": "{} wing bar",
    }
)


@dataclass(frozen=True, eq=False)
class AttributeTable:
    """Attributes of the categories of a data set.

    Attributes
    ----------
    words : tuple of str
        (A,), such as "red breast".
    groups : tuple of str
        (A,), what the attribute is a value of, such as "breast_color": the values of a group
        exclude each other.
    parts : tuple
        (A,), the names of the data set's parts on which each attribute can be seen; empty for
        those of the whole bird.
    shares : NDArray of float64
        (C, A), in [0, 1]: how much of each category, in the order of the data set, has it.
    """

    words: tuple[str, ...]
    groups: tuple[str, ...]
    parts: tuple[tuple[str, ...], ...]
    shares: NDArray[np.float64]


def load_attributes(dataset: CubDataset) -> AttributeTable | None:
    """Load the attributes of the categories of a data set.

    Those of CUB are looked for in the folder of the tables, of the photos, and in any copy of CUB
    (see `explorer.data.photo_folders`), and matched by the names of categories.

    Returns
    -------
    AttributeTable or None
        None if there is no table that has all categories.

    Raises
    ------
    ExplorerError
        When a table is damaged.
    """
    truth = load_truth(dataset.root)
    if truth is not None:
        return _list_painted(truth, dataset.categories)
    places = (dataset.root, dataset.photos_root, *list_photo_folders())
    for folder in dict.fromkeys(filter(None, places)):
        table = _read_cub(folder, dataset.categories)
        if table is not None:
            return table
    return None


def _list_painted(truth: PaintedTruth, categories: tuple[str, ...]) -> AttributeTable:
    """List every value that a trait has in any category."""
    traits = {category: vars(truth.traits[category]) for category in categories}
    pairs = sorted({pair for own in traits.values() for pair in own.items()})
    return AttributeTable(
        words=tuple(name_painted(trait, value) for trait, value in pairs),
        groups=tuple(trait for trait, _ in pairs),
        parts=tuple(TRAIT_PARTS[trait] for trait, _ in pairs),
        shares=np.array(
            [[own[trait] == value for trait, value in pairs] for own in traits.values()], np.float64
        ),
    )


def name_painted(trait: str, value: str) -> str:
    """Name the value of a painted bird's trait: ``("wing", "ink")`` gives "ink wings"."""
    return _PAINTED_WORDS.get(trait, "{} " + trait).format("no" if value == "none" else value)


def _read_cub(folder: Path, categories: tuple[str, ...]) -> AttributeTable | None:
    """Read the attributes in a CUB folder; None if it has none, or lacks a category."""
    file = folder / ATTRIBUTES / TABLE_FILE
    places = (file.with_name(ATTRIBUTE_NAMES), folder.parent / ATTRIBUTE_NAMES)
    names_file = next(filter(Path.is_file, places), None)
    if names_file is None or not file.is_file():
        return None
    classes = read_names(folder / "classes.txt")
    rows = dict(zip(classes.names, (classes.ids - 1).tolist(), strict=True))
    if not rows.keys() >= set(categories):
        return None
    names = read_names(names_file)
    table = read_table(file, len(names.names))
    is_share = np.all((table.values >= 0) & (table.values <= 100), axis=1)
    table.check(is_share, "a percentage must lie in 0 … 100")
    wanted = [rows[category] for category in categories]
    if max(wanted) >= len(table.values) or min(wanted) < 0:
        raise DatasetError(
            f"{file} has {len(table.values):,} lines, one for each class, but {folder} has a class "
            f"with id {max(wanted) + 1}. Unpack the data set again."
        )
    described = [describe_attribute(name) for name in names.names]
    return AttributeTable(
        words=tuple(words for words, _, _ in described),
        groups=tuple(group for _, group, _ in described),
        parts=tuple(parts for _, _, parts in described),
        shares=table.values[wanted] / 100,
    )


def describe_attribute(name: str) -> tuple[str, str, tuple[str, ...]]:
    """Return an attribute of CUB in words, its group, and the parts on which it can be seen.

    ``"has_breast_color::red"`` gives ``("red breast", "breast_color", ("breast",))``.
    """
    group = name.partition("::")[0].removeprefix("has_")
    found = _ATTRIBUTE.fullmatch(name)
    value = name.partition("::")[2].replace("_", " ")
    if found is None or found["region"] not in _REGIONS:
        return f"{group.replace('_', ' ')} {value}".strip(), group, ()
    noun, parts = _REGIONS[found["region"]]
    value = re.sub(r" \(.*\)|[ -](?:tail|wings)$", "", value)
    words = f"{value.replace('multi-colored', 'multicoloured')} {noun}"
    if group.endswith("_length"):
        words = f"{noun} {value}"
    return _CUB_WORDS.get(words, words), group, parts
