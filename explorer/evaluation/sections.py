"""The tables of a comparison, made from the columns of all measures."""

from collections.abc import Collection, Iterable
from dataclasses import replace

from explorer.analysis.table import Column, Section
from explorer.evaluation.measures import titles
from explorer.evaluation.measures.registry import MEASURES
from explorer.evaluation.repeatability import REPEATABILITY


def merge_sections(sections: Iterable[Section]) -> tuple[Section, ...]:
    """Join sections with the same title: first the columns of the one, then of the other."""
    merged: dict[str, Section] = {}
    for one in sections:
        known = merged.get(one.title, Section(one.title, (), ""))
        merged[one.title] = Section(
            one.title,
            known.columns + one.columns,
            " ".join(filter(None, (known.caption, one.caption))),
        )
    return tuple(merged.values())


_PIECES = tuple(
    section
    for sections in (*(one.sections for one in MEASURES), REPEATABILITY)
    for section in sections
)

SECTIONS = merge_sections(_PIECES)
"""The tables, in order. Measures without a column are only in the CSV file."""

COLUMNS = tuple(column for section in SECTIONS for column in section.columns)


def list_sections(measured: Collection[str]) -> tuple[Section, ...]:
    """List the tables that have values; titles and captions leave out what was not measured.

    Parameters
    ----------
    measured : collection of str
        Names of measures.
    """

    def is_measured(piece: Section) -> bool:
        return any(column.measure in measured for column in piece.columns)

    sections = merge_sections(filter(is_measured, _PIECES))
    if any(map(is_measured, REPEATABILITY)):
        return sections
    return tuple(
        replace(one, title=titles.CURVES_ALONE) if one.title == titles.CURVES else one
        for one in sections
    )


SANITY_SECTION = Section(
    "Sanity checks on randomised networks",
    (
        Column("classifier_accuracy_test", "ŷ one-vs-all"),
        Column("accuracy_test", "ȳ one-vs-all"),
        Column("relative_f_reg_test", "F_reg of range", ".1%"),
        Column("telling_share", "heat on telling parts", ".0%"),
        Column("pointing_telling", "pointing at telling parts", ".0%"),
        Column("telling_area", "their area", ".0%"),
        Column("edit_score", "edit: fall of ŷ", ".2f"),
        Column("edit_pointer", "edit: pointer's share", ".0%"),
        Column("edit_uniform", "even share", ".0%"),
        Column("edit_rank", "edit: rank ρ", ".2f"),
        Column("edit_matched", "edit: own share", ".0%"),
        Column("edit_owned", "edit: owned marks", ".1f"),
        Column("single_deletion", "single deletion", ".2f"),
        Column("target_sensitivity", "target sensitivity", ".2f"),
        Column("gap_own", "gap, own"),
        Column("gap_score", "gap, ŷ"),
        Column("similar_activation", "activation like trained"),
        Column("similar_map", "map like trained"),
    ),
    "After Adebayo et al., *Sanity Checks for Saliency Maps* (2018): the same methods on a network "
    "with random weights and on one trained on random labels. Good results there come from the "
    "picture, not from what the network has learnt. *Like trained*: correlation of activations and "
    "overlap of maps with those on the trained network.",
)
