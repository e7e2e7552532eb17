"""Photos made ready for the screen; the arrays that are measured are never touched."""

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

SHORTEST_SHOWN = 512
LONGEST_SHOWN = 1024
THUMBNAIL_SIDE = 96
_JPEG_QUALITY = 90


def fit_for_display(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Resize a photo (H, W, 3), uint8, so that its longer side has 512 to 1024 pixels.

    A small photo is enlarged smoothly, so that a heatmap drawn on it is not drawn in its few
    pixels.
    """
    longest = max(image.shape[:2])
    factor = min(max(longest, SHORTEST_SHOWN), LONGEST_SHOWN) / longest
    return _resize(image, factor)


def make_thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut the middle square out of a photo (H, W, 3), uint8, at twice the size it is shown at."""
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return _resize(image[top : top + side, left : left + side], 2 * THUMBNAIL_SIDE / side)


def draw_box(
    shown: NDArray[np.uint8], box: tuple[float, float, float, float], original_width: int
) -> NDArray[np.uint8]:
    """Draw the bird's box on a photo.

    Parameters
    ----------
    shown : NDArray of uint8
        (H, W, 3), RGB, from `fit_for_display`; left as it is.
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
    # White within black is seen on any ground.
    for colour, width in (((20, 24, 29), 5), ((255, 255, 255), 2)):
        cv2.rectangle(drawn, (left, top), (right, bottom), colour, width, cv2.LINE_AA)
    return drawn


def encode_jpeg(picture: NDArray[np.uint8]) -> bytes:
    """Encode an RGB picture (H, W, 3), uint8, as JPEG with full colour resolution."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return file.getvalue()


def _resize(image: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    if factor == 1:
        return image
    size = tuple(max(1, round(side * factor)) for side in image.shape[1::-1])
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=method), dtype=np.uint8)
