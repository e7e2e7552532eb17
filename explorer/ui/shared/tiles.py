"""The maps of a photo as tiles: a click shows one large, and its switch takes it out of the sum."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st

from explorer.analysis.faithfulness import compute_contribution_shares
from explorer.explaining.naming import name_feature
from explorer.explaining.words import format_percent
from explorer.nn.explanation import Explanation
from explorer.render.numbers import format_signed
from explorer.ui.shared import x_features
from explorer.ui.shared.drawings import Overlays
from explorer.ui.shared.markdown import format_contribution, format_small
from explorer.ui.shared.subject import name_in_markdown, name_in_text
from explorer.ui.shared.x_features import Choice


@dataclass(frozen=True)
class Tile:
    """What a tile says of one x-feature on a photo.

    Attributes
    ----------
    feature : int
        The x-feature, counted from 0.
    picture : bytes
        Its map over the photo.
    alt : str
        What the picture shows, for screen readers.
    title : str
        Number and name of the x-feature, in Markdown.
    words : str
        Its contribution and its share of all contributions, in Markdown.
    share : float
        That share, in [0, 1].
    is_active : bool
        Whether it contributes to the score of this photo.
    """

    feature: int
    picture: bytes
    alt: str
    title: str
    words: str
    share: float
    is_active: bool


def make_tiles(
    explanation: Explanation,
    overlays: Overlays,
    names: Mapping[int, str],
    places: Mapping[int, str] | None = None,
) -> list[Tile]:
    """Say what every tile shows, in the order of the x-features.

    Parameters
    ----------
    explanation : Explanation
        The module's explanation of the photo.
    overlays : Overlays
        Pictures of its maps.
    names : Mapping of int to str
        Names of x-features; see `cached.load_names`.
    places : Mapping of int to str, optional
        Where they look, if that is not what their names say; see `places.find_places`.
    """
    (shares,) = compute_contribution_shares(explanation.contributions[np.newaxis])
    seen = places or {}
    return [
        _make_tile(explanation, overlays, names, n, share=share, place=seen.get(n, ""))
        for n, share in enumerate(shares.tolist())
    ]


def _make_tile(
    explanation: Explanation,
    overlays: Overlays,
    names: Mapping[int, str],
    feature: int,
    *,
    share: float,
    place: str,
) -> Tile:
    activation = float(explanation.x_features[feature])
    contribution = float(explanation.contributions[feature])
    heat = overlays.describe_heat(feature)
    notes = [place, overlays.describe_rest(feature)] if activation else []
    rest = "; ".join(filter(None, notes))
    part = f" · {format_percent(share)}" if activation else ""
    return Tile(
        feature,
        overlays.images[feature],
        f"Heatmap of {name_in_text(feature, names)} over the photo, contribution "
        f"{format_signed(contribution)}{part and f', {format_percent(share)} of all'}{heat}"
        f"{rest and f'; {rest}'}",
        name_in_markdown(feature, names),
        f"{format_contribution(contribution, activation)}{part}{heat}{format_small(rest)}",
        share,
        activation > 0,
    )


def show_photo_tile(picture: bytes, alt: str, *, has_box: bool) -> None:
    """Show the photo itself as the first tile, and say whether the bird's box is drawn on it."""
    with st.container(key="tile-photo"):
        st.image(picture, width="stretch", alt=alt)
        st.markdown("The photo and the bird's box" if has_box else "The photo")


def show_tiles(tiles: list[Tile], choice: Choice) -> None:
    """Show the tiles in the order of the choice; each can be chosen and switched off."""
    for feature in choice.order:
        show_tile(
            tiles[feature],
            partial(_show_controls, tiles[feature], choice),
            is_off=feature in choice.off,
        )


def show_plain_tiles(tiles: list[Tile], order: Sequence[int], place: str) -> None:
    """Show the tiles in an order without controls; `place` makes their keys unique."""
    for feature in order:
        show_tile(tiles[feature], partial(st.markdown, tiles[feature].title), place=place)


def show_tile(
    tile: Tile, show_controls: Callable[[], object], *, is_off: bool = False, place: str = ""
) -> None:
    """Show one tile: its picture, what `show_controls` shows, its contribution, and a bar."""
    # The key is the same whatever is chosen: where it changes, the tile loses the keyboard's focus.
    key = f"{place}{tile.feature}"
    with st.container(key=f"tile-{key}"):
        looks = "active" if tile.is_active else "inactive"
        with st.container(key=f"tile-picture-{looks}-{key}"):
            st.image(tile.picture, width="stretch", alt=tile.alt)
        show_controls()
        st.markdown(":gray[switched off]" if is_off else tile.words)
        st.markdown(
            f'<div class="share-bar"><div style="width: {tile.share:.1%}"></div></div>',
            unsafe_allow_html=True,
        )


def _show_controls(tile: Tile, choice: Choice) -> None:
    """Show the button that covers the tile, and its switch."""
    feature = tile.feature
    st.button(
        tile.title,
        # With the colour of the frame, it marks the tile whose map is shown large.
        icon=":material/visibility:" if feature == choice.shown else None,
        type="tertiary",
        key=f"show-x-feature-{feature + 1}",
        on_click=x_features.show,
        args=(feature,),
    )
    key = f"count-x-feature-{feature + 1}"
    st.session_state[key] = feature not in choice.off
    st.toggle(
        f"Count {name_feature(feature)} in the sum",
        key=key,
        label_visibility="collapsed",
        on_change=_follow_switch,
        args=(feature, key),
    )


def _follow_switch(feature: int, key: str) -> None:
    x_features.switch(feature, is_on=st.session_state[key])
