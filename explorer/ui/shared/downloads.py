"""Files to take along: the picture as drawn, and the numbers as computed."""

from collections.abc import Callable
from functools import partial

import streamlit as st
from numpy.typing import ArrayLike

from explorer.analysis.locality import PartHistogram, compute_locality
from explorer.data.cub import format_category
from explorer.data.photo import Photo
from explorer.nn.explanation import Explanation
from explorer.ui.shared import cached, drawings, exports
from explorer.ui.shared.state import MapStyle
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace


def show_downloads(
    workspace: Workspace, entry: ModuleEntry, photo: Photo, style: MapStyle, feature: int
) -> None:
    """Show the buttons for the overlay and for the numbers; files are made when asked for."""
    name = make_file_name(entry, photo)
    with st.container(horizontal=True):
        draw = partial(drawings.draw_overlay_png, workspace, entry, photo, style, feature)
        offer_picture(draw, name, feature, style)
        offer_numbers(partial(make_arrays, workspace, entry, photo, style.layer), name, style)


def offer_picture(draw: Callable[[], bytes], name: str, feature: int, style: MapStyle) -> None:
    """Offer a PNG of one x-feature (counted from 0); `name` begins that of the file."""
    st.download_button(
        f"Picture of x-feature {feature + 1} (PNG)",
        data=draw,
        file_name=f"{name}_x-feature-{feature + 1}_{style.layer}_{style.colours}.png",
        mime="image/png",
        icon=":material/image:",
        on_click="ignore",
        key="download-png",
    )


def offer_numbers(pack: Callable[[], bytes], name: str, style: MapStyle) -> None:
    """Offer what was computed of a photo as NPZ; `name` begins that of the file."""
    st.download_button(
        "Raw maps and numbers (NPZ)",
        data=pack,
        file_name=f"{name}_{style.layer}_raw.npz",
        mime="application/zip",
        icon=":material/data_array:",
        on_click="ignore",
        key="download-npz",
        help="Read it with `numpy.load`; the maps in it are neither normalised nor smoothed.",
    )


def make_file_name(entry: ModuleEntry, photo: Photo) -> str:
    """Name a file after category, module and photo, in letters that every system takes."""
    photo_name = f"{photo.name}-id{photo.image_id}"
    return exports.make_stem(format_category(entry.category), entry.run, photo_name)


def make_arrays(workspace: Workspace, entry: ModuleEntry, photo: Photo, layer: str) -> bytes:
    """Pack what was computed of a photo, with what is needed to know what it is of.

    Returns
    -------
    bytes
        NPZ without pickles: what `list_explanation` and `list_measure` name, ``image_id``,
        ``photo_name`` and ``photo_category``.
    """
    return exports.make_npz(
        list_explanation(workspace, entry, cached.explain(workspace, entry, photo, layer))
        | list_measure(workspace, cached.measure_parts(workspace, entry, photo, layer))
        | {
            "image_id": photo.image_id,
            "photo_name": photo.name,
            "photo_category": photo.category,
        }
    )


def list_explanation(
    workspace: Workspace, entry: ModuleEntry, explanation: Explanation
) -> dict[str, ArrayLike]:
    """List an explanation's arrays by name.

    Returns
    -------
    dict
        ``raw_maps`` (K, h, w), c-MWP as computed, non-negative, at the grid of ``map_layer``;
        ``x_features`` (K,), ``contributions`` (K,), signed, which add up to ``y_bar``; ``y_hat``;
        ``logits`` (C,) of ``categories`` (C,); ``category``, ``module_run`` and
        ``classifier_sha256``.
    """
    return {
        "raw_maps": explanation.maps,
        "map_layer": explanation.stop,
        "x_features": explanation.x_features,
        "contributions": explanation.contributions,
        "y_bar": explanation.y_bar,
        "y_hat": explanation.y_hat,
        "logits": explanation.logits,
        "categories": workspace.dataset.categories,
        "category": entry.category,
        "module_run": entry.run,
        "classifier_sha256": workspace.settings.classifier_sha256,
    }


def list_measure(workspace: Workspace, measure: PartHistogram) -> dict[str, ArrayLike]:
    """List a measure's arrays by name.

    Returns
    -------
    dict
        ``part_histogram`` (K, P) of ``part_names`` (P,); ``share_outside_box``, ``locality`` and
        ``locality_is_defined`` (K,).
    """
    locality, is_defined = compute_locality(measure.values)
    return {
        "part_histogram": measure.values,
        "part_names": workspace.dataset.part_names,
        "share_outside_box": measure.outside,
        "locality": locality,
        "locality_is_defined": is_defined,
    }
