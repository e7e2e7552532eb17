"""A visitor's own photo: from the bytes of any common file to 8-bit RGB, or a reason why not.

Nothing about a file is believed before it is checked: neither its name nor its declared type, and
its size in pixels is read from the header before any pixel is decoded.
"""

import io
import re
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError
from pillow_heif import register_heif_opener

from explorer.config import ExplorerError, is_public
from explorer.data.transforms import DECODING_ERRORS, convert_to_rgb

UPLOAD_FORMATS: Final = ("JPEG", "PNG", "WEBP", "TIFF", "HEIF")
UPLOAD_ENDINGS: Final = ("jpg", "jpeg", "png", "webp", "tif", "tiff", "heic", "heif")
SHORTEST_SIDE: Final = 32
LONGEST_KEPT: Final = 2048

MOST_SCANS: Final = 64
"""Of a JPEG that comes in several; cameras and programs write a dozen at most."""

# Of a JPEG: all but filling, pixels that look like a marker, and points to begin anew at.
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]", re.DOTALL)
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9

_NAMES = "JPEG, PNG, WebP, TIFF or HEIC"
_RESIZABLE = ("L", "LA", "RGB", "RGBA", "CMYK")

# Pillow's own list of readers grows by one; the others are told which readers to try, as here.
register_heif_opener(thumbnails=False)


class UploadError(ExplorerError):
    """A visitor's file cannot be used; the message says what is wrong and what to do."""


@dataclass(frozen=True)
class UploadLimits:
    """How large a visitor's file may be.

    Attributes
    ----------
    megabytes : int
        Of the file.
    megapixels : int
        Of the picture in it.
    """

    megabytes: int
    megapixels: int


OWN_LIMITS: Final = UploadLimits(megabytes=25, megapixels=60)
PUBLIC_LIMITS: Final = UploadLimits(megabytes=10, megapixels=30)


def get_limits() -> UploadLimits:
    """Return the limits of this app: smaller ones where it is public."""
    return PUBLIC_LIMITS if is_public() else OWN_LIMITS


def read_upload(data: bytes, limits: UploadLimits = OWN_LIMITS) -> NDArray[np.uint8]:
    """Decode a visitor's file: JPEG, PNG, WebP, TIFF or HEIC.

    The rotation in EXIF is applied, colours are brought to sRGB where the file holds a profile,
    and what is transparent lies over white. 16 bits a channel are scaled to 8, not clipped. Of an
    animation or several pages the first is taken.

    Parameters
    ----------
    data : bytes
        The whole file.
    limits : UploadLimits
        Checked before anything is decoded.

    Returns
    -------
    NDArray[np.uint8]
        Shape (H, W, 3), RGB, 0 to 255; the longer side has at most 2048 pixels.

    Raises
    ------
    UploadError
        When the file is empty, above a limit, no picture of these formats, damaged, less than 32
        pixels wide or high, or so narrow that it would be when reduced.
    """
    check_bytes(data, limits)
    try:
        with Image.open(io.BytesIO(data), formats=UPLOAD_FORMATS) as image:
            _check_size(*image.size, limits)
            if image.format in ("JPEG", "MPO"):
                _check_scans(data)
            # JPEG alone can be decoded at a half, a quarter or an eighth, which saves memory.
            image.draft(None, (LONGEST_KEPT, LONGEST_KEPT))
            image.load()
            return _convert_or_say_why(image)
    # Pillow warns of or refuses sizes by itself; which of the two depends on the warning filters.
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _make_size_error("far too many pixels", limits) from error
    except UnidentifiedImageError as error:
        raise UploadError(_explain_foreign_file(data)) from error
    except MemoryError as error:
        raise UploadError(
            "The photo takes more memory to be read than its size is worth. Save it again as JPEG "
            "or PNG."
        ) from error
    # What decoders say of hostile data means nothing to whoever took the photo.
    except DECODING_ERRORS as error:
        raise UploadError(
            "The photo is damaged or cut short, so that it cannot be read to its end. Copy or "
            "download it again."
        ) from error


def check_bytes(data: bytes, limits: UploadLimits) -> None:
    """Raise `UploadError` where a file is empty or larger than the limit."""
    if not data:
        raise UploadError("The file is empty. Choose another photo.")
    if len(data) > limits.megabytes * 1024 * 1024:
        raise UploadError(
            f"The file has {len(data) / 1024 / 1024:.0f} MB, more than the limit of "
            f"{limits.megabytes} MB. Save it smaller, for instance as JPEG."
        )


def _check_size(width: int, height: int, limits: UploadLimits) -> None:
    if width * height > limits.megapixels * 1_000_000:
        raise _make_size_error(f"{width} × {height} pixels", limits)
    if min(width, height) < SHORTEST_SIDE:
        raise UploadError(
            f"The photo has only {width} × {height} pixels: too few to see a bird. Choose one "
            f"that is at least {SHORTEST_SIDE} pixels wide and high."
        )
    if min(width, height) * LONGEST_KEPT < SHORTEST_SIDE * max(width, height):
        raise UploadError(
            f"The photo has {width} × {height} pixels: too narrow a strip to see a bird. Cut out "
            "the part with the bird first."
        )


def _check_scans(data: bytes) -> None:
    """Refuse a JPEG that comes in hundreds of scans: each goes over all of its pixels again."""
    place, scans = 2, 0
    while found := _MARKER.search(data, place):
        kind, place = found[0][1], found.end()
        if kind == _END_OF_IMAGE:
            return
        scans += kind == _START_OF_SCAN
        if scans > MOST_SCANS:
            raise UploadError(
                f"The photo is stored in more than {MOST_SCANS} scans, which takes too long to "
                "read. Save it again as JPEG or PNG."
            )
        # What is said of a scan or of the picture is passed over by its length; what follows the
        # head of a scan are pixels, in which no other marker can stand.
        place += max(2, int.from_bytes(data[place : place + 2], "big"))


def _make_size_error(found: str, limits: UploadLimits) -> UploadError:
    return UploadError(
        f"The photo has {found}, more than the limit of {limits.megapixels} megapixels. "
        "Make it smaller first."
    )


def _convert_or_say_why(image: Image.Image) -> NDArray[np.uint8]:
    try:
        return _convert(image)
    except ValueError as error:
        raise UploadError(
            f"The photo is of an unusual kind: {error}. Save it again as JPEG or PNG."
        ) from error


def _convert(image: Image.Image) -> NDArray[np.uint8]:
    """Turn a loaded picture of any mode into RGB, small, upright and in sRGB."""
    turned, profile = _read_rotation(image), image.info.get("icc_profile")
    image = _reduce(_make_resizable(image))
    image = _convert_to_srgb(image, profile)
    if turned is not None:
        image = image.transpose(turned)
    return convert_to_rgb(image)


def _make_resizable(image: Image.Image) -> Image.Image:
    """Return the picture in a mode of 8 bits a channel that can be resized smoothly."""
    if image.mode in _RESIZABLE and not isinstance(image.info.get("transparency"), tuple | int):
        return image
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(convert_to_rgb(image))
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _reduce(image: Image.Image) -> Image.Image:
    factor = LONGEST_KEPT / max(image.size)
    if factor >= 1:
        return image
    width, height = (max(1, round(side * factor)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)


def _convert_to_srgb(image: Image.Image, profile: object) -> Image.Image:
    """Apply the file's colour profile, if it has one that fits; transparency is kept."""
    if not isinstance(profile, bytes) or not profile:
        return image
    opacity = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    opaque = image.convert(image.mode.removesuffix("A")) if opacity else image
    try:
        source = ImageCms.getOpenProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        # A grey profile may stand in a file whose pixels were made RGB here, and the reverse.
        if space != {"L": "GRAY"}.get(opaque.mode, opaque.mode):
            return image
        result = ImageCms.profileToProfile(
            opaque, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    # A photo with a broken profile is still a photo; its colours are then taken as sRGB.
    except (ImageCms.PyCMSError, *DECODING_ERRORS):
        return image
    if result is None:
        return image
    if opacity:
        result.putalpha(opacity)
    return result


_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _read_rotation(image: Image.Image) -> Image.Transpose | None:
    # A photo with broken EXIF data is still a photo; it is then shown as stored.
    try:
        return _TURNS.get(image.getexif().get(0x0112, 1))
    except (*DECODING_ERRORS, ZeroDivisionError, Warning):
        return None


def _explain_foreign_file(data: bytes) -> str:
    start = data[:1024].lower()
    if b"<svg" in start:
        return "An SVG file is a drawing, not a photo. Export it as PNG first."
    if start[4:8] == b"ftyp":
        return "The file is a video, an AVIF picture or a damaged HEIC photo. Export it as JPEG."
    if start.startswith(b"pk\3\4"):
        return "The file is a ZIP archive, whatever its name says. Unpack it and choose a photo."
    return f"The file is not a whole {_NAMES} picture. Choose another photo."
