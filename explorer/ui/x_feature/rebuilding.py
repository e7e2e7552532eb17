"""The dimensions of Z whose reconstruction depends most on one x-feature."""

import numpy as np
import streamlit as st

from explorer.analysis.rebuilding import Rebuilding, compute_rebuilding
from explorer.methods.registry import DEFAULT, read_module_settings
from explorer.render.numbers import format_number
from explorer.render.x_feature_bars import render_rebuilding
from explorer.ui.shared import scores
from explorer.ui.shared.caching import cache_data
from explorer.ui.shared.figures import draw, show_figure
from explorer.ui.shared.subject import Subject
from explorer.workspace.features import Features
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

_SHOWN = 10
_HELP = (
    "R² of a dimension: 1 where it is rebuilt perfectly, 0 where its own mean would do as well. "
    "Without this one means that it is held at its mean over the photos. The dimensions that lose "
    "most are shown, where an R² below 0 counts as 0."
)


def show_rebuilding(subject: Subject) -> None:
    """Show the dimensions of Z that lose most when the x-feature is held at its mean."""
    workspace, entry = subject.workspace, subject.entry
    features = scores.load_features(workspace)
    found = _rebuild(workspace, entry, features, subject.feature)
    if found is None:
        st.info(
            "This module was trained without rebuilding Z: its decoder has learnt nothing, so "
            f"there is nothing to tell of it here. Choose a module of the method {DEFAULT.title}."
        )
        return
    ranked = found.rank(_SHOWN)
    live, rebuilt = int(found.is_live.sum()), int(found.is_rebuilt.sum())
    if not len(ranked):
        st.info(
            f"No dimension of Z is rebuilt worse without it. {rebuilt:,} of {live:,} live "
            "dimensions are rebuilt better than by their mean."
        )
        return
    figure = draw(render_rebuilding, ranked.tolist(), found.r2[ranked], found.r2_held[ranked])
    order = np.flatnonzero(found.is_live)
    first = int(ranked[0])
    show_figure(
        figure,
        f"{len(ranked)} dimensions of Z that lose most R² without it; the first is Z {first}, "
        f"from {format_number(found.r2[first])} to {format_number(found.r2_held[first])}",
        key="figure-rebuilding",
        numbers={
            "dimension": order.tolist(),
            "r2": found.r2[order].tolist(),
            "r2_held": found.r2_held[order].tolist(),
            "loss": found.loss[order].tolist(),
        },
    )
    st.caption(
        "The coloured end of a bar is what would be lost without this x-feature. "
        f"Over the {_count_photos(subject):,} test photos {live:,} of {len(found.is_live):,} "
        f"dimensions of Z are live, and {rebuilt:,} of these are rebuilt better than by their "
        "mean. Dimensions are counted from 0.",
        help=_HELP,
    )


def _count_photos(subject: Subject) -> int:
    return int((subject.sides == "test").sum())


@cache_data(256, spinner="Rebuilding Z …")
def _rebuild(
    workspace: Workspace, entry: ModuleEntry, features: Features, feature: int
) -> Rebuilding | None:
    """Compare reconstructions of the test photos; None if the decoder was not trained."""
    record, networks = workspace.load_record(entry), workspace.networks
    settings = read_module_settings(record.settings)
    test = record.split.get("test", [])
    if settings is None or not settings.rebuilds_z or not test:
        return None
    z = features.z[features.get_rows(test)]
    rebuilt, held = networks.rebuild_z(entry, z), networks.rebuild_z(entry, z, feature)
    return compute_rebuilding(z, rebuilt, held)
