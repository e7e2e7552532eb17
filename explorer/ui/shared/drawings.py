"""Maps drawn over photos, at the size they are shown at; drawings of a `ShownPhoto` are kept."""

import math
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.data.photo import Photo
from explorer.render.colour_maps import encode_png
from explorer.render.heatmap import render_overlay
from explorer.render.window import WHOLE, Window, compute_share_outside, crop_photo
from explorer.ui.shared import cached, caching, pictures
from explorer.ui.shared.pictures import KEPT_SIDE, LARGE_SIDE, TILE_SIDE
from explorer.ui.shared.scales import find_tops, list_strengths
from explorer.ui.shared.shown_photo import DatasetPhoto, ShownPhoto
from explorer.ui.shared.state import SHARED_SCALE, MapStyle
from explorer.ui.shared.windows import find_window
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

_MUCH_OUTSIDE = 0.2  # share of a map's heat that a picture may lack without a word


@dataclass(frozen=True, eq=False)
class Frame:
    """A photo, (H, W, 3), uint8, RGB, and the part of it that is shown."""

    image: NDArray[np.uint8]
    window: Window = WHOLE


@dataclass(frozen=True)
class Overlays:
    """Pictures of several maps of a photo.

    Attributes
    ----------
    images : tuple of bytes
        One JPEG (smoothed) or PNG (raw grid) per map.
    tops : tuple of float
        Value drawn as the hottest in each, in the map's unit; 0 where the map is zero everywhere.
    outside : tuple of float
        Share of each map's heat that lies outside its picture, in [0, 1].
    """

    images: tuple[bytes, ...]
    tops: tuple[float, ...]
    outside: tuple[float, ...]

    def describe_heat(self, index: int) -> str:
        """Return what to say of a map that is zero everywhere, after other words, or nothing."""
        return "" if self.tops[index] else " · no heat"

    def describe_rest(self, index: int) -> str:
        """Say how much of a map's heat its picture lacks; nothing where that is little."""
        outside = self.outside[index]
        return f"{outside:.0%} of heat outside this crop" if outside >= _MUCH_OUTSIDE else ""


def draw_photo(
    photo: ShownPhoto, window: Window = WHOLE, side: int = TILE_SIDE, *, has_box: bool = False
) -> bytes:
    """Draw what lies in a window of a photo, or all of it; with its box, if that is asked for."""
    box = photo.box if has_box and window == WHOLE else None

    def draw() -> bytes:
        shown = pictures.fit_for_display(crop_photo(photo.image, window), side)
        if box is not None:
            shown = pictures.draw_box(shown, box, photo.image.shape[1])
        return pictures.encode_jpeg(shown)

    return photo.remember_drawing(("photo", *astuple(window), *(box or ()), side), draw)


def draw_tiles(
    workspace: Workspace, entry: ModuleEntry, photo: ShownPhoto, style: MapStyle
) -> Overlays:
    """Draw the maps of all x-features over a photo, each as a tile as strong as the style says."""
    explanation = photo.explain(workspace, entry, style.layer)
    window = find_window(workspace, entry, photo, style)
    strengths = list_strengths(explanation.contributions, style)
    return Overlays(
        tuple(
            _draw_feature(workspace, entry, photo, style, n, side=TILE_SIDE, strength=strength)
            for n, strength in enumerate(strengths)
        ),
        tuple(find_top(workspace, entry, photo, style, n) for n in range(len(strengths))),
        tuple(compute_share_outside(heat, window) for heat in explanation.maps),
    )


def draw_tile(
    workspace: Workspace, entry: ModuleEntry, photo: ShownPhoto, style: MapStyle, feature: int
) -> bytes:
    """Draw the map of one x-feature (counted from 0) over a photo as a tile, at full strength."""
    return _draw_feature(workspace, entry, photo, style, feature, side=TILE_SIDE)


def draw_photo_tile(
    workspace: Workspace,
    entry: ModuleEntry,
    photo: Photo,
    style: MapStyle,
    feature: int,
    *,
    is_alone: bool = False,
) -> bytes | None:
    """Draw the map of one x-feature over a photo of the data set; None if there are no photos.

    Maps of the other x-features are drawn with it, to be at hand when one of them is chosen. Where
    that would show other photos, `is_alone` leaves them out, unless they share its scale.
    """
    if not workspace.dataset.has_photos:
        return None
    shown = DatasetPhoto(photo)
    if not is_alone or style.scale == SHARED_SCALE:
        return draw_tile(workspace, entry, shown, style, feature)

    def draw_alone() -> tuple[NDArray[np.float32], float]:
        heat = cached.draw_lone_map(workspace, entry, photo, style.layer, feature)
        (top,) = find_tops(shown.image, heat[np.newaxis], style)
        return heat, top

    return _draw_feature(
        workspace, entry, shown, style, feature, side=TILE_SIDE, find_heat=draw_alone
    )


def draw_large(
    workspace: Workspace, entry: ModuleEntry, photo: ShownPhoto, style: MapStyle, feature: int
) -> bytes:
    """Draw the map of one x-feature (counted from 0) over a photo, for a close look."""
    return _draw_feature(workspace, entry, photo, style, feature, side=LARGE_SIDE)


def _draw_feature(
    workspace: Workspace,
    entry: ModuleEntry,
    photo: ShownPhoto,
    style: MapStyle,
    feature: int,
    *,
    side: int,
    strength: float = 1.0,
    find_heat: Callable[[], tuple[NDArray[np.float32], float]] | None = None,
) -> bytes:
    """Draw one map; `find_heat` returns it and its hottest value, by default as explained."""
    window = find_window(workspace, entry, photo, style)

    def explain() -> tuple[NDArray[np.float32], float]:
        heat = photo.explain(workspace, entry, style.layer).maps[feature]
        return heat, find_top(workspace, entry, photo, style, feature)

    def draw() -> bytes:
        heat, top = (find_heat or explain)()
        return draw_map(Frame(photo.image, window), heat, style, top, side, strength=strength)

    module = caching.make_module_key(workspace, entry)
    key = (*module, *astuple(style), feature, side, *astuple(window), strength)
    return photo.remember_drawing(("map", *key), draw)


def find_top(
    workspace: Workspace, entry: ModuleEntry, photo: ShownPhoto, style: MapStyle, feature: int
) -> float:
    """Find the value drawn as the hottest in one map (counted from 0), in the map's unit.

    It is 0 where the map is zero everywhere.
    """
    maps = photo.explain(workspace, entry, style.layer).maps
    if not maps[feature].any():
        return 0.0
    is_shared = style.scale == SHARED_SCALE

    def find() -> float:
        chosen = maps if is_shared else maps[feature : feature + 1]
        return max(find_tops(photo.image, chosen, style))

    module = caching.make_module_key(workspace, entry)
    # Independent of colours and opacity.
    scale = (style.layer, style.smooth, "all" if is_shared else feature)
    return photo.remember_drawing(("top", *module, *scale), find)


def draw_score(
    workspace: Workspace,
    category: str,
    photo: ShownPhoto,
    style: MapStyle,
    window: Window = WHOLE,
    *,
    side: int = TILE_SIDE,
) -> Overlays:
    """Draw ExcitationBP of the network's score of a category over a photo, on its own scale."""

    def draw() -> Overlays:
        heat = photo.explain_score(workspace, category, style.layer)
        return draw_maps(Frame(photo.image, window), heat[np.newaxis], style, side)

    network = caching.make_workspace_key(workspace)
    key = (*network, category, *astuple(style), side, *astuple(window))
    return photo.remember_drawing(("score", *key), draw)


def draw_overlay_png(
    workspace: Workspace, entry: ModuleEntry, photo: ShownPhoto, style: MapStyle, feature: int
) -> bytes:
    """Draw the map of one x-feature (counted from 0) over a photo as a lossless PNG."""
    heat = photo.explain(workspace, entry, style.layer).maps[feature]
    top = find_top(workspace, entry, photo, style, feature)
    frame = Frame(photo.image, find_window(workspace, entry, photo, style))
    return draw_map_png(frame, heat, style, top)


def draw_score_png(
    workspace: Workspace, category: str, photo: ShownPhoto, style: MapStyle, window: Window
) -> bytes:
    """Draw the map of the network's score of a category over a photo as a lossless PNG."""
    heat = photo.explain_score(workspace, category, style.layer)
    (top,) = find_tops(photo.image, heat[np.newaxis], style)
    return draw_map_png(Frame(photo.image, window), heat, style, top)


def draw_maps(
    frame: Frame,
    maps: NDArray[np.float32],
    style: MapStyle,
    side: int,
    strengths: Sequence[float] = (),
) -> Overlays:
    """Draw maps (K, h, w), >= 0, over a photo, the longer side of pictures about `side` pixels.

    The result is not kept.
    """
    tops = find_tops(frame.image, maps, style)
    drawn = zip(maps, tops, strengths or [1.0] * len(maps), strict=True)
    return Overlays(
        tuple(
            draw_map(frame, heat, style, top, side, strength=strength)
            for heat, top, strength in drawn
        ),
        tops,
        tuple(compute_share_outside(heat, frame.window) for heat in maps),
    )


def draw_map(
    frame: Frame,
    heat: NDArray[np.float32],
    style: MapStyle,
    top: float,
    side: int,
    *,
    strength: float = 1.0,
) -> bytes:
    """Draw one map (h, w) over a photo; `top` is drawn as the hottest value."""
    # JPEG would blur the sharp edges of a raw grid.
    encode = pictures.encode_jpeg if style.smooth else encode_png
    return encode(_render(frame, heat, style, top, side=side, strength=strength))


def draw_map_png(frame: Frame, heat: NDArray[np.float32], style: MapStyle, top: float) -> bytes:
    """Draw one map (h, w) over a photo as a lossless PNG, large enough for a download."""
    return encode_png(_render(frame, heat, style, top, side=KEPT_SIDE))


def _render(
    frame: Frame,
    heat: NDArray[np.float32],
    style: MapStyle,
    top: float,
    *,
    side: int,
    strength: float = 1.0,
) -> NDArray[np.uint8]:
    return render_overlay(
        pictures.fit_for_display(crop_photo(frame.image, frame.window), side),
        heat,
        colour_map=style.colours,
        opacity=style.opacity / 100,
        scale_max=top if math.isfinite(top) else None,
        smooth=style.smooth,
        view=style.view,
        strength=strength,
        window=frame.window,
    )
