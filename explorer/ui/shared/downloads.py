"""Downloads of an explained photo: the maps as drawn, and the numbers as computed."""

from functools import partial

import streamlit as st
from numpy.typing import ArrayLike

from explorer.analysis.locality import PartHistogram, compute_locality
from explorer.explaining.arrays import list_arrays, tabulate_sum
from explorer.storage import packing
from explorer.ui.shared import cached, drawings
from explorer.ui.shared.shown_photo import ShownPhoto
from explorer.ui.shared.state import MapStyle
from explorer.ui.shared.windows import find_score_window, find_window
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace


def show_downloads(
    workspace: Workspace, entry: ModuleEntry, photo: ShownPhoto, style: MapStyle, feature: int
) -> None:
    """Show the buttons for pictures and numbers; files are made when they are asked for."""
    stem = photo.make_stem(entry.category, entry.run)
    drawn = f"{style.layer}_{style.colours}"
    with st.container(horizontal=True):
        st.download_button(
            f"Picture of x-feature {feature + 1} (PNG)",
            data=partial(drawings.draw_overlay_png, workspace, entry, photo, style, feature),
            file_name=f"{stem}_x-feature-{feature + 1}_{drawn}.png",
            mime="image/png",
            icon=":material/image:",
            on_click="ignore",
            key="download-png",
        )
        st.download_button(
            "All pictures and the sum (ZIP)",
            data=partial(make_pictures, workspace, entry, photo, style),
            file_name=f"{stem}_{drawn}_pictures.zip",
            mime="application/zip",
            icon=":material/photo_library:",
            on_click="ignore",
            key="download-zip",
            help="Maps of all x-features and of the score as PNGs, and the contributions as CSV.",
        )
        st.download_button(
            "Raw maps and numbers (NPZ)",
            data=partial(make_arrays, workspace, entry, photo, style.layer),
            file_name=f"{stem}_{style.layer}_raw.npz",
            mime="application/zip",
            icon=":material/data_array:",
            on_click="ignore",
            key="download-npz",
            help="Read it with `numpy.load`; the maps in it are neither normalised nor smoothed.",
        )


def show_score_download(
    workspace: Workspace, category: str, photo: ShownPhoto, style: MapStyle
) -> None:
    """Show the button for the picture of the network's score of a category."""
    stem = photo.make_stem(category, "excitation-bp")
    st.download_button(
        "Picture of the score (PNG)",
        data=partial(_draw_score, workspace, category, photo, style),
        file_name=f"{stem}_{style.layer}_{style.colours}.png",
        mime="image/png",
        icon=":material/image:",
        on_click="ignore",
        key="download-score",
    )


def _draw_score(workspace: Workspace, category: str, photo: ShownPhoto, style: MapStyle) -> bytes:
    window = find_score_window(workspace, category, photo, style)
    return drawings.draw_score_png(workspace, category, photo, style, window)


def make_pictures(
    workspace: Workspace, entry: ModuleEntry, photo: ShownPhoto, style: MapStyle
) -> bytes:
    """Pack the maps of all x-features and of the score over the photo, and the sum, in a ZIP.

    Maps are PNGs; the sum is a table, ``numbers.csv``, of `tabulate_sum`.
    """
    explanation = photo.explain(workspace, entry, style.layer)
    count = len(explanation.x_features)
    files = {
        f"x-feature-{n + 1}.png": drawings.draw_overlay_png(workspace, entry, photo, style, n)
        for n in range(count)
    }
    window = find_window(workspace, entry, photo, style)
    score = drawings.draw_score_png(workspace, entry.category, photo, style, window)
    numbers = packing.make_csv(tabulate_sum(explanation, cached.load_names(workspace, entry)))
    return packing.make_zip(
        files | {"excitation-bp-of-the-score.png": score, "numbers.csv": numbers}
    )


def make_arrays(workspace: Workspace, entry: ModuleEntry, photo: ShownPhoto, layer: str) -> bytes:
    """Pack everything computed of a photo, but not the photo itself.

    Returns
    -------
    bytes
        NPZ without pickles:

        - ``raw_maps`` (K, h, w), c-MWP as computed, non-negative, at the grid of ``map_layer``;
        - ``x_features`` (K,), >= 0, and ``contributions`` (K,), signed, which add up to ``y_bar``
          with ``base``;
        - ``score_map`` (h, w), c-MWP of ``y_hat`` itself, non-negative;
        - ``logits`` and ``softmax`` (C,) of ``categories`` (C,);
        - ``category``, ``module_run`` and ``classifier_sha256``;
        - ``photo_size`` (height, width), and what `ShownPhoto.list_facts` lists;
        - where the photo has parts, ``box`` (x, y, width, height), ``points`` (P, 2), NaN where
          not visible, ``part_histogram`` (K, P) of ``part_names`` (P,), and ``locality``,
          ``locality_is_defined`` and ``share_outside_box`` (K,).
    """
    explanation = photo.explain(workspace, entry, layer)
    score_map = photo.explain_score(workspace, entry.category, layer)
    size = (photo.image.shape[0], photo.image.shape[1])
    arrays = {
        **list_arrays(workspace, entry, explanation, score_map, size),
        **photo.list_facts(),
    }
    parts = photo.parts
    if parts is not None:
        arrays |= {"box": parts.box, "points": parts.points}
        arrays |= {"part_names": workspace.dataset.part_names}
        arrays |= _list_measure(parts.measure(explanation.maps))
    return packing.make_npz(arrays)


def _list_measure(measure: PartHistogram) -> dict[str, ArrayLike]:
    locality, is_defined = compute_locality(measure.values)
    return {
        "part_histogram": measure.values,
        "share_outside_box": measure.outside,
        "locality": locality,
        "locality_is_defined": is_defined,
    }
