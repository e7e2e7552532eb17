"""Maps drawn over photos, at the size they are shown at; drawings of a `ShownPhoto` are kept."""

import math
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.data.photo import Photo
from explorer.render.colour_maps import encode_png
from explorer.render.heatmap import compute_display_map, compute_shared_scale, render_overlay
from explorer.ui.shared import caching, pictures
from explorer.ui.shared.pictures import KEPT_SIDE, LARGE_SIDE, TILE_SIDE
from explorer.ui.shared.shown_photo import DatasetPhoto, ShownPhoto
from explorer.ui.shared.state import MapStyle
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace


@dataclass(frozen=True)
class Overlays:
    """Pictures of several maps of a photo.

    Attributes
    ----------
    images : tuple of bytes
        One JPEG (smoothed) or PNG (raw grid) per map.
    tops : tuple of float
        Value drawn as the hottest in each, in the map's unit; 0 where the map is zero everywhere.
    """

    images: tuple[bytes, ...]
    tops: tuple[float, ...]

    def describe_heat(self, index: int) -> str:
        """Return what to say of a map that is zero everywhere, after other words, or nothing."""
        return "" if self.tops[index] else " · no heat"


def draw_tiles(
    workspace: Workspace, entry: ModuleEntry, photo: ShownPhoto, style: MapStyle
) -> Overlays:
    """Draw the maps of all x-features over a photo, each as a tile."""
    count = len(photo.explain(workspace, entry, style.layer).x_features)
    return Overlays(
        tuple(draw_tile(workspace, entry, photo, style, n) for n in range(count)),
        tuple(find_top(workspace, entry, photo, style, n) for n in range(count)),
    )


def draw_tile(
    workspace: Workspace, entry: ModuleEntry, photo: ShownPhoto, style: MapStyle, feature: int
) -> bytes:
    """Draw the map of one x-feature (counted from 0) over a photo as a tile."""
    return _draw_feature(workspace, entry, photo, style, feature, side=TILE_SIDE)


def draw_photo_tile(
    workspace: Workspace, entry: ModuleEntry, photo: Photo, style: MapStyle, feature: int
) -> bytes | None:
    """Draw the map of one x-feature over a photo of the data set; None if there are no photos."""
    if not workspace.dataset.has_photos:
        return None
    return draw_tile(workspace, entry, DatasetPhoto(photo), style, feature)


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
) -> bytes:
    def draw() -> bytes:
        heat = photo.explain(workspace, entry, style.layer).maps[feature]
        top = find_top(workspace, entry, photo, style, feature)
        return draw_map(photo.image, heat, style, top, side)

    module = caching.make_module_key(workspace, entry)
    return photo.remember_drawing(("map", *module, *astuple(style), feature, side), draw)


def find_top(
    workspace: Workspace, entry: ModuleEntry, photo: ShownPhoto, style: MapStyle, feature: int
) -> float:
    """Find the value drawn as the hottest in one map (counted from 0), in the map's unit.

    It is 0 where the map is zero everywhere.
    """
    maps = photo.explain(workspace, entry, style.layer).maps
    if not maps[feature].any():
        return 0.0

    def find() -> float:
        chosen = maps if style.shared_scale else maps[feature : feature + 1]
        return max(find_tops(photo.image, chosen, style))

    module = caching.make_module_key(workspace, entry)
    # Independent of colours and opacity.
    scale = (style.layer, style.smooth, "all" if style.shared_scale else feature)
    return photo.remember_drawing(("top", *module, *scale), find)


def draw_score(
    workspace: Workspace,
    category: str,
    photo: ShownPhoto,
    style: MapStyle,
    side: int = TILE_SIDE,
) -> Overlays:
    """Draw ExcitationBP of the network's score of a category over a photo, on its own scale."""

    def draw() -> Overlays:
        heat = photo.explain_score(workspace, category, style.layer)
        return draw_maps(photo.image, heat[np.newaxis], style, side)

    network = caching.make_workspace_key(workspace)
    return photo.remember_drawing(("score", *network, category, *astuple(style), side), draw)


def draw_overlay_png(
    workspace: Workspace, entry: ModuleEntry, photo: ShownPhoto, style: MapStyle, feature: int
) -> bytes:
    """Draw the map of one x-feature (counted from 0) over a photo as a lossless PNG."""
    heat = photo.explain(workspace, entry, style.layer).maps[feature]
    top = find_top(workspace, entry, photo, style, feature)
    return draw_map_png(photo.image, heat, style, top)


def draw_score_png(
    workspace: Workspace, category: str, photo: ShownPhoto, style: MapStyle
) -> bytes:
    """Draw the map of the network's score of a category over a photo as a lossless PNG."""
    heat = photo.explain_score(workspace, category, style.layer)
    (top,) = find_tops(photo.image, heat[np.newaxis], style)
    return draw_map_png(photo.image, heat, style, top)


def draw_maps(
    image: NDArray[np.uint8], maps: NDArray[np.float32], style: MapStyle, side: int
) -> Overlays:
    """Draw maps (K, h, w), >= 0, over an RGB image (H, W, 3), its longer side about `side` pixels.

    The result is not kept.
    """
    tops = find_tops(image, maps, style)
    return Overlays(
        tuple(
            draw_map(image, heat, style, top, side) for heat, top in zip(maps, tops, strict=True)
        ),
        tops,
    )


def find_tops(
    image: NDArray[np.uint8], maps: NDArray[np.float32], style: MapStyle
) -> tuple[float, ...]:
    """Find the value drawn as the hottest in each of the maps (K, h, w), 0 if it is all zero.

    Smoothing depends slightly on the size of the picture. The value of the large picture is used
    for all sizes.
    """
    size = pictures.compute_shown_size((image.shape[0], image.shape[1]))
    if style.shared_scale:
        scale = compute_shared_scale(maps, size, smooth=style.smooth)
        return tuple(scale if heat.any() else 0.0 for heat in maps)
    return tuple(float(compute_display_map(m, size, smooth=style.smooth).max()) for m in maps)


def draw_map(
    image: NDArray[np.uint8], heat: NDArray[np.float32], style: MapStyle, top: float, side: int
) -> bytes:
    """Draw one map (h, w) over an image; `top` is drawn as the hottest value."""
    # JPEG would blur the sharp edges of a raw grid.
    encode = pictures.encode_jpeg if style.smooth else encode_png
    return encode(_render(image, heat, style, top, side))


def draw_map_png(
    image: NDArray[np.uint8], heat: NDArray[np.float32], style: MapStyle, top: float
) -> bytes:
    """Draw one map (h, w) over an image as a lossless PNG, large enough for a download."""
    return encode_png(_render(image, heat, style, top, KEPT_SIDE))


def _render(
    image: NDArray[np.uint8], heat: NDArray[np.float32], style: MapStyle, top: float, side: int
) -> NDArray[np.uint8]:
    return render_overlay(
        pictures.fit_for_display(image, side),
        heat,
        colour_map=style.colours,
        opacity=style.opacity / 100,
        scale_max=top if math.isfinite(top) else None,
        smooth=style.smooth,
    )
