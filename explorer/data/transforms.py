"""Transforms from a photo to the network's input: conversion to RGB, squashing, normalising.

Coordinates are continuous: pixel ``i`` covers ``[i, i + 1)`` and its centre is ``i + 0.5``, so an
image of width ``W`` spans ``[0, W]``. Points and boxes therefore scale by one factor per axis, and
pixel ``j`` of a map of width ``w`` has its centre at ``x = (j + 0.5) * W / w`` in the photo.
"""

import struct

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

Box = tuple[float, float, float, float]
Size = tuple[int, int]

DECODING_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    OverflowError,
    IndexError,
    KeyError,
    TypeError,
    RuntimeError,
    MemoryError,
    AssertionError,
    struct.error,
    Image.DecompressionBombError,
)
"""Exceptions that Pillow's decoders raise for damaged or hostile data."""


def convert_to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Convert a Pillow image of any mode to 8-bit RGB.

    Parameters
    ----------
    image : PIL.Image.Image
        The image. Transparent pixels are composited over white. 16-bit grey is scaled by 1/257,
        whereas Pillow's own conversion would clip it.

    Returns
    -------
    NDArray[np.uint8]
        Shape (H, W, 3), 0 to 255.

    Raises
    ------
    ValueError
        When the pixels are 32-bit numbers, whose range is unknown, or Pillow cannot convert the
        mode.
    OSError
        When the pixels cannot be decoded.
    """
    if image.mode == "F":
        raise ValueError("its pixels are 32-bit floating-point numbers")
    if image.mode.startswith("I"):
        grey = np.asarray(image)
        if grey.min() < 0 or grey.max() > 65535:
            raise ValueError("its pixels are 32-bit integers")
        # A lookup table takes a fifth of the memory of arithmetic with wider integers.
        eight_bits = ((np.arange(65536) + 128) // 257).astype(np.uint8)
        return np.repeat(eight_bits[grey][:, :, None], 3, axis=2)
    if image.has_transparency_data:
        coloured = image.convert("RGBA")
        white = Image.new("RGBA", coloured.size, "white")
        return np.array(Image.alpha_composite(white, coloured).convert("RGB"))
    return np.array(image.convert("RGB"))


def prepare_image(
    image: NDArray[np.uint8], size: Size, mean: ArrayLike, std: ArrayLike
) -> NDArray[np.float32]:
    """Squash a whole image to the network's input size by area interpolation and normalise it.

    Parameters
    ----------
    image : NDArray[np.uint8]
        Shape (H, W, 3), RGB, 0 to 255. Resized pixels are rounded to 8 bits.
    size : tuple[int, int]
        Height and width of the network's input, pixels.
    mean, std : ArrayLike
        Shape (3,), for pixels in [0, 1].

    Returns
    -------
    NDArray[np.float32]
        Shape (3, height, width), signed, ``(image / 255 - mean) / std``.

    Raises
    ------
    ValueError
        When `image` is not a non-empty 8-bit RGB array.
    """
    squashed = squash_image(image, size)
    scale = 1 / (255 * np.asarray(std, dtype=np.float32))
    offset = np.asarray(mean, dtype=np.float32) / np.asarray(std, dtype=np.float32)
    normalised = squashed.astype(np.float32) * scale - offset
    return np.ascontiguousarray(normalised.transpose(2, 0, 1))


def squash_image(image: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """Squash a whole 8-bit RGB image (H, W, 3) to `size` (height, width) by area interpolation.

    Raises
    ------
    ValueError
        When `image` is not a non-empty 8-bit RGB array.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"expected uint8 (H, W, 3), got {image.dtype} {image.shape}")
    height, width = size
    squashed = cv2.resize(
        np.ascontiguousarray(image), (width, height), interpolation=cv2.INTER_AREA
    )
    return np.asarray(squashed, dtype=np.uint8)


def clip_box(box: Box, size: Size) -> Box:
    """Clip a box (x, y, width, height) to an image of `size` (height, width), pixels.

    A box that is entirely outside becomes a box on the border with width or height 0.
    """
    x, y, width, height = box
    left, right = (min(max(edge, 0.0), float(size[1])) for edge in (x, x + width))
    top, bottom = (min(max(edge, 0.0), float(size[0])) for edge in (y, y + height))
    return left, top, right - left, bottom - top
