"""Photos of a data set: their annotations, and loading their pixels.

Coordinates are those of CUB, taken as continuous (see `explorer.data.transforms`), so that a photo
of width W spans [0, W].
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from explorer.data.cub_files import CURE, DatasetError
from explorer.data.cub_tables import TOLERATED_OVERHANG
from explorer.data.transforms import DECODING_ERRORS, Box, Size, clip_box, convert_to_rgb
from explorer.storage.kinds import START_BYTES, name_kind
from explorer.storage.reading import explain_os_error, open_regular, read_regular

PHOTO_FORMATS = ("JPEG", "PNG", "WEBP")
MAX_PHOTO_BYTES = 256 * 2**20

MAX_OUTSIDE_FRACTION = 0.25
"""Share of a box's area that may be outside the photo. CUB has boxes that overhang by far more than
rounding explains (7 % for image 1218). With more than a quarter, the box does not belong to the
photo."""


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo with its annotations.

    Attributes
    ----------
    image_id : int
        Id in images.txt.
    path : Path
        The file.
    category : str
        As in classes.txt, such as ``"016.Painted_Bunting"``.
    category_index : int
        Index of the category in classes.txt, from 0.
    box : tuple[float, float, float, float]
        The bird's box (x, y, width, height), pixels, as annotated; it may overhang the photo
        (see `check_geometry`).
    parts : NDArray[np.float64]
        Shape (P, 2), (x, y), pixels, in the order of parts.txt; NaN if not visible. Read-only.
    visible : NDArray[np.bool_]
        Shape (P,). Read-only.
    is_training : bool
        Whether it is a training photo of the official split.
    """

    image_id: int
    path: Path
    category: str
    category_index: int
    box: Box
    parts: NDArray[np.float64]
    visible: NDArray[np.bool_]
    is_training: bool

    @property
    def name(self) -> str:
        """Name of the file without its suffix."""
        return self.path.stem


@dataclass(frozen=True, eq=False)
class PhotoGeometry:
    """The box and parts of a photo, clipped to its actual size.

    Attributes
    ----------
    box : tuple[float, float, float, float]
        (x, y, width, height), pixels, clipped to the photo.
    parts : NDArray[np.float64]
        Shape (P, 2), (x, y), pixels; parts up to 2 px outside are clipped, others are unchanged.
    """

    box: Box
    parts: NDArray[np.float64]


def check_geometry(photo: Photo, image_size: Size) -> PhotoGeometry:
    """Clip the annotations of a photo to its size, and check that the box belongs to it.

    Raises
    ------
    DatasetError
        When more than a quarter of the box, and more than 2 px, is outside the photo.
    """
    height, width = image_size
    x, y, box_width, box_height = photo.box
    box = clip_box(photo.box, image_size)
    overhang = max(-x, -y, x + box_width - width, y + box_height - height, 0.0)
    outside = 1 - box[2] * box[3] / (box_width * box_height)
    if outside >= 1 or (overhang > TOLERATED_OVERHANG and outside > MAX_OUTSIDE_FRACTION):
        raise DatasetError(
            f"bounding_boxes.txt, image id {photo.image_id}: the box {photo.box} is outside "
            f"{photo.path} of {width} × {height} pixels. Photos and annotations must have the "
            "same scale: unpack the data set again."
        )
    edges = np.array([width, height], dtype=np.float64)
    clipped = np.clip(photo.parts, 0, edges)
    is_far = np.any(np.abs(photo.parts - clipped) > TOLERATED_OVERHANG, axis=1)
    parts = np.where(is_far[:, None], photo.parts, clipped)
    return PhotoGeometry(box, parts)


def read_photo_size(photo: Photo) -> Size:
    """Read the size (height, width) of a photo from the header of its file.

    Raises
    ------
    DatasetError
        When the file is missing or damaged.
    """
    try:
        with (
            open_regular(photo.path) as file,
            Image.open(file, formats=PHOTO_FORMATS) as image,
        ):
            return image.height, image.width
    except DECODING_ERRORS as error:
        raise _make_error(photo, error) from error


def load_photo(photo: Photo) -> NDArray[np.uint8]:
    """Decode a photo as RGB and check that its box belongs to it.

    The EXIF orientation is not applied, since boxes and parts refer to the pixels as stored. (CUB's
    photos have no EXIF orientation.)

    Parameters
    ----------
    photo : Photo
        JPEG, PNG or WebP; grey, CMYK and transparent pictures are converted.

    Returns
    -------
    NDArray[np.uint8]
        Shape (H, W, 3), RGB, 0 to 255.

    Raises
    ------
    DatasetError
        When the file is missing or damaged, or the box is outside the picture.
    """
    try:
        data = read_regular(photo.path, MAX_PHOTO_BYTES)
        with Image.open(io.BytesIO(data), formats=PHOTO_FORMATS) as image:
            image.verify()
        # An image cannot be decoded after verify().
        with Image.open(io.BytesIO(data), formats=PHOTO_FORMATS) as image:
            pixels = convert_to_rgb(image)
    except DECODING_ERRORS as error:
        raise _make_error(photo, error) from error
    check_geometry(photo, (pixels.shape[0], pixels.shape[1]))
    return pixels


def explain_unreadable(path: Path, error: Exception) -> str:
    """Say why a photo cannot be read, for one of `DECODING_ERRORS`."""
    if isinstance(error, UnidentifiedImageError):  # its message names an object in memory
        kind = name_kind(_read_start(path))
        return f"it is {kind}" if kind else "it is not a JPEG, PNG or WebP picture"
    if isinstance(error, OSError):
        return explain_os_error(error)
    return str(error) or "its data are damaged"


def _read_start(path: Path) -> bytes:
    with open_regular(path) as file:
        return file.read(START_BYTES)


def _make_error(photo: Photo, error: Exception) -> DatasetError:
    reason = explain_unreadable(photo.path, error)
    return DatasetError(f"{photo.path}: the photo cannot be read ({reason}). {CURE}")
