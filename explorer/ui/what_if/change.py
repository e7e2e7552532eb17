"""What the network and the module say of a photo without a region of it."""

import hashlib
import html
from collections.abc import Mapping

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.data.cub import format_category
from explorer.data.paint_out import SURROUNDINGS, WAYS, paint_out
from explorer.explaining.naming import name_feature
from explorer.explaining.what_if import Outcome, compute_outcome, describe_change
from explorer.render.before_after import outline_region, render_before_after
from explorer.ui.shared import cached, caching, pictures
from explorer.ui.shared.figures import draw_unshared, show_figure
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.shown_photo import ShownPhoto
from explorer.ui.shared.state import MapStyle
from explorer.ui.shared.subject import escape_words, name_in_figure
from explorer.ui.shared.unfolding import show_when_open
from explorer.ui.what_if.region import PREFIX, choose_region
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

SECTION = f"{PREFIX}section"


def show_what_if(
    workspace: Workspace, entry: ModuleEntry, photo: ShownPhoto, style: MapStyle, feature: int
) -> None:
    """Show a section where the user paints out a region of a photo, and sees what changes.

    Parameters
    ----------
    workspace : Workspace
        The workspace of the module.
    entry : ModuleEntry
        The module that explains the photo.
    photo : ShownPhoto
        The photo.
    style : MapStyle
        Of the maps on the page, for their layer.
    feature : int
        The x-feature of the page, counted from 0, whose heat is offered first.
    """
    show_when_open(
        "What if it were not there?",
        SECTION,
        lambda: _show_choice_and_change(workspace, entry, photo, style, feature),
    )


def _show_choice_and_change(
    workspace: Workspace, entry: ModuleEntry, photo: ShownPhoto, style: MapStyle, feature: int
) -> None:
    st.markdown(
        "Paint out a region of the photo. The network looks at what is left, so that its scores "
        "and all x-features change."
    )
    names = cached.load_names(workspace, entry)
    left, right = st.columns(2, gap="large")
    with left:
        explanation = photo.explain(workspace, entry, style.layer)
        region = choose_region(photo, explanation, workspace.dataset.part_names, names, feature)
        way = st.segmented_control(
            "with", WAYS, default=SURROUNDINGS, required=True, key=f"{PREFIX}way", wrap=True
        )
        if not region.any():
            st.info("Nothing is painted out yet: choose or draw a region.")
            return
        changed = paint_out(photo.image, region, way or SURROUNDINGS)
        _show_changed(changed, region)
    with right:
        before = _ask(workspace, entry, photo, photo.image)
        with st.spinner("Asking the network again …"):
            after = _ask(workspace, entry, photo, changed)
        _show_change(before, after, workspace.dataset.categories, names)


def _ask(
    workspace: Workspace, entry: ModuleEntry, photo: ShownPhoto, image: NDArray[np.uint8]
) -> Outcome:
    digest = hashlib.sha256(image.tobytes()).hexdigest()
    key = ("what-if", *caching.make_module_key(workspace, entry), digest)
    return photo.remember_drawing(key, lambda: compute_outcome(workspace, entry, image))


def _show_changed(changed: NDArray[np.uint8], region: NDArray[np.bool_]) -> None:
    share = region.mean()
    outlined = pictures.fit_for_display(outline_region(changed, region), pictures.MIDDLE_SIDE)
    st.image(
        pictures.encode_jpeg(outlined),
        caption=f"What the network looks at now: {share:.0%} of the photo is painted out.",
        alt="The photo with the region painted out and outlined",
        width="stretch",
    )


def _show_change(
    before: Outcome, after: Outcome, categories: tuple[str, ...], found: Mapping[int, str]
) -> None:
    plain = [format_category(name) for name in categories]
    escaped = {n: escape_words(words) for n, words in found.items()}
    st.markdown(describe_change(before, after, [*map(escape_markdown, plain)], escaped))
    rows = range(len(before.contributions))
    labels = [
        f"Network: {html.escape(plain[before.index])}",
        "Module",
        *(name_in_figure(n, found) for n in rows),
    ]
    first, second = (
        np.array([one.y_hat, one.y_bar, *one.contributions]) + 0.0 for one in (before, after)
    )
    show_figure(
        draw_unshared(render_before_after, first, second, labels),
        "Scores and contributions before and after. "
        + describe_change(before, after, plain, found),
        key="figure-what-if",
        numbers={
            "what": ["y_hat", "y_bar", *map(name_feature, rows)],
            "name": ["", "", *(found.get(n, "") for n in rows)],
            "before": first.tolist(),
            "after": second.tolist(),
        },
    )
    st.caption(
        "A ring is the photo as it is, a dot the photo without the region. A patch is something "
        "new in the photo as well: try more than one way to paint it out."
    )
