"""How a photo's box is divided among the bird's parts, and how the heat is shared among them."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from explorer.analysis.locality import PartHistogram, compute_locality
from explorer.analysis.voronoi import compute_cell_polygons
from explorer.data.names import count_words
from explorer.explaining.naming import name_feature
from explorer.measuring.parts import PhotoParts
from explorer.measuring.records import ModuleMeasures
from explorer.render.figures import render_part_histogram, render_partition
from explorer.render.window import Window, crop_photo
from explorer.ui.shared import cached, empty
from explorer.ui.shared.figures import Draw, draw, show_figure
from explorer.ui.shared.pictures import THIRD_COLUMN, compute_column_height, fit_for_display
from explorer.ui.shared.words import HELP
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace


def show_partition(
    parts: PhotoParts, part_names: tuple[str, ...], window: Window, draw_of_photo: Draw
) -> None:
    """Show the bird's box divided among its visible parts, in a window of the photo.

    Parameters
    ----------
    parts, part_names
        The photo with its parts, and their names.
    window : Window
        Which part of the photo is shown.
    draw_of_photo : callable
        From `ShownPhoto.draw`.
    """
    size = (parts.image.shape[0], parts.image.shape[1])
    extent = left, top, right, bottom = window.find_edges(size)
    figure = draw_of_photo(
        render_partition,
        fit_for_display(crop_photo(parts.image, window)),
        compute_cell_polygons(parts.points, parts.visible, parts.box, size),
        np.where(parts.visible[:, np.newaxis], parts.points, np.nan),
        part_names,
        parts.box,
        extent=extent,
        height=compute_column_height((bottom - top, right - left), THIRD_COLUMN),
    )
    count = int(parts.visible.sum())
    show_figure(
        figure,
        f"The photo's box divided among {count} visible parts",
        key="figure-partition",
    )
    st.caption(
        f"{count} of {len(part_names)} parts can be seen. Touch a cell for its name.",
        help=HELP["partition"],
    )


def show_photo_histogram(
    measure: PartHistogram,
    feature: int,
    parts: PhotoParts,
    part_names: tuple[str, ...],
    draw_of_photo: Draw,
) -> None:
    """Show how the heat of one map of this photo is shared among the parts that can be seen.

    Parameters
    ----------
    measure : PartHistogram
        Of all maps of the photo.
    feature : int
        The x-feature, counted from 0.
    parts, part_names, draw_of_photo
        As for `show_partition`.
    """
    if not measure.is_live[feature]:
        st.info("The map is zero everywhere on this photo, so no part has a share of it.")
        return
    (locality,), (is_defined,) = compute_locality(measure.values[feature : feature + 1])
    # Only parts that can be seen may have heat, so the most that locality can be counts only them.
    seen = np.flatnonzero(parts.visible)
    figure = draw_of_photo(
        render_part_histogram,
        measure.values[feature, seen],
        [part_names[part] for part in seen],
        locality=float(locality) if is_defined else None,
        title="This photo",
    )
    show_figure(
        figure,
        _describe_histogram(measure.values[feature].tolist(), part_names, "this photo"),
        key="figure-photo-histogram",
        numbers={"part": part_names, "share of heat": measure.values[feature].tolist()},
    )
    st.caption(
        f"{measure.outside[feature]:.0%} of the heat lies outside the bird's box.",
        help=HELP["locality"],
    )


def show_test_photos_histogram(workspace: Workspace, entry: ModuleEntry, feature: int) -> None:
    """Show one x-feature's histogram over the test photos, or the command that measures it."""
    measures = cached.load_measures(workspace, entry)
    if measures is None:
        empty.show_no_metrics(workspace)
    else:
        show_module_histogram(measures, feature, workspace.dataset.part_names)


def list_mean_shares(
    measures: ModuleMeasures, feature: int, part_names: Sequence[str]
) -> Mapping[str, float] | None:
    """Return an x-feature's mean share of heat on each part over the category's own test photos.

    None if it has no heat on any of them.
    """
    measured = measures.locality.test
    if not measured.is_defined[feature]:
        return None
    shares = (min(max(share, 0.0), 1.0) for share in measured.histogram[feature])
    return dict(zip(part_names, shares, strict=True))


def list_module_shares(
    measures: ModuleMeasures, part_names: Sequence[str]
) -> Mapping[str, float] | None:
    """Return the mean of `list_mean_shares` over a module's x-features.

    They count as much as they contribute to the score on average. None if none of them does.
    """
    rows = [
        (abs(contribution), list_mean_shares(measures, feature, part_names))
        for feature, contribution in enumerate(measures.test.mean_contribution)
    ]
    weighted = [(weight, list(shares.values())) for weight, shares in rows if weight and shares]
    if not weighted:
        return None
    weights, histograms = (np.array(column) for column in zip(*weighted, strict=True))
    means = np.average(histograms, axis=0, weights=weights)
    return dict(zip(part_names, means.tolist(), strict=True))


def show_module_histogram(
    measures: ModuleMeasures, feature: int, part_names: tuple[str, ...]
) -> None:
    """Show how one x-feature's heat on the category's test photos is shared among the parts."""
    measured = measures.locality.test
    mean_shares = list_mean_shares(measures, feature, part_names)
    count, left_out = measured.photo_counts[feature], measured.left_out[feature]
    if mean_shares is None:
        photos = count_words(left_out, "test photo")
        st.info(f"{name_feature(feature)} has no heat on any of the {photos}.")
        return
    locality = measured.locality[feature]
    shares = list(mean_shares.values())
    figure = draw(
        render_part_histogram,
        shares,
        part_names,
        locality=locality if math.isfinite(locality) else None,
        title=f"All {count} test photos" if count > 1 else "The test photo",
    )
    show_figure(
        figure,
        _describe_histogram(shares, part_names, count_words(count, "test photo")),
        key="figure-module-histogram",
        numbers={"part": part_names, "mean share of heat": shares},
    )
    st.caption(
        f"Maps at {measures.stop}. "
        + (
            f"{count_words(left_out, 'photo')} left out for lack of heat. "
            if left_out
            else "No photo left out. "
        )
        + f"{measured.outside[feature]:.0%} of the heat lies outside the box.",
        help=HELP["locality"],
    )


def _describe_histogram(shares: list[float], part_names: tuple[str, ...], what: str) -> str:
    order = sorted(range(len(shares)), key=lambda part: -shares[part])[:3]
    named = ", ".join(f"{part_names[part]} {shares[part]:.0%}" for part in order)
    return f"Shares of the heat on each part over {what}; highest: {named}"
