"""One x-feature of a module: its key figures, activations, parts and download."""

import html
import math
from functools import partial

import streamlit as st

from explorer.analysis.activation import compute_activation_spread, compute_auc
from explorer.explaining.naming import name_feature
from explorer.render.density import render_density
from explorer.render.numbers import format_signed
from explorer.render.x_feature_bars import render_localities
from explorer.storage import packing
from explorer.ui.shared import cached, empty
from explorer.ui.shared.birds import show_bird
from explorer.ui.shared.caching import cache_data
from explorer.ui.shared.figures import draw, show_figure
from explorer.ui.shared.markdown import escape_markdown, format_share
from explorer.ui.shared.part_figures import show_module_histogram
from explorer.ui.shared.subject import Subject, name_in_figure
from explorer.ui.shared.words import HELP
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

_WEIGHT_HELP = (
    "vₙ: how much one unit of activation adds to the score. Where it is negative, the x-feature "
    "speaks against the category: it fires on what other birds have."
)
_MEAN_HELP = (
    "The mean contribution on the category's own test photos, from which the module has not learnt."
)
_INACTIVE_HELP = "Photos on which the activation is exactly 0, so that it adds nothing there."


@cache_data(256)
def load_weights(workspace: Workspace, entry: ModuleEntry) -> list[float]:
    """Read v of a module, (K,)."""
    weights: list[float] = workspace.networks.read_weights(entry).tolist()
    return weights


def show_summary(subject: Subject) -> None:
    """Show weight, state, and mean contribution on the category's own test photos."""
    weight = load_weights(subject.workspace, subject.entry)[subject.feature]
    is_used = subject.sides != "unused"
    is_live = bool((subject.contributions[is_used] != 0).any())
    own = subject.scores.is_positive & (subject.sides == "test")
    mean = float(subject.contributions[own].mean()) if own.any() else None
    with st.container(horizontal=True, key="x-feature-summary", gap="small"):
        _show_tile("Weight vₙ", format_signed(weight, 3), _WEIGHT_HELP)
        _show_tile("State", "live" if is_live else "dead", HELP["live"])
        mean_text = "–" if mean is None else format_signed(mean)
        _show_tile("Mean contribution, test", mean_text, _MEAN_HELP)
    if not is_live:
        st.info("This x-feature is dead: it adds nothing to the score of any photo.")
    elif weight < 0:
        st.caption(
            "Its weight is negative: where it fires, it **lowers** the score of "
            f"{escape_markdown(subject.category)}."
        )


def _show_tile(label: str, value: str, help_text: str) -> None:
    st.metric(label, value, help=help_text, border=True)


def show_activations(subject: Subject) -> None:
    """Show how strongly it fires on photos of the category and on others."""
    positive = subject.scores.is_positive
    spread = compute_activation_spread(subject.activations, positive)
    kinds = (subject.category, "other birds")
    inactive = [None if math.isnan(share) else share for share in spread.inactive_shares.tolist()]
    aucs = {
        side: compute_auc(
            subject.activations[subject.sides == side], positive[subject.sides == side]
        )
        for side in ("test", "train")
    }
    with st.container(horizontal=True, key="x-feature-activation", gap="small"):
        _show_tile("Inactive, own", format_share(inactive[0]), _INACTIVE_HELP)
        _show_tile("Inactive, others", format_share(inactive[1]), _INACTIVE_HELP)
        _show_tile("AUC, test", format_share(aucs["test"]), HELP["auc"])
        _show_tile("AUC, train", format_share(aucs["train"]), HELP["auc"])
    if aucs["test"] is not None:
        st.markdown(_describe_auc(aucs["test"], escape_markdown(subject.category)))
    figure = draw(
        render_density,
        spread.edges,
        spread.shares,
        spread.inactive_shares,
        [html.escape(kind) for kind in kinds],
    )
    show_figure(
        figure,
        "Shares of photos by activation. Inactive: "
        + ", ".join(
            f"{kind} {format_share(share)}" for kind, share in zip(kinds, inactive, strict=True)
        ),
        key="figure-activation",
        numbers={
            "activation above": [0.0, *spread.edges[:-1].tolist()],
            "activation up to": [0.0, *spread.edges[1:].tolist()],
            "own photos": [int(spread.inactive[0]), *spread.counts[0].tolist()],
            "share of own photos": [inactive[0], *spread.shares[0].tolist()],
            "other photos": [int(spread.inactive[1]), *spread.counts[1].tolist()],
            "share of other photos": [inactive[1], *spread.shares[1].tolist()],
        },
    )
    st.caption(
        f"All {spread.totals[0]:,} photos of the category and {spread.totals[1]:,} of other birds, "
        "those that the module has learnt from among them. Inactive and active photos are drawn "
        "on scales of their own; the shares of a kind add up to 100%."
    )


def _describe_auc(auc: float, category: str) -> str:
    if auc >= 0.5:
        return (
            f"Given a test photo of {category} and one of another bird, this x-feature's "
            f"activation alone picks {category} **{auc:.1%}** of the time; guessing gives 50%."
        )
    return (
        f"Given a test photo of {category} and one of another bird, the **other** has the higher "
        f"activation **{1 - auc:.1%}** of the time; guessing gives 50%."
    )


def show_parts(subject: Subject, colours: str) -> None:
    """Show its shares of the parts, and its locality next to the module's other x-features.

    Parameters
    ----------
    subject : Subject
        The x-feature.
    colours : str
        Of the drawn bird: a name in `explorer.render.colour_maps.COLOUR_MAPS`.
    """
    workspace = subject.workspace
    measures = cached.load_measures(workspace, subject.entry)
    if measures is None:
        empty.show_no_metrics(workspace)
        return
    part_names = workspace.dataset.part_names
    measured = measures.locality.test
    localities = [
        value if is_defined else None
        for value, is_defined in zip(measured.locality, measured.is_defined, strict=True)
    ]
    st.caption(
        "On the category's own test photos. Its name was found on training photos, where shares "
        "may differ."
    )
    left, right = st.columns(2, gap="large")
    with left:
        show_bird(measures, subject, colours)
    with right:
        show_module_histogram(measures, subject.feature, part_names)
    _show_localities(subject, localities)


def _show_localities(subject: Subject, localities: list[float | None]) -> None:
    part_count = len(subject.workspace.dataset.part_names)
    even = math.log(part_count)
    figure = draw(
        render_localities,
        localities,
        [name_in_figure(n, subject.names) for n in range(len(localities))],
        part_count,
        subject.feature,
    )
    shown = ["none" if value is None else f"{value:.2f}" for value in localities]
    show_figure(
        figure,
        f"Locality of x-features: {', '.join(shown)}; of an even spread {even:.2f}",
        key="figure-localities",
        numbers={
            "x-feature": [name_feature(n) for n in range(len(localities))],
            "name": [subject.names.get(n, "") for n in range(len(localities))],
            "locality": ["" if value is None else value for value in localities],
            "even spread": [even] * len(localities),
        },
    )
    st.markdown(_describe_locality(localities, subject.feature, part_count))


def _describe_locality(localities: list[float | None], feature: int, part_count: int) -> str:
    own = localities[feature]
    if own is None:
        return "This x-feature has no heat on the category's test photos, so it has no locality."
    known = [value for value in localities if value is not None]
    rank = 1 + sum(value < own for value in known)
    place = "the most local" if rank == 1 else "the least local" if rank == len(known) else ""
    among = place or f"number {rank}, from local to spread,"
    parts = math.exp(own)
    first = f"It is {among} of {len(known)}. " if len(known) > 1 else ""
    return f"{first}Its heat is spread as if evenly over **{parts:.1f}** of {part_count} parts."


def show_numbers(subject: Subject) -> None:
    """Offer its numbers on every photo as CSV."""
    st.download_button(
        "Every photo's numbers (CSV)",
        data=partial(make_numbers, subject),
        file_name=f"{make_stem(subject)}.csv",
        mime="text/csv",
        icon=":material/table:",
        on_click="ignore",
        key="download-numbers",
    )


def make_numbers(subject: Subject) -> bytes:
    """Write its activation and contribution for all photos as CSV, in the data set's order."""
    dataset = subject.workspace.dataset
    photos = [dataset.get_photo(int(image_id)) for image_id in subject.scores.image_ids]
    return packing.make_csv(
        {
            "image_id": [photo.image_id for photo in photos],
            "category": [photo.category for photo in photos],
            "side": subject.sides.tolist(),
            "activation": subject.activations.tolist(),
            "contribution": subject.contributions.tolist(),
        }
    )


def make_stem(subject: Subject) -> str:
    """Name a file after category, module and x-feature."""
    return packing.make_stem(subject.category, subject.entry.run, name_feature(subject.feature))
