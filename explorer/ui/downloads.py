"""Files to take along: the picture as drawn, and the numbers as computed."""

import io
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from explorer.analysis.locality import PartHistogram, compute_locality
from explorer.data.cub import format_category
from explorer.layout import ModuleEntry
from explorer.ui import cached, exports
from explorer.ui.state import MapStyle

if TYPE_CHECKING:
    from explorer.attribution.explain import Explanation
    from explorer.data.cub import Photo
    from explorer.workspace import Workspace


def show_downloads(
    workspace: "Workspace", entry: ModuleEntry, photo: "Photo", style: MapStyle, feature: int
) -> None:
    """Show the buttons for the overlay and for the numbers; files are made when asked for."""
    name = make_file_name(entry, photo)
    row = st.container(horizontal=True)
    row.download_button(
        f"Picture of x-feature {feature + 1} (PNG)",
        data=partial(cached.draw_overlay_png, workspace, entry, photo, style, feature),
        file_name=f"{name}_x-feature-{feature + 1}_{style.layer}_{style.colours}.png",
        mime="image/png",
        icon=":material/image:",
        on_click="ignore",
        key="download-png",
    )
    row.download_button(
        "Raw maps and numbers (NPZ)",
        data=partial(make_arrays, workspace, entry, photo, style.layer),
        file_name=f"{name}_{style.layer}_raw.npz",
        mime="application/zip",
        icon=":material/data_array:",
        on_click="ignore",
        key="download-npz",
        help="Read it with `numpy.load`; the maps in it are neither normalised nor smoothed.",
    )


def make_file_name(entry: ModuleEntry, photo: "Photo") -> str:
    """Name a file after category, module and photo, in letters that every system takes."""
    photo_name = f"{photo.name}-id{photo.image_id}"
    return exports.make_stem(format_category(entry.category), entry.run, photo_name)


def make_arrays(workspace: "Workspace", entry: ModuleEntry, photo: "Photo", layer: str) -> bytes:
    """Pack what was computed for a photo; see `pack_arrays`."""
    return pack_arrays(
        workspace,
        entry,
        photo,
        cached.explain(workspace, entry, photo, layer),
        cached.measure_parts(workspace, entry, photo, layer),
    )


def pack_arrays(
    workspace: "Workspace",
    entry: ModuleEntry,
    photo: "Photo",
    explanation: "Explanation",
    measure: PartHistogram,
) -> bytes:
    """Pack an explanation with what is needed to know what it is of, as NPZ without pickles.

    Returns
    -------
    bytes
        ``raw_maps`` (K, h, w), c-MWP as computed, non-negative, at the grid of ``map_layer``;
        ``x_features`` (K,), ``contributions`` (K,), signed, which add up to ``y_bar``; ``y_hat``;
        ``logits`` (C,) of ``categories`` (C,); ``part_histogram`` (K, P) of ``part_names`` (P,);
        ``share_outside_box``, ``locality`` and ``locality_is_defined`` (K,); and ``category``,
        ``module_run``, ``image_id``, ``photo_name``, ``photo_category``, ``classifier_sha256``.
    """
    locality, is_defined = compute_locality(measure.values)
    file = io.BytesIO()
    np.savez_compressed(
        file,
        raw_maps=explanation.maps,
        map_layer=np.array(explanation.stop),
        x_features=explanation.x_features,
        contributions=explanation.contributions,
        y_bar=np.array(explanation.y_bar),
        y_hat=np.array(explanation.y_hat),
        logits=explanation.logits,
        categories=np.array(workspace.dataset.categories),
        part_histogram=measure.values,
        part_names=np.array(workspace.dataset.part_names),
        share_outside_box=measure.outside,
        locality=locality,
        locality_is_defined=is_defined,
        category=np.array(entry.category),
        module_run=np.array(entry.run),
        image_id=np.array(photo.image_id),
        photo_name=np.array(photo.name),
        photo_category=np.array(photo.category),
        classifier_sha256=np.array(workspace.settings.classifier_sha256),
    )
    return file.getvalue()
