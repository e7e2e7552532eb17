"""Heatmaps as pictures. The only place where a heatmap is normalised or smoothed.

Maps arrive as they were computed: non-negative, at their own grid, in their own unit. Everything
done to them here serves the eye alone and feeds no measure.
"""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.render.colour_maps import DEFAULT_COLOUR_MAP, check_picture
from explorer.render.views import COLOURS, VIEWS
from explorer.render.window import WHOLE, Window

DEFAULT_OPACITY = 0.85
DEFAULT_BLUR = 0.02
# Longer side at which maps are smoothed. A wide Gaussian takes seconds on a full camera photo.
_BLUR_SIDE = 256


def normalise_map(
    heat: ArrayLike, scale_max: float | None = None, *, percentile: float = 100.0
) -> NDArray[np.float32]:
    """Scale a map to [0, 1] for display.

    Parameters
    ----------
    heat : array_like, shape (h, w), float
        Non-negative, any unit.
    scale_max : float, optional
        Value drawn as 1, in the map's unit, to compare several maps; by default the map's own.
        See `compute_shared_scale`.
    percentile : float
        Percentile of the map that is drawn as 1 if no `scale_max` is given, in (0, 100]. Below
        100, a single bright pixel does not darken the rest. If the percentile is zero, the
        maximum is used.

    Returns
    -------
    ndarray, shape (h, w), float32
        In [0, 1]; values above the scale are clipped. All zero if the map or the scale is zero.
        The map is not shifted, so zero heat stays 0.

    Raises
    ------
    ValueError
        When the map is not 2-D, is empty, negative or not finite, or an option is out of range.
    """
    values = _check_map(heat)
    top = _compute_top(values, percentile) if scale_max is None else float(scale_max)
    if not np.isfinite(top) or top < 0:
        raise ValueError(f"scale_max must be finite and not negative, not {scale_max}")
    if top == 0:
        return np.zeros(values.shape, dtype=np.float32)
    # Clipped first, because dividing by a tiny scale could overflow.
    return (np.minimum(values, top) / top).astype(np.float32)


def upsample_map(
    heat: ArrayLike, size: tuple[int, int], smooth: bool = True
) -> NDArray[np.float64]:
    """Resize a map to a picture, keeping its unit.

    Parameters
    ----------
    heat : array_like, shape (h, w), float
        Non-negative, any unit.
    size : tuple of int
        ``(height, width)`` of the picture.
    smooth : bool
        True for bilinear values (averages where the picture is smaller than the map), False for
        the nearest cell, which shows the map's own grid.

    Returns
    -------
    ndarray, shape (height, width), float64
        Non-negative, at most the map's maximum apart from rounding.

    Raises
    ------
    ValueError
        When the map is not 2-D, is empty, negative or not finite, or the size is not positive.
    """
    values = _check_map(heat)
    if min(size) < 1:
        raise ValueError(f"a picture's size must be positive, not {size}")
    if not smooth:
        method = cv2.INTER_NEAREST_EXACT
    elif size[0] < values.shape[0] and size[1] < values.shape[1]:
        method = cv2.INTER_AREA
    else:
        method = cv2.INTER_LINEAR
    return np.asarray(
        cv2.resize(values, (size[1], size[0]), interpolation=method), dtype=np.float64
    )


def compute_display_map(
    heat: ArrayLike,
    size: tuple[int, int],
    *,
    smooth: bool = True,
    blur_sigma: float = DEFAULT_BLUR,
    window: Window = WHOLE,
) -> NDArray[np.float64]:
    """Resize a map to a picture and smooth it for display, keeping its unit.

    Parameters
    ----------
    heat, size, smooth
        As in `upsample_map`.
    blur_sigma : float
        Standard deviation of a Gaussian, as a fraction of the whole photo's longer side, in
        [0, 0.5]; 0 for none. At full resolution, unsmoothed maps look like scattered dots. Ignored
        if `smooth` is False, which shows the map's own grid.
    window : Window
        The part of the photo that the picture shows. Heat in it is smoothed as in the whole photo.

    Returns
    -------
    ndarray, shape (height, width), float64
        Non-negative, in the map's unit.

    Raises
    ------
    ValueError
        As in `upsample_map`, and when `blur_sigma` is out of range.
    """
    if not 0 <= blur_sigma <= 0.5:
        raise ValueError(f"blur_sigma must lie in [0, 0.5], not {blur_sigma}")
    if not smooth or blur_sigma == 0:
        return _cut(_check_map(heat), size, window, smooth=smooth)
    whole = (size[0] / window.height, size[1] / window.width)
    # A blurred map has no detail that would need every pixel of a large picture.
    shrink = min(1.0, _BLUR_SIDE / max(whole))
    small = (max(1, round(whole[0] * shrink)), max(1, round(whole[1] * shrink)))
    # In single precision, which is three times as fast; eight bits of the result are shown.
    blurred = cv2.GaussianBlur(
        upsample_map(heat, small).astype(np.float32),
        (0, 0),
        blur_sigma * max(small),
        borderType=cv2.BORDER_REFLECT,
    )
    return _cut(np.asarray(blurred, np.float64), size, window, smooth=True)


def _cut(
    values: NDArray[np.float64], size: tuple[int, int], window: Window, *, smooth: bool
) -> NDArray[np.float64]:
    """Resize what lies in a window of a map to a picture."""
    if window == WHOLE:
        return upsample_map(values, size, smooth)
    rows, columns = values.shape
    down, right = rows * window.height / size[0], columns * window.width / size[1]
    # From the middle of each pixel of the picture to a place between the middles of cells.
    places = np.array(
        [
            [right, 0, columns * window.left + (right - 1) / 2],
            [0, down, rows * window.top + (down - 1) / 2],
        ]
    )
    method = cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST
    return np.asarray(
        cv2.warpAffine(
            values,
            places,
            (size[1], size[0]),
            flags=method | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        dtype=np.float64,
    )


def compute_shared_scale(
    maps: ArrayLike,
    size: tuple[int, int],
    *,
    smooth: bool = True,
    blur_sigma: float = DEFAULT_BLUR,
    percentile: float = 100.0,
) -> float:
    """Compute one `scale_max` for several maps, as they will be displayed.

    Smoothing lowers peaks, so the scale must come from the smoothed maps.

    Parameters
    ----------
    maps : array_like, shape (K, h, w), float
        Non-negative, in one unit.
    size, smooth, blur_sigma
        As in `compute_display_map`.
    percentile : float
        As in `normalise_map`, of each map; the largest counts.

    Returns
    -------
    float
        In the maps' unit, at least 0; 0 where all maps are zero.

    Raises
    ------
    ValueError
        As in `compute_display_map`, and when there is no map.
    """
    stack = np.asarray(maps, dtype=np.float64)
    if stack.ndim != 3 or len(stack) == 0:
        raise ValueError(f"maps must have shape (K, h, w) with K ≥ 1, not {stack.shape}")
    shown = (compute_display_map(one, size, smooth=smooth, blur_sigma=blur_sigma) for one in stack)
    return max(_compute_top(one, percentile) for one in shown)


def render_overlay(
    photo: NDArray[np.uint8],
    heat: ArrayLike,
    *,
    colour_map: str = DEFAULT_COLOUR_MAP,
    opacity: float = DEFAULT_OPACITY,
    scale_max: float | None = None,
    smooth: bool = True,
    blur_sigma: float = DEFAULT_BLUR,
    percentile: float = 100.0,
    view: str = COLOURS,
    strength: float = 1.0,
    window: Window = WHOLE,
) -> NDArray[np.uint8]:
    """Draw a heatmap over its photo.

    Parameters
    ----------
    photo : ndarray, shape (H, W, 3), uint8
        RGB in 0 … 255; what lies in the `window`.
    heat : array_like, shape (h, w), float
        Non-negative, any unit, covering the whole photo at any grid.
    colour_map : str
        One of `explorer.render.colour_maps.COLOUR_MAPS`.
    opacity : float
        Opacity at the hottest place, in [0, 1]. It decreases with the heat, so that cold places
        show the photo itself, slightly greyed. 0 returns the photo unchanged.
    scale_max : float, optional
        Value drawn as the hottest; by default the maximum of the displayed map. See
        `compute_shared_scale`.
    smooth, blur_sigma
        As in `compute_display_map`. Smoothing is for display only; say so beside the picture.
    percentile : float
        As in `normalise_map`.
    view : str
        One of `explorer.render.views.VIEWS`.
    strength : float
        How much of the heat is shown, in [0, 1]; see `explorer.render.views.compute_strengths`.
    window : Window
        The part of the photo that is drawn.

    Returns
    -------
    ndarray, shape (H, W, 3), uint8
        RGB in 0 … 255.

    Raises
    ------
    ValueError
        When shapes or types do not fit, the map is negative or not finite, or an option is
        unknown or out of range.
    """
    check_picture(photo)
    for name, value in (("opacity", opacity), ("strength", strength)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must lie in [0, 1], not {value}")
    if view not in VIEWS:
        raise ValueError(f"unknown view {view!r}; choose from {', '.join(VIEWS)}")
    size = (photo.shape[0], photo.shape[1])
    shown = compute_display_map(heat, size, smooth=smooth, blur_sigma=blur_sigma, window=window)
    level = normalise_map(shown, scale_max, percentile=percentile)
    drawn = VIEWS[view](photo, level, colour_map, opacity, strength)
    return np.clip(np.rint(drawn), 0, 255).astype(np.uint8)


def _compute_top(values: NDArray[np.float64], percentile: float) -> float:
    if not 0 < percentile <= 100:
        raise ValueError(f"percentile must lie in (0, 100], not {percentile}")
    return float(np.percentile(values, percentile)) or float(values.max())


def _check_map(heat: ArrayLike) -> NDArray[np.float64]:
    values = np.ascontiguousarray(heat, dtype=np.float64)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"a map must have shape (h, w), not {values.shape}")
    if not np.isfinite(values).all() or (values < 0).any():
        raise ValueError("a map must be finite and non-negative")
    return values
