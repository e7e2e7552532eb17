"""Photos resized and encoded for the screen; measures always use the original arrays."""

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Longer sides of pictures in pixels: at most twice the size they are shown at, which is all that a
# high-density screen can use.
LARGE_SIDE = 700  # up close, in half of a common screen
MIDDLE_SIDE = 400  # beside two others
TILE_SIDE = 208  # one of many
KEPT_SIDE = 1024  # for download
THUMBNAIL_SIDE = 96
_SHORTEST_LARGE = 512
_JPEG_QUALITY = 90
# Widths of columns on a common screen, in pixels.
LARGE_COLUMN, THIRD_COLUMN = 360, 310


def compute_shown_size(size: tuple[int, int], side: int = LARGE_SIDE) -> tuple[int, int]:
    """Compute the size (height, width) at which a photo of `size` is drawn; see `fit_for_display`.

    Parameters
    ----------
    size : tuple of int
        (height, width) of the photo, in pixels.
    side : int
        Largest length of the longer side, in pixels.
    """
    longest = max(size)
    factor = min(max(longest, _SHORTEST_LARGE), side) / longest
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def compute_column_height(size: tuple[int, int], width: int) -> int:
    """Compute the height of a figure that shows a photo (height, width) in a column of `width`."""
    return round(float(np.clip(width * size[0] / size[1], 240, 560)))


def fit_for_display(image: NDArray[np.uint8], side: int = LARGE_SIDE) -> NDArray[np.uint8]:
    """Resize a photo (H, W, 3), uint8, so that its longer side has 512 to `side` pixels.

    With a `side` below 512, the longer side has exactly `side` pixels. Small photos are enlarged
    smoothly, so that heatmaps over them are not limited to their few pixels.
    """
    return _resize(image, compute_shown_size((image.shape[0], image.shape[1]), side))


def make_thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut the middle square out of a photo (H, W, 3), uint8, at twice the size it is shown at."""
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    shown = 2 * THUMBNAIL_SIDE
    return _resize(image[top : top + side, left : left + side], (shown, shown))


def draw_box(
    shown: NDArray[np.uint8], box: tuple[float, float, float, float], original_width: int
) -> NDArray[np.uint8]:
    """Draw the bird's box on a photo.

    Parameters
    ----------
    shown : NDArray of uint8
        (H, W, 3), RGB, from `fit_for_display`; not changed.
    box : tuple of float
        (x, y, width, height), pixels of the photo before it was resized.
    original_width : int
        Width of that photo.
    """
    factor = shown.shape[1] / original_width
    corners = np.array([box[0], box[1], box[0] + box[2], box[1] + box[3]]) * factor
    edges = np.array([shown.shape[1], shown.shape[0]] * 2) - 2
    left, top, right, bottom = np.clip(np.rint(corners), 1, edges).astype(int).tolist()
    drawn = shown.copy()
    # A white line with black edges is visible on any background.
    for colour, width in (((20, 24, 29), 5), ((255, 255, 255), 2)):
        cv2.rectangle(drawn, (left, top), (right, bottom), colour, width, cv2.LINE_AA)
    return drawn


def encode_jpeg(picture: NDArray[np.uint8]) -> bytes:
    """Encode an RGB picture (H, W, 3), uint8, as JPEG with full colour resolution."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return file.getvalue()


def _resize(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    if image.shape[:2] == size:
        return image
    method = cv2.INTER_AREA if max(size) < max(image.shape[:2]) else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size[::-1], interpolation=method), dtype=np.uint8)
