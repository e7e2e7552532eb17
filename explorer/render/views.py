"""Three ways to show heat on a photo: colours over it, a spotlight, and contours."""

from collections.abc import Callable
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.render.colour_maps import apply_colours

COLOURS, SPOTLIGHT, CONTOURS = "colours", "spotlight", "contours"
# Shares of the hottest value at which contours are drawn.
CONTOUR_LEVELS = (0.25, 0.5, 0.75)
# How much a photo is greyed under colours, so that only heat is in colour.
GREYING = 0.6
_DARK, _BRIGHT = (20, 24, 29), (255, 255, 255)
_PIXELS_A_LINE = 250  # of the picture's longer side, for each pixel of a line's width

Photo = NDArray[np.uint8]
Level = NDArray[np.float32]
View = Callable[[Photo, Level, str, float, float], NDArray[np.float32]]


def draw_colours(
    photo: Photo, level: Level, colour_map: str, opacity: float, strength: float
) -> NDArray[np.float32]:
    """Lay colours over a greyed photo; cold places show the photo itself."""
    colours = apply_colours(level, colour_map).astype(np.float32)
    # Rises steeply from zero, so that medium heat shows its colour rather than a brown shadow.
    alpha = (opacity * strength * np.sqrt(level))[..., np.newaxis]
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[..., np.newaxis].astype(np.float32)
    backdrop = photo + (grey - photo) * np.float32(GREYING * opacity)
    return np.asarray(backdrop + (colours - backdrop) * alpha, dtype=np.float32)


def draw_spotlight(
    photo: Photo,
    level: Level,
    colour_map: str,  # noqa: ARG001, shows the photo's own colours
    opacity: float,
    strength: float,
) -> NDArray[np.float32]:
    """Darken a photo where it is cold; the hottest place shows the photo unchanged."""
    light = 1 - opacity * (1 - strength * np.sqrt(level))
    return np.asarray(photo * light[..., np.newaxis], dtype=np.float32)


def draw_contours(
    photo: Photo, level: Level, colour_map: str, opacity: float, strength: float
) -> NDArray[np.float32]:
    """Draw lines of equal heat on a photo, at `CONTOUR_LEVELS`."""
    drawn = photo.copy()
    width = max(1, round(max(level.shape) / _PIXELS_A_LINE))
    for edge in CONTOUR_LEVELS:
        lines, _ = cv2.findContours(
            (level >= edge).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE
        )
        (colour,) = apply_colours(np.full((1, 1), edge, np.float32), colour_map)[0].tolist()
        # With an edge of the other lightness, a line stands out from any photo.
        edging = _BRIGHT if sum(colour) < sum(_BRIGHT) / 2 else _DARK
        cv2.drawContours(drawn, lines, -1, edging, 3 * width, cv2.LINE_AA)
        cv2.drawContours(drawn, lines, -1, colour, width, cv2.LINE_AA)
    plain = photo.astype(np.float32)
    return np.asarray(plain + (drawn - plain) * np.float32(opacity * strength), np.float32)


# Each takes photo (H, W, 3), uint8; level (H, W), float32, in [0, 1]; the name of a colour map;
# opacity and strength, in [0, 1]; and returns RGB (H, W, 3), float32, in 0 … 255.
VIEWS: MappingProxyType[str, View] = MappingProxyType(
    {COLOURS: draw_colours, SPOTLIGHT: draw_spotlight, CONTOURS: draw_contours}
)


def compute_strengths(contributions: ArrayLike) -> NDArray[np.float64]:
    """Compute how strongly the maps of a photo's x-features are drawn next to each other.

    Parameters
    ----------
    contributions : array_like, shape (K,), float
        vₙEₙ, signed.

    Returns
    -------
    ndarray, shape (K,), float64
        In [0, 1]: 1 for the largest absolute contribution, 0 for none.
    """
    # The heat of a map says where, not how much: c-MWP starts from 1 whatever an x-feature adds.
    # So one scale for all maps would tell narrow from wide ones. Each keeps its own scale, which
    # shows where it looks, and fades. The root leaves a tenth of the score visible.
    sizes = np.abs(np.asarray(contributions, np.float64))
    return np.sqrt(sizes / (sizes.max(initial=0.0) or 1.0))
