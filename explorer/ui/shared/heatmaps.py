"""The maps of a photo: one tile an x-feature, one of them large, and its parts in figures."""

import math
from collections.abc import Iterable

import numpy as np
import streamlit as st

from explorer.analysis.locality import PartHistogram, compute_locality
from explorer.analysis.voronoi import compute_cell_polygons
from explorer.measuring.parts import PhotoParts
from explorer.measuring.records import ModuleMeasures
from explorer.nn.explanation import Explanation
from explorer.render.colour_maps import render_colour_bar
from explorer.render.figures import render_contributions, render_part_histogram, render_partition
from explorer.render.pixels import render_pixels
from explorer.ui.shared import components, state
from explorer.ui.shared.choices import choose_one
from explorer.ui.shared.drawings import Overlays
from explorer.ui.shared.pictures import fit_for_display
from explorer.ui.shared.state import MapStyle
from explorer.ui.shared.words import HELP

_COLUMN_WIDTH = 430


def name_feature(feature: int) -> str:
    """Name an x-feature, counted from 0 here and from 1 on the screen."""
    return f"x-feature {feature + 1}"


def choose_feature(count: int, measures: ModuleMeasures | None, label: str = "x-feature") -> int:
    """Let one of `count` x-features be chosen, and return it, counted from 0.

    At first it is the one that adds most to the category's test photos, or 1 if that is unknown.
    """
    features = list(range(count))
    usual = 0
    if measures is not None and len(measures.test.mean_contribution) == count:
        usual = int(np.argmax(measures.test.mean_contribution))
    state.check_param(state.FEATURE, map(name_feature, features), "x-feature")
    state.keep_among(state.FEATURE, features)
    # The address names it by this label, so that links outlive the names that people give.
    chosen = st.segmented_control(
        label,
        features,
        default=usual,
        required=True,
        format_func=name_feature,
        key=state.FEATURE,
        bind=state.BIND,
        help=HELP["x-feature"],
        wrap=True,
    )
    return usual if chosen is None else chosen


def choose_off(explanation: Explanation) -> frozenset[int]:
    """Let x-features be switched off, and return those that are, counted from 0."""
    features = list(range(len(explanation.x_features)))
    state.check_param(state.OFF, map(name_feature, features), "x-feature")
    chosen = st.pills(
        "Switch off",
        features,
        selection_mode="multi",
        format_func=name_feature,
        key=state.OFF,
        bind=state.BIND,
        help=HELP["off"],
        wrap=True,
    )
    return frozenset(chosen)


def show_tiles(
    explanation: Explanation,
    overlays: Overlays,
    chosen: int,
    style: MapStyle,
    *,
    score: Overlays | None = None,
    off: frozenset[int] = frozenset(),
) -> None:
    """Show the maps of all x-features side by side, each with its contribution.

    Parameters
    ----------
    explanation : Explanation
        What the module says of the photo.
    overlays : Overlays
        Pictures of its maps.
    chosen : int
        The x-feature that is looked at closely, counted from 0.
    style : MapStyle
        How they were drawn.
    score : Overlays, optional
        One picture of the map of ŷ itself (ExcitationBP), to stand beside them.
    off : frozenset of int
        X-features that are switched off.
    """
    with st.container(horizontal=True, key="tiles"):
        for feature, picture in enumerate(overlays.images):
            activation = float(explanation.x_features[feature])
            looks = "selected" if feature == chosen else "other"
            looks += "-inactive" if activation == 0 or feature in off else ""
            contribution = float(explanation.contributions[feature])
            words = components.format_contribution(contribution, activation)
            words = ":gray[switched off]" if feature in off else words
            words += " · no heat" if overlays.tops[feature] == 0 else ""
            alt = _describe_map(feature, explanation)
            _show_tile(f"tile-{looks}-{feature}", picture, alt, name_feature(feature), words)
        if score is not None:
            words = f"the whole of ŷ = **{explanation.y_hat:.2f}**"
            alt = "Heatmap of the network's own score over the photo, by ExcitationBP"
            _show_tile("tile-other-score", score.images[0], alt, "ExcitationBP", words)
    if style.shared_scale:
        show_colour_bar(style.colours, max(overlays.tops), "colour-bar-tiles")
        if score is not None:
            st.caption("ExcitationBP is drawn on a scale of its own.")


def _show_tile(key: str, picture: bytes, alt: str, name: str, words: str) -> None:
    with st.container(key=key):
        st.image(picture, width="stretch", alt=alt)
        st.markdown(f"{name}<br>{words}", unsafe_allow_html=True)


def show_drawing_note(explanation: Explanation, style: MapStyle) -> None:
    """Say what the maps are and how they are drawn."""
    rows, columns = explanation.maps.shape[1:]
    layer = f"{explanation.stop}, a grid of {columns} × {rows}"
    scale = "one scale for all maps" if style.shared_scale else "each map on its own scale"
    drawing = (
        "smoothed for the eye alone" if style.smooth else "drawn as the raw grid, not smoothed"
    )
    st.caption(f"c-MWP at {layer}; {scale}; {drawing}.", help=HELP["c-MWP"])


def show_colour_bar(colours: str, top: float, key: str) -> None:
    """Show the colours from cold to hot with the values at both ends."""
    with st.container(key=key, gap="xxsmall"):
        st.image(
            render_colour_bar(colours, (12, 512)),
            width="stretch",
            alt=f"Colour bar of {colours}, from 0 at the left to {top:.2g} at the right",
        )
        with st.container(horizontal=True, horizontal_alignment="distribute"):
            st.caption("0, cold", width="content")
            st.caption(f"{top:.2g}, hottest", width="content")


def _describe_map(feature: int, explanation: Explanation) -> str:
    return (
        f"Heatmap of {name_feature(feature)} over the photo, contribution "
        f"{components.format_signed(float(explanation.contributions[feature]))}"
    )


def choose_look() -> str:
    """Let one map be seen as a picture or asked pixel by pixel, and return which."""
    looks = (state.PICTURE, state.PIXELS)
    return choose_one(state.LOOK, looks, "Look at it as", "look", HELP["pixels"])


def show_large(
    explanation: Explanation, picture: bytes, top: float, feature: int, style: MapStyle
) -> None:
    """Show one map large, with its colour bar up to `top`, what is drawn as hottest."""
    st.image(
        picture,
        width="stretch",
        alt=_describe_map(feature, explanation) + ", large",
    )
    _show_scale(top, style)


def show_pixels(
    explanation: Explanation,
    picture: bytes,
    top: float,
    feature: int,
    style: MapStyle,
    *,
    parts: PhotoParts,
    part_names: tuple[str, ...],
) -> None:
    """Show one map large; the pointer tells part, P(pixel | n) and value of every cell."""
    heat = explanation.maps[feature]
    size = (parts.image.shape[0], parts.image.shape[1])
    figure = render_pixels(
        picture,
        heat,
        parts.label((heat.shape[0], heat.shape[1])),
        part_names,
        size,
        height=_fit_height(size),
        text_colour=state.get_text_colour(),
    )
    alt = _describe_map(feature, explanation) + ", with the numbers of every cell"
    components.show_figure(figure, alt, key="figure-pixels")
    _show_scale(top, style)


def _show_scale(top: float, style: MapStyle) -> None:
    if top == 0:
        st.caption("This map is zero everywhere: there is nothing to draw.")
    else:
        show_colour_bar(style.colours, top, "colour-bar")


def show_contributions(explanation: Explanation, off: frozenset[int] = frozenset()) -> None:
    """Show how the contributions add up to ȳ, beside ŷ, without those switched off."""
    contributions = explanation.contributions + 0.0  # an inactive one may have a zero with a minus
    names = [name_feature(feature) for feature in range(len(contributions))]
    labels = [f"{name} (off)" if n in off else name for n, name in enumerate(names)]
    if off:
        contributions[sorted(off)] = 0
    y_bar = float(contributions.sum()) if off else explanation.y_bar
    difference = abs(y_bar - explanation.y_hat)
    figure = render_contributions(
        contributions, labels, y_bar, explanation.y_hat, text_colour=state.get_text_colour()
    )
    components.show_figure(
        figure,
        f"Contributions of {len(names)} x-features adding up to {y_bar:.2f}, beside "
        f"the network's score {explanation.y_hat:.2f}; they differ by {difference:.2f}",
        key="figure-contributions",
        numbers={
            "x-feature": [*names, "y_bar", "y_hat"],
            "activation": [*explanation.x_features.tolist(), "", ""],
            "contribution": [*contributions.tolist(), y_bar, explanation.y_hat],
        },
    )
    if off:
        st.markdown(
            f"Without {_join(names[n] for n in sorted(off))}, ȳ is **{y_bar:.2f}** in the place "
            f"of {explanation.y_bar:.2f}. The network's own score ŷ stays as it is."
        )


def _join(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _fit_height(size: tuple[int, int]) -> int:
    """Return a height for a photo (height, width) in half of a common screen, in its pixels."""
    return round(float(np.clip(_COLUMN_WIDTH * size[0] / size[1], 240, 560)))


def show_partition(parts: PhotoParts, part_names: tuple[str, ...]) -> None:
    """Show the bird's box divided among its visible parts."""
    size = (parts.image.shape[0], parts.image.shape[1])
    polygons = compute_cell_polygons(parts.points, parts.visible, parts.box, size)
    shown = fit_for_display(parts.image)
    factor = shown.shape[1] / size[1]
    x, y, width, height = (value * factor for value in parts.box)
    points = np.where(parts.visible[:, np.newaxis], parts.points * factor, np.nan)
    figure = render_partition(
        shown,
        [polygon * factor for polygon in polygons],
        points,
        part_names,
        (x, y, width, height),
        height=_fit_height(size),  # so that it stands beside the map
        text_colour=state.get_text_colour(),
    )
    figure.update_xaxes(constraintoward="left")
    figure.update_yaxes(constraintoward="top")
    count = int(parts.visible.sum())
    components.show_figure(
        figure,
        f"The photo's box divided among {count} visible parts",
        key="figure-partition",
    )
    st.caption(
        f"{count} of {len(part_names)} parts can be seen. Touch a cell for its name.",
        help=HELP["partition"],
    )


def show_photo_histogram(measure: PartHistogram, feature: int, part_names: tuple[str, ...]) -> None:
    """Show on which parts one map of this photo lies."""
    if not measure.is_live[feature]:
        st.info("The map is zero everywhere on this photo, so no part has a share of it.")
        return
    (locality,), (is_defined,) = compute_locality(measure.values[feature : feature + 1])
    figure = render_part_histogram(
        measure.values[feature],
        part_names,
        locality=float(locality) if is_defined else None,
        title="This photo",
        text_colour=state.get_text_colour(),
    )
    components.show_figure(
        figure,
        _describe_histogram(measure.values[feature].tolist(), part_names, "this photo"),
        key="figure-photo-histogram",
        numbers={"part": part_names, "share of heat": measure.values[feature].tolist()},
    )
    st.caption(
        f"{measure.outside[feature]:.0%} of the heat lies outside the bird's box.",
        help=HELP["locality"],
    )


def show_module_histogram(
    measures: ModuleMeasures, feature: int, part_names: tuple[str, ...]
) -> None:
    """Show on which parts one x-feature lies over the category's test photos."""
    measured = measures.locality.test
    count, left_out = measured.photo_counts[feature], measured.left_out[feature]
    if not measured.is_defined[feature]:
        st.info(f"{name_feature(feature)} has no heat on any of the {left_out} test photos.")
        return
    locality = measured.locality[feature]
    shares = [min(max(share, 0.0), 1.0) for share in measured.histogram[feature]]
    figure = render_part_histogram(
        shares,
        part_names,
        locality=locality if math.isfinite(locality) else None,
        title=f"All {count} test photos",
        text_colour=state.get_text_colour(),
    )
    components.show_figure(
        figure,
        _describe_histogram(shares, part_names, f"{count} test photos"),
        key="figure-module-histogram",
        numbers={"part": part_names, "mean share of heat": shares},
    )
    st.caption(
        f"Maps at {measures.stop}. "
        + (f"{left_out} photos left out: no heat on them. " if left_out else "No photo left out. ")
        + f"{measured.outside[feature]:.0%} of the heat lies outside the box.",
        help=HELP["locality"],
    )


def _describe_histogram(shares: list[float], part_names: tuple[str, ...], what: str) -> str:
    order = sorted(range(len(shares)), key=lambda part: -shares[part])[:3]
    named = ", ".join(f"{part_names[part]} {shares[part]:.0%}" for part in order)
    return f"Shares of the heat on each part over {what}; highest: {named}"
