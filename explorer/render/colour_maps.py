"""Colour maps: colours for values in [0, 1], the colour bar, and pictures as PNG."""

from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

# All but turbo are perceptually ordered and readable without red-green vision. Turbo resolves
# finer steps, for readers who are used to rainbow maps.
COLOUR_MAPS = MappingProxyType(
    {
        "inferno": cv2.COLORMAP_INFERNO,
        "magma": cv2.COLORMAP_MAGMA,
        "plasma": cv2.COLORMAP_PLASMA,
        "viridis": cv2.COLORMAP_VIRIDIS,
        "cividis": cv2.COLORMAP_CIVIDIS,
        "turbo": cv2.COLORMAP_TURBO,
    }
)
DEFAULT_COLOUR_MAP = "inferno"


def apply_colours(level: NDArray[np.float32], colour_map: str) -> NDArray[np.uint8]:
    """Colour a normalised map.

    Parameters
    ----------
    level : ndarray, shape (h, w), float32
        In [0, 1], from cold to hot.
    colour_map : str
        One of `COLOUR_MAPS`.

    Returns
    -------
    ndarray, shape (h, w, 3), uint8
        RGB in 0 … 255.

    Raises
    ------
    ValueError
        When the colour map is unknown.
    """
    if colour_map not in COLOUR_MAPS:
        raise ValueError(f"unknown colour map {colour_map!r}; choose from {', '.join(COLOUR_MAPS)}")
    steps = np.rint(level * 255).astype(np.uint8)
    bgr = cv2.applyColorMap(steps, COLOUR_MAPS[colour_map])
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def render_colour_bar(
    colour_map: str = DEFAULT_COLOUR_MAP, size: tuple[int, int] = (12, 256)
) -> NDArray[np.uint8]:
    """Draw a colour map as a bar, from cold on the left to hot on the right.

    Parameters
    ----------
    colour_map : str
        One of `COLOUR_MAPS`.
    size : tuple of int
        ``(height, width)`` in pixels.

    Returns
    -------
    ndarray, shape (height, width, 3), uint8
        RGB in 0 … 255.

    Raises
    ------
    ValueError
        When the colour map is unknown or the size is not positive.
    """
    if min(size) < 1:
        raise ValueError(f"a picture's size must be positive, not {size}")
    ramp = np.linspace(0, 1, size[1], dtype=np.float32)
    return apply_colours(np.tile(ramp, (size[0], 1)), colour_map)


def encode_png(picture: NDArray[np.uint8]) -> bytes:
    """Encode an RGB picture (H, W, 3), uint8, as PNG.

    Raises
    ------
    ValueError
        When the shape or type does not fit.
    """
    check_picture(picture)
    _, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return data.tobytes()


def check_picture(picture: NDArray[np.uint8]) -> None:
    """Raise `ValueError` if `picture` is not a non-empty RGB picture (H, W, 3), uint8."""
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
        raise ValueError(f"a picture must be (H, W, 3) uint8, not {picture.shape} {picture.dtype}")
