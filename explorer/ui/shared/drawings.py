"""Maps drawn over photos: each once, at the size it is shown at, and shared by all sessions."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from explorer.data.photo import Photo
from explorer.render.colour_maps import encode_png
from explorer.render.heatmap import compute_display_map, compute_shared_scale, render_overlay
from explorer.ui.shared import cached, pictures
from explorer.ui.shared.caching import cache_data
from explorer.ui.shared.pictures import KEPT_SIDE, LARGE_SIDE, TILE_SIDE
from explorer.ui.shared.state import MapStyle
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace


@dataclass(frozen=True)
class Overlays:
    """Pictures of all maps of a photo.

    Attributes
    ----------
    images : tuple of bytes
        One JPEG (smoothed) or PNG (raw grid) an x-feature.
    tops : tuple of float
        Value drawn as hottest in each, in the map's unit; 0 where the map is zero everywhere.
    """

    images: tuple[bytes, ...]
    tops: tuple[float, ...]


def draw_tiles(workspace: Workspace, entry: ModuleEntry, photo: Photo, style: MapStyle) -> Overlays:
    """Draw every map of a photo over it, each as a tile."""
    count = len(cached.explain(workspace, entry, photo, style.layer).x_features)
    return Overlays(
        tuple(draw_tile(workspace, entry, photo, style, n) for n in range(count)),
        tuple(find_top(workspace, entry, photo, style, n) for n in range(count)),
    )


def draw_tile(
    workspace: Workspace, entry: ModuleEntry, photo: Photo, style: MapStyle, feature: int
) -> bytes:
    """Draw one map (`feature` from 0) over its photo as a tile, and none of the others."""
    return _draw_map(workspace, entry, photo, style, feature, side=TILE_SIDE)


def draw_large(
    workspace: Workspace, entry: ModuleEntry, photo: Photo, style: MapStyle, feature: int
) -> bytes:
    """Draw one map (`feature` from 0) over its photo, to be seen up close."""
    return _draw_map(workspace, entry, photo, style, feature, side=LARGE_SIDE)


@cache_data(2048)
def _draw_map(
    workspace: Workspace,
    entry: ModuleEntry,
    photo: Photo,
    style: MapStyle,
    feature: int,
    *,
    side: int,
) -> bytes:
    heat = cached.explain(workspace, entry, photo, style.layer).maps[feature]
    top = find_top(workspace, entry, photo, style, feature)
    return draw_map(cached.load_parts(photo).image, heat, style, top, side)


def find_top(
    workspace: Workspace, entry: ModuleEntry, photo: Photo, style: MapStyle, feature: int
) -> float:
    """Find the value that is drawn as hottest in one map (`feature` from 0), in its unit."""
    # Colours and opacity change nothing in it.
    plain = replace(style, colours="", opacity=0)
    return _find_top(workspace, entry, photo, plain, None if style.shared_scale else feature)


@cache_data(4096)
def _find_top(
    workspace: Workspace, entry: ModuleEntry, photo: Photo, style: MapStyle, feature: int | None
) -> float:
    maps = cached.explain(workspace, entry, photo, style.layer).maps
    chosen = maps if feature is None else maps[feature : feature + 1]
    return find_tops(cached.load_parts(photo).image, chosen, style)[0]


@cache_data(256)
def draw_score_tile(workspace: Workspace, category: str, photo: Photo, style: MapStyle) -> Overlays:
    """Draw ExcitationBP of the classifier's own score over a photo as a tile, on its own scale."""
    heat = cached.explain_score(workspace, category, photo, style.layer)
    return draw_maps(cached.load_parts(photo).image, heat[np.newaxis], style, TILE_SIDE)


def draw_maps(
    image: NDArray[np.uint8], maps: NDArray[np.float32], style: MapStyle, side: int
) -> Overlays:
    """Draw maps (K, h, w), >= 0, over an RGB image (H, W, 3), its longer side about `side` pixels.

    For the modules' maps of a photo of the data set take `draw_tiles`, which remembers; nothing is
    kept of this.
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
    """Find what is drawn as hottest in each of the maps (K, h, w), the same at every size.

    Smoothing depends a little on the size of a picture; this is as in the large one.
    """
    size = pictures.compute_shown_size((image.shape[0], image.shape[1]))
    if style.shared_scale:
        return (compute_shared_scale(maps, size, smooth=style.smooth),) * len(maps)
    return tuple(float(compute_display_map(m, size, smooth=style.smooth).max()) for m in maps)


def draw_map(
    image: NDArray[np.uint8], heat: NDArray[np.float32], style: MapStyle, top: float, side: int
) -> bytes:
    """Draw one map (h, w) over an image; `top` is drawn as hottest."""
    # A raw grid has sharp edges, which JPEG would blur into one another.
    encode = pictures.encode_jpeg if style.smooth else encode_png
    return encode(_render(image, heat, style, top, side))


def draw_map_png(
    image: NDArray[np.uint8], heat: NDArray[np.float32], style: MapStyle, top: float
) -> bytes:
    """Draw one map (h, w) over an image as a PNG without loss, large enough to be kept."""
    return encode_png(_render(image, heat, style, top, KEPT_SIDE))


def draw_overlay_png(
    workspace: Workspace, entry: ModuleEntry, photo: Photo, style: MapStyle, feature: int
) -> bytes:
    """Draw one map (`feature` from 0) over its photo as a PNG without loss, for keeping."""
    top = find_top(workspace, entry, photo, style, feature)
    heat = cached.explain(workspace, entry, photo, style.layer).maps[feature]
    return draw_map_png(cached.load_parts(photo).image, heat, style, top)


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
