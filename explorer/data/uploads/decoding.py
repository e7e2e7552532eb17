"""Decoding an uploaded photo, from the bytes of a common file format to 8-bit RGB.

Files are not trusted: their names and declared types are ignored, and the size in pixels is read
from the header and checked before any pixel is decoded.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageOps, TiffImagePlugin, UnidentifiedImageError
from pillow_heif import register_heif_opener

from explorer.config import ExplorerError, is_public
from explorer.data.transforms import DECODING_ERRORS, convert_to_rgb
from explorer.data.uploads import jpeg
from explorer.storage.kinds import START_BYTES, name_kind

# AVIF comes before HEIF, whose reader takes some AVIF pictures for its own and cannot read them.
UPLOAD_FORMATS: Final = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF")
UPLOAD_ENDINGS: Final = (
    *("jpg", "jpeg", "png", "webp", "tif", "tiff"),
    *("heic", "heif", "hif", "avif"),
)
FORMAT_NAMES: Final = "JPEG, PNG, WebP, TIFF, HEIC or AVIF"

MIN_SIDE: Final = 32
MAX_SIDE: Final = 2048

_READABLE = ("TIFF picture", "HEIC picture", "AVIF picture")  # as `name_kind` names them
_DAMAGED = "The photo is damaged or cut short and cannot be read. Copy or download it again."
_WITHOUT_END = (
    "The file lacks its end, but the picture in it is complete. Other programs may refuse it: copy "
    "it again if you can."
)
_AVIF = (
    "The file is an AVIF picture. Such pictures are often strongly compressed, at the cost of fine "
    "detail such as that of feathers."
)
_PREVIEW = (
    "The file is a raw photo, of which only the small preview is read. Export it as JPEG to show "
    "all of it."
)
_SUBFILE_TYPE, _REDUCED = 254, 1  # of a TIFF, as of most raw files

_RESIZABLE = ("L", "LA", "RGB", "RGBA", "CMYK")

# This adds HEIF to the formats that Pillow knows. Every `Image.open` of the explorer names the
# formats that it accepts, so nothing else changes.
register_heif_opener(thumbnails=False)


class UploadError(ExplorerError):
    """A visitor's file that cannot be used; the message says what is wrong and what to do."""


@dataclass(frozen=True)
class UploadLimits:
    """Maximum size of an uploaded file.

    Attributes
    ----------
    megabytes : int
        Size of the file.
    megapixels : int
        Size of the picture in it.
    """

    megabytes: int
    megapixels: int


OWN_LIMITS: Final = UploadLimits(megabytes=25, megapixels=60)
PUBLIC_LIMITS: Final = UploadLimits(megabytes=10, megapixels=30)


def get_limits() -> UploadLimits:
    """Return the upload limits of this app, which are lower on a public server."""
    return PUBLIC_LIMITS if is_public() else OWN_LIMITS


@dataclass(frozen=True, eq=False)
class Upload:
    """A visitor's photo, decoded.

    Attributes
    ----------
    pixels : NDArray[np.uint8]
        Shape (H, W, 3), RGB, 0 to 255. The longer side has at most 2048 pixels.
    notes : tuple of str
        Sentences on what the photo may lack because of its file.
    """

    pixels: NDArray[np.uint8]
    notes: tuple[str, ...] = ()


def read_upload(data: bytes, limits: UploadLimits = OWN_LIMITS) -> Upload:
    """Decode a visitor's file: JPEG, PNG, WebP, TIFF, HEIC or AVIF, whatever its name.

    The EXIF orientation is applied, colours are converted to sRGB if the file has a colour
    profile, and transparent pixels are composited over white. 16-bit channels are scaled to 8 bits.
    Of an animation or a multi-page file, the first picture is read. A JPEG without its end marker
    is read if all of the picture is there, as browsers do.

    Parameters
    ----------
    data : bytes
        The whole file.
    limits : UploadLimits
        Checked before anything is decoded.

    Returns
    -------
    Upload
        The pixels, and notes on them.

    Raises
    ------
    UploadError
        When the file is empty, exceeds a limit, is damaged or not of one of these formats, or when
        the picture has a side of less than 32 pixels, before or after it is reduced.
    """
    check_bytes(data, limits)
    with _explain_errors(data, limits):
        return _decode_without_end(data, limits) if jpeg.lacks_end(data) else _decode(data, limits)


@contextmanager
def _explain_errors(data: bytes, limits: UploadLimits) -> Iterator[None]:
    """Turn the errors of decoders, which would mean nothing to the visitor, into `UploadError`."""
    try:
        yield
    # Pillow has size limits of its own, which warn or raise depending on the warning filters.
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _make_size_error("far too many pixels", limits) from error
    except UnidentifiedImageError as error:
        raise UploadError(_explain_foreign_file(data)) from error
    except MemoryError as error:
        raise UploadError(
            "Reading the photo takes too much memory for its size. Save it again as JPEG or PNG."
        ) from error
    except DECODING_ERRORS as error:
        raise UploadError(_DAMAGED) from error


def _decode(data: bytes, limits: UploadLimits) -> Upload:
    with Image.open(io.BytesIO(data), formats=UPLOAD_FORMATS) as image:
        _check_size(*image.size, limits)
        if image.format in ("JPEG", "MPO") and jpeg.has_too_many_scans(data):
            raise UploadError(
                f"The photo is stored in more than {jpeg.MAX_SCANS} scans, which takes too long to "
                "read. Save it again as JPEG or PNG."
            )
        # Saves memory: JPEG, alone, can be decoded at 1/2, 1/4 or 1/8 of its size.
        image.draft(None, (MAX_SIDE, MAX_SIDE))
        image.load()
        return Upload(_convert_or_explain(image), tuple(_list_notes(image)))


def _decode_without_end(data: bytes, limits: UploadLimits) -> Upload:
    """Decode a JPEG without its end marker, if no more than that is missing."""
    first, second = (_decode(closed, limits) for closed in jpeg.close_twice(data))
    if not jpeg.has_every_scan(data) or not np.array_equal(first.pixels, second.pixels):
        raise UploadError(_DAMAGED)
    return replace(first, notes=(*first.notes, _WITHOUT_END))


def _list_notes(image: Image.Image) -> Iterator[str]:
    if image.format == "AVIF":
        yield _AVIF
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        kind = image.tag_v2.get(_SUBFILE_TYPE)
        if isinstance(kind, int) and kind & _REDUCED:
            yield _PREVIEW


def check_bytes(data: bytes, limits: UploadLimits) -> None:
    """Raise `UploadError` if a file is empty or larger than the limit."""
    if not data:
        raise UploadError("The file is empty. Choose another photo.")
    if len(data) > limits.megabytes * 1024 * 1024:
        raise UploadError(
            f"The file has {len(data) / 1024 / 1024:.0f} MB, more than the limit of "
            f"{limits.megabytes} MB. Make it smaller, for example by saving it as JPEG."
        )


def _check_size(width: int, height: int, limits: UploadLimits) -> None:
    if width * height > limits.megapixels * 1_000_000:
        raise _make_size_error(f"{width} × {height} pixels", limits)
    if min(width, height) < MIN_SIDE:
        raise UploadError(
            f"The photo has only {width} × {height} pixels, too few to show a bird. Choose one "
            f"that is at least {MIN_SIDE} pixels wide and high."
        )
    if min(width, height) * MAX_SIDE < MIN_SIDE * max(width, height):
        raise UploadError(
            f"The photo has {width} × {height} pixels, too narrow a strip to show a bird. Crop it "
            "to the bird first."
        )


def _make_size_error(found: str, limits: UploadLimits) -> UploadError:
    return UploadError(
        f"The photo has {found}, more than the limit of {limits.megapixels} megapixels. "
        "Make it smaller first."
    )


def _convert_or_explain(image: Image.Image) -> NDArray[np.uint8]:
    try:
        return _convert(image)
    except ValueError as error:
        raise UploadError(
            f"The photo is of an unsupported kind: {error}. Save it again as JPEG or PNG."
        ) from error


def _convert(image: Image.Image) -> NDArray[np.uint8]:
    """Convert a loaded picture of any mode to RGB in sRGB, reduced and upright."""
    orientation, profile = _read_orientation(image), image.info.get("icc_profile")
    image = _reduce(_make_resizable(image))
    pixels = convert_to_rgb(_convert_to_srgb(image, profile))
    return _turn_upright(pixels, orientation)


def _make_resizable(image: Image.Image) -> Image.Image:
    """Convert a picture to a mode with 8 bits per channel that can be resized with a filter."""
    if image.mode in _RESIZABLE and not isinstance(image.info.get("transparency"), tuple | int):
        return image
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(convert_to_rgb(image))
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _reduce(image: Image.Image) -> Image.Image:
    factor = MAX_SIDE / max(image.size)
    if factor >= 1:
        return image
    width, height = (max(1, round(side * factor)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)


def _convert_to_srgb(image: Image.Image, profile: object) -> Image.Image:
    """Apply the file's colour profile if it has a suitable one; transparency is kept."""
    if not isinstance(profile, bytes) or not profile:
        return image
    opacity = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    opaque = image.convert(image.mode.removesuffix("A")) if opacity else image
    try:
        source = ImageCms.getOpenProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        # The pixels may have been converted from grey to RGB since, or the profile may be wrong.
        if space != {"L": "GRAY"}.get(opaque.mode, opaque.mode):
            return image
        result = ImageCms.profileToProfile(
            opaque, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    # A photo with a broken profile is still a photo. Its colours are then taken as sRGB.
    except (ImageCms.PyCMSError, *DECODING_ERRORS):
        return image
    if result is None:
        return image
    if opacity:
        result.putalpha(opacity)
    return result


def _read_orientation(image: Image.Image) -> int:
    """Read the EXIF orientation, from 1 (upright) to 8, which is lost when a TIFF is resized."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    # A photo with broken EXIF data is still a photo. It is then shown as stored.
    except (*DECODING_ERRORS, ZeroDivisionError, Warning):
        return 1
    return orientation if isinstance(orientation, int) else 1


def _turn_upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    image = Image.fromarray(pixels)
    image.getexif()[ExifTags.Base.Orientation] = orientation
    return np.array(ImageOps.exif_transpose(image))


def _explain_foreign_file(data: bytes) -> str:
    kind = name_kind(data[:START_BYTES])
    if not kind and data[4:8] == b"ftyp":
        kind = "a video, or a damaged HEIC or AVIF picture"
    if kind.endswith(_READABLE):
        kind += " that is damaged, cut short or of a rare sort"
        return f"The file is {kind}. Choose another photo."
    if not kind:
        return f"The file is not a complete {FORMAT_NAMES} picture. Choose another photo."
    return f"The file is {kind}. Choose a {FORMAT_NAMES} picture."
