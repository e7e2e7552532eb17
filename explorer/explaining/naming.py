"""The names under which x-features are spoken of: people's own, else those that were found."""

from collections.abc import Mapping

from explorer.config import ExplorerError
from explorer.data.names import join_words
from explorer.measuring.name_records import FeatureName
from explorer.measuring.records import ModuleMeasures, load_module_measures
from explorer.workspace.files import WorkspaceFiles
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.notes import load_notes


def name_feature(feature: int) -> str:
    """Name an x-feature by its number: counted from 0 in the code, from 1 on the page."""
    return f"x-feature {feature + 1}"


def call_feature(feature: int, names: Mapping[int, str]) -> str:
    """Return the name of an x-feature, counted from 0, or else its number."""
    return names.get(feature) or name_feature(feature)


def load_names(files: WorkspaceFiles, entry: ModuleEntry) -> dict[int, str]:
    """Load the names of a module's x-features, counted from 0.

    Notes or measures that cannot be read count as none; an explanation does without.
    """
    try:
        measures = load_module_measures(files, entry)
    except ExplorerError:
        measures = None
    return merge_names(load_own_names(entry), measures)


def load_own_names(entry: ModuleEntry) -> dict[int, str]:
    """Load the names that people gave to a module's x-features; none if they cannot be read."""
    try:
        return load_notes(entry).names
    except ExplorerError:
        return {}


def merge_names(own: Mapping[int, str], measures: ModuleMeasures | None) -> dict[int, str]:
    """Put people's own names before those that were found; x-features without either are left out.

    Parameters
    ----------
    own : Mapping of int to str
        Names that people gave to x-features, counted from 0.
    measures : ModuleMeasures or None
        Of their module.
    """
    found = () if measures is None else measures.names
    named = {n: one.words for n, one in enumerate(found) if one.kind != "unclear"}
    return named | dict(own)


def describe_reason(name: FeatureName) -> str:
    """Say why a found name was given, with its numbers."""
    if name.kind == "unclear":
        return "Its heat lies on no part in particular, and no known attribute fits."
    if name.kind == "others":
        return "It fires on other birds, and on this one little."
    if name.kind == "background":
        return f"{name.heat:.0%} of its heat lies outside the bird's box, more than by area."
    places = join_words([f"the {part}" for part in name.parts])
    heat = f"On training photos, {name.heat:.0%} of the heat on the bird lies on {places}"
    if name.correlation is None or name.low is None or name.high is None:
        return f"{heat}, but no known attribute of it predicts where the x-feature fires."
    elsewhere = "" if name.elsewhere is None else f"; {name.elsewhere:.2f} on other species alone"
    return (
        f"It fires on species that have this: correlation {name.correlation:.2f} "
        f"(95% interval {name.low:.2f} to {name.high:.2f}{elsewhere}). {heat}."
    )
