"""The name that was found for an x-feature, and what speaks for it."""

import streamlit as st

from explorer.data.names import join_words, name_categories
from explorer.explaining.naming import describe_reason
from explorer.measuring.name_records import FeatureName
from explorer.measuring.records import ModuleMeasures
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.subject import Subject, escape_words

_HELP = (
    "An attribute names an x-feature if the species has it, the heat lies on its parts, and the "
    "mean activations on all species go with it: a correlation of at least 0.3 at the lower end of "
    "its interval and without the species itself, which shuffled species reach at most once in "
    "twenty times. Otherwise the part alone is named, if it holds a quarter of the heat, or the "
    "region, if it holds 40%."
)


def show_evidence(subject: Subject, measures: ModuleMeasures | None) -> None:
    """Show the found name with its numbers, and the other birds on which the x-feature fires.

    Nothing is shown for modules that were measured before there were names.
    """
    if measures is None or not measures.names:
        return
    found = measures.names[subject.feature]
    reason = escape_words(describe_reason(found))
    with st.container(key="x-feature-evidence"):
        st.markdown(
            f"Found by its activations: {_describe_name(found)} {reason}"
            f"{_describe_others(subject, found)}",
            help=_HELP,
        )


def _describe_name(found: FeatureName) -> str:
    if found.kind == "unclear":
        return "no name."
    whose = ", a mark of other birds" if found.is_against and found.kind == "attribute" else ""
    return f"**{escape_words(found.words)}**{whose}."


def _describe_others(subject: Subject, found: FeatureName) -> str:
    names = name_categories(subject.workspace.dataset.categories)
    others = [escape_markdown(names[one]) for one in found.also_on if one in names]
    if not others:
        return ""
    fires = "It fires" if found.is_against else "It also fires"
    whose = ", which have it" if found.kind == "attribute" else ""
    if len(others) == 1 and whose:
        whose = ", which has it"
    return f" {fires} on {join_words(others)}{whose}."
