"""A visitor's photo explained, to take along: pictures, numbers and, without the photo, a link."""

from collections.abc import Mapping
from functools import partial

import streamlit as st

from explorer.data.cub import format_category
from explorer.methods.runs import format_run
from explorer.ui.shared import caching, downloads, drawings, exports, heatmaps, links, state
from explorer.ui.shared.names import name_categories
from explorer.ui.shared.state import MapStyle
from explorer.ui.your_photo import photo_parts
from explorer.ui.your_photo.explaining import (
    EXPLAINED,
    EXPLAINED_RUN,
    draw,
    draw_score,
    explain,
    explain_score,
)
from explorer.ui.your_photo.intake import SAMPLE_KEY, SOURCE
from explorer.ui.your_photo.own_photo import SAMPLE, OwnPhoto
from explorer.ui.your_photo.verdict import ask
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace


def make_stem(photo: OwnPhoto, category: str, explained_by: str) -> str:
    """Name files after the photo, the explained category and the module, or what stands for it."""
    name = photo.name.rpartition(".")[0] or photo.name
    what = "sample" if photo.source == SAMPLE else "your-photo"
    return exports.make_stem(what, name, format_category(category), explained_by)


def show_score_download(
    workspace: Workspace, category: str, photo: OwnPhoto, style: MapStyle
) -> None:
    """Show the button for the picture of the network's own score of a category."""
    stem = make_stem(photo, category, "excitation-bp")
    st.download_button(
        "Picture of the score (PNG)",
        data=partial(draw_score_png, workspace, category, photo, style),
        file_name=f"{stem}_{style.layer}_{style.colours}.png",
        mime="image/png",
        icon=":material/image:",
        on_click="ignore",
        key="download-score",
    )


def show_downloads(
    workspace: Workspace, entry: ModuleEntry, photo: OwnPhoto, style: MapStyle, feature: int
) -> None:
    """Show the buttons for pictures and numbers; files are made when asked for."""
    stem = make_stem(photo, entry.category, entry.run)
    with st.container(horizontal=True):
        draw = partial(draw_feature_png, workspace, entry, photo, style, feature)
        downloads.offer_picture(draw, stem, feature, style)
        st.download_button(
            "All pictures (ZIP)",
            data=partial(make_pictures, workspace, entry, photo, style),
            file_name=f"{stem}_{style.layer}_{style.colours}_pictures.zip",
            mime="application/zip",
            icon=":material/photo_library:",
            on_click="ignore",
            key="download-zip",
            help="Every x-feature and ExcitationBP of the score, each as a PNG.",
        )
        pack = partial(make_arrays, workspace, entry, photo, style.layer)
        downloads.offer_numbers(pack, stem, style)


def draw_feature_png(
    workspace: Workspace, entry: ModuleEntry, photo: OwnPhoto, style: MapStyle, feature: int
) -> bytes:
    """Draw one map (`feature` from 0) over the photo as a PNG without loss."""
    maps = explain(workspace, entry, photo, style.layer).maps
    top = draw(photo, maps, style, caching.make_module_key(workspace, entry)).tops[feature]
    return drawings.draw_map_png(photo.image, maps[feature], style, top)


def draw_score_png(workspace: Workspace, category: str, photo: OwnPhoto, style: MapStyle) -> bytes:
    """Draw the map of the network's own score over the photo as a PNG without loss."""
    heat = explain_score(workspace, category, photo, style.layer)
    top = draw_score(workspace, category, photo, style).tops[0]
    return drawings.draw_map_png(photo.image, heat, style, top)


def make_pictures(
    workspace: Workspace, entry: ModuleEntry, photo: OwnPhoto, style: MapStyle
) -> bytes:
    """Pack all maps over the photo, and that of the score, as PNGs in a ZIP."""
    count = len(explain(workspace, entry, photo, style.layer).x_features)
    files = {
        f"x-feature-{feature + 1}.png": draw_feature_png(workspace, entry, photo, style, feature)
        for feature in range(count)
    }
    score = draw_score_png(workspace, entry.category, photo, style)
    files["excitation-bp-of-the-score.png"] = score
    return exports.make_zip(files)


def make_arrays(workspace: Workspace, entry: ModuleEntry, photo: OwnPhoto, layer: str) -> bytes:
    """Pack what was computed of the photo, but not the photo.

    Returns
    -------
    bytes
        NPZ without pickles: what `downloads.list_explanation` names; ``score_map`` (h, w), c-MWP
        of ŷ itself, non-negative; ``softmax`` (C,); ``photo_name``, ``photo_sha256``,
        ``photo_size`` (height, width). Where parts have been placed also ``box`` (x, y, width,
        height), ``points`` (P, 2), NaN where not visible, and what `downloads.list_measure` names.
    """
    explanation = explain(workspace, entry, photo, layer)
    arrays = downloads.list_explanation(workspace, entry, explanation) | {
        "score_map": explain_score(workspace, entry.category, photo, layer),
        "softmax": ask(workspace, photo).shares,
        "photo_name": photo.name,
        "photo_sha256": photo.digest,
        "photo_size": photo.image.shape[:2],
    }
    if photo.marks.points:
        parts = photo_parts.make_parts(photo, len(workspace.dataset.part_names))
        arrays |= {"box": parts.box, "points": parts.points}
        arrays |= downloads.list_measure(workspace, parts.measure(explanation.maps))
    return exports.make_npz(arrays)


def make_explained_params(workspace: Workspace, entry: ModuleEntry, feature: int) -> dict[str, str]:
    """Return what chooses, in this page's address, what is explained and looked at closely."""
    names = name_categories(workspace.dataset.categories)
    selection, key = state.get_selection(), photo_parts.MEASURE
    params = {EXPLAINED: names[entry.category], EXPLAINED_RUN: format_run(entry.run)}
    if selection is not None:
        params |= links.make_module_params(workspace, selection.entry)
    return params | {
        state.FEATURE: heatmaps.name_feature(feature),
        key: str(bool(st.session_state.get(key))).lower(),
    }


def show_link(photo: OwnPhoto, style: MapStyle, explained: Mapping[str, str]) -> None:
    """Show what a link can hold: all choices, but no photo of one's own.

    Parameters
    ----------
    photo : OwnPhoto
        A sample is in the link as well.
    style : MapStyle
        How maps are drawn.
    explained : Mapping
        From `make_explained_params`, or the workspace alone where it has no module.
    """
    params: dict[str, str | int] = {SOURCE: photo.source}
    if photo.source == SAMPLE:
        params[SAMPLE_KEY] = photo.name
    params |= dict(explained) | links.make_style_params(style)
    if photo.source == SAMPLE:
        links.show_link(params)
        return
    links.show_link(params, "all that is chosen here, but without your photo")
    st.caption(
        "A link cannot hold your photo, for nobody but you has it. Whoever opens the link finds "
        "the same choices and brings a photo of their own."
    )
