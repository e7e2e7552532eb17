"""From a photo to the network's input: decoding, squashing and scaling.

Coordinates are continuous: pixel ``i`` covers ``[i, i + 1)`` and its centre is ``i + 0.5``, so an
image of width ``W`` spans ``[0, W]``. Points and boxes therefore scale by one plain factor per
axis, and pixel ``j`` of a map of width ``w`` stands for ``x = (j + 0.5) * W / w`` in the photo.
"""

import io
import struct

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from explorer.config import ExplorerError

Box = tuple[float, float, float, float]
Size = tuple[int, int]

MAX_MEGAPIXELS = 60
USER_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF")

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
    struct.error,
    Image.DecompressionBombError,
)
"""What Pillow raises, from one format to another, for data that is damaged or hostile."""


class PhotoError(ExplorerError):
    """A picture that a visitor gave cannot be used; the message is one sentence for them."""


def convert_to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Turn a Pillow image of any mode into 8-bit RGB.

    Parameters
    ----------
    image : PIL.Image.Image
        Transparent pixels are laid over white. 16-bit grey is scaled by 1/257, where Pillow's own
        conversion would clip it.

    Returns
    -------
    NDArray[np.uint8]
        Shape (H, W, 3), 0 to 255.

    Raises
    ------
    ValueError
        When the pixels are 32-bit numbers whose range says nothing about white, or of a mode that
        Pillow cannot convert.
    OSError
        When the pixels cannot be decoded.
    """
    if image.mode == "F":
        raise ValueError("its pixels are 32-bit fractions")
    if image.mode.startswith("I"):
        grey = np.asarray(image).astype(np.int64)
        if grey.min() < 0 or grey.max() > 65535:
            raise ValueError("its pixels are 32-bit numbers")
        return np.repeat(((grey + 128) // 257).astype(np.uint8)[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        coloured = image.convert("RGBA")
        white = Image.new("RGBA", coloured.size, "white")
        return np.array(Image.alpha_composite(white, coloured).convert("RGB"))
    return np.array(image.convert("RGB"))


def load_user_image(data: bytes) -> NDArray[np.uint8]:
    """Decode a visitor's file: JPEG, PNG, WebP, TIFF or GIF (first frame).

    The rotation in EXIF is applied, since no annotation depends on the stored orientation.
    The size is checked in the header, before any pixel is decoded.

    Parameters
    ----------
    data : bytes
        The file as uploaded; its name and declared type are not trusted.

    Returns
    -------
    NDArray[np.uint8]
        Shape (H, W, 3), RGB, 0 to 255.

    Raises
    ------
    PhotoError
        When the file is empty, no picture of these formats, damaged, or above 60 megapixels.
    """
    if not data:
        raise PhotoError("The file is empty: choose another photo.")
    try:
        with Image.open(io.BytesIO(data), formats=USER_FORMATS) as image:
            width, height = image.size
            if width * height > MAX_MEGAPIXELS * 1_000_000:
                raise _make_size_error(f"{width} × {height} pixels")
            image.load()
            return convert_to_rgb(_apply_rotation(image))
    # Pillow warns of or refuses sizes by itself; which of the two depends on the warning filters.
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _make_size_error("far too many pixels") from error
    except UnidentifiedImageError as error:
        raise PhotoError(_explain_foreign_file(data)) from error
    except DECODING_ERRORS as error:
        reason = str(error).rstrip(".") or type(error).__name__
        raise PhotoError(
            f"The photo is damaged or unusual ({reason}): save it again as JPEG or PNG."
        ) from error


def _make_size_error(found: str) -> PhotoError:
    return PhotoError(
        f"The photo has {found}, more than the limit of {MAX_MEGAPIXELS} megapixels: "
        "make it smaller first."
    )


def _apply_rotation(image: Image.Image) -> Image.Image:
    # A photo with broken EXIF data is still a photo; it is then shown as stored.
    try:
        return ImageOps.exif_transpose(image)
    except (*DECODING_ERRORS, ZeroDivisionError, Warning):
        return image


def _explain_foreign_file(data: bytes) -> str:
    start = data[:1024].lower()
    if b"<svg" in start:
        return "An SVG file is a drawing: export it as PNG first."
    if start[4:8] == b"ftyp":
        return "HEIC, AVIF and video files cannot be read: export the photo as JPEG first."
    return "The file is not a whole JPEG, PNG, WebP, TIFF or GIF picture: choose another photo."


def prepare_image(
    image: NDArray[np.uint8], size: Size, mean: ArrayLike, std: ArrayLike
) -> NDArray[np.float32]:
    """Squash the whole image to the network's input size by area interpolation and normalise it.

    Parameters
    ----------
    image : NDArray[np.uint8]
        Shape (H, W, 3), RGB, 0 to 255. The resized pixels are rounded to 8 bits as well.
    size : tuple[int, int]
        Height and width of the network's input, pixels.
    mean, std : ArrayLike
        Shape (3,), on the scale of colours from 0 to 1.

    Returns
    -------
    NDArray[np.float32]
        Shape (3, height, width), signed, ``(image / 255 - mean) / std``.

    Raises
    ------
    ValueError
        When `image` is not an 8-bit RGB array with pixels.
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
        When `image` is not an 8-bit RGB array with pixels.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(f"expected uint8 (H, W, 3), got {image.dtype} {image.shape}")
    height, width = size
    squashed = cv2.resize(
        np.ascontiguousarray(image), (width, height), interpolation=cv2.INTER_AREA
    )
    return np.asarray(squashed, dtype=np.uint8)


def scale_points(
    points: NDArray[np.float64], from_size: Size, to_size: Size
) -> NDArray[np.float64]:
    """Carry points from an image to its squashed copy, one factor per axis.

    Parameters
    ----------
    points : NDArray[np.float64]
        Shape (N, 2), (x, y), continuous pixel coordinates; NaN stays NaN.
    from_size, to_size : tuple[int, int]
        Height and width of the image that the points belong to and of the wanted one, pixels.

    Returns
    -------
    NDArray[np.float64]
        Shape (N, 2), pixels of the wanted image.
    """
    return np.asarray(points, dtype=np.float64) * _get_factors(from_size, to_size)


def scale_box(box: Box, from_size: Size, to_size: Size) -> Box:
    """Carry a box (x, y, width, height), pixels, to the squashed copy of its image."""
    across, down = (float(factor) for factor in _get_factors(from_size, to_size))
    x, y, width, height = box
    return x * across, y * down, width * across, height * down


def _get_factors(from_size: Size, to_size: Size) -> NDArray[np.float64]:
    return np.array([to_size[1] / from_size[1], to_size[0] / from_size[0]])


def clip_box(box: Box, size: Size) -> Box:
    """Cut a box (x, y, width, height) down to its image of `size` (height, width), pixels.

    A box that lies wholly outside comes back on the image's border with width or height 0.
    """
    x, y, width, height = box
    left, right = (min(max(edge, 0.0), float(size[1])) for edge in (x, x + width))
    top, bottom = (min(max(edge, 0.0), float(size[0])) for edge in (y, y + height))
    return left, top, right - left, bottom - top
