"""Painting out a region of a photo, to see what a network says without it."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

SURROUNDINGS, BLUR, GREY = "surroundings", "blur", "grey"
WAYS = (SURROUNDINGS, BLUR, GREY)
"""Ways to paint a region out: with the colours around it, blurred, or in plain grey."""

_GREY = 128
_BLUR_SIGMA = 0.1  # of the longer side
_INPAINTING_SIDE = 256  # the time grows with the area; networks see no more than this
_INPAINTING_RADIUS = 3


def paint_out(image: NDArray[np.uint8], region: NDArray[np.bool_], way: str) -> NDArray[np.uint8]:
    """Return a copy of a photo with a region painted out.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8
        RGB.
    region : ndarray, shape (H, W), bool
        What to paint out. Colours around it are taken from the rest of the photo.
    way : str
        One of `WAYS`. Colours of the surroundings are carried into the region by the method of
        Telea, "An Image Inpainting Technique Based on the Fast Marching Method" (2004).

    Raises
    ------
    ValueError
        When the sizes differ or the way is unknown.
    """
    if region.shape != image.shape[:2]:
        raise ValueError(f"a region of {region.shape} does not fit a photo of {image.shape}")
    if way not in WAYS:
        raise ValueError(f"unknown way {way!r}")
    if not region.any():
        return image.copy()
    return np.where(region[:, :, np.newaxis], _fill(image, region, way), image)


def _fill(image: NDArray[np.uint8], region: NDArray[np.bool_], way: str) -> NDArray[np.uint8]:
    # Nothing is left to take colours from.
    if way == GREY or (way == SURROUNDINGS and region.all()):
        return np.full_like(image, _GREY)
    if way == BLUR:
        sigma = _BLUR_SIGMA * max(image.shape[:2])
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)
    height, width = region.shape
    shrink = min(1.0, _INPAINTING_SIDE / max(height, width))
    size = (max(1, round(shrink * width)), max(1, round(shrink * height)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    # Every pixel that holds some of the region, so that none of its colour is carried back.
    covered = cv2.resize(region.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    filled = cv2.inpaint(small, covered.astype(np.uint8), _INPAINTING_RADIUS, cv2.INPAINT_TELEA)
    return np.asarray(cv2.resize(filled, (width, height)), np.uint8)


def draw_region(
    size: tuple[int, int], outlines: Sequence[NDArray[np.floating]]
) -> NDArray[np.bool_]:
    """Return the region (H, W) inside any of several outlines.

    Parameters
    ----------
    size : tuple of int
        (H, W) of the photo.
    outlines : sequence of ndarray, shape (V, 2), float
        Corners (x, y) in pixels of the photo; fewer than three enclose nothing.
    """
    region = np.zeros(size, np.uint8)
    for outline in outlines:
        if len(outline) >= 3:
            corners = np.round(np.asarray(outline, np.float64) - 0.5).astype(np.int32)
            cv2.fillPoly(region, [corners], 1)
    return region.astype(bool)
