import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from photos import encode
from PIL import Image, ImageCms, ImageFile

from explorer.data.uploads.decoding import (
    MAX_SIDE,
    OWN_LIMITS,
    UPLOAD_FORMATS,
    UploadError,
    UploadLimits,
    read_upload,
)

repeatable = settings(derandomize=True, deadline=None)
KINDS = UPLOAD_FORMATS


def read_pixels(data: bytes, limits: UploadLimits = OWN_LIMITS) -> NDArray[np.uint8]:
    return read_upload(data, limits).pixels


def make_noise(height: int = 40, width: int = 60) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_lossless_files_round_trip(kind: str) -> None:
    noise = make_noise()
    options = {"lossless": True} if kind == "WEBP" else {}
    np.testing.assert_array_equal(
        read_pixels(encode(Image.fromarray(noise), kind, **options)), noise
    )


@pytest.mark.parametrize(
    ("mode", "colour", "kind", "wanted"),
    [
        ("L", 90, "JPEG", (90, 90, 90)),
        ("CMYK", (0, 0, 0, 165), "JPEG", (90, 90, 90)),
        ("CMYK", (0, 0, 0, 165), "TIFF", (90, 90, 90)),
        ("RGB", (200, 100, 50), "JPEG", (200, 100, 50)),
        ("RGB", (200, 100, 50), "HEIF", (200, 100, 50)),
        ("RGBA", (200, 100, 50, 0), "HEIF", (255, 255, 255)),
        ("LAB", (137, 128, 128), "TIFF", (130, 130, 130)),
        ("YCbCr", (90, 128, 128), "TIFF", (90, 90, 90)),
        ("1", 1, "PNG", (255, 255, 255)),
        ("LA", (0, 0), "PNG", (255, 255, 255)),
        ("RGBA", (255, 0, 0, 128), "PNG", (255, 127, 127)),
        ("RGBA", (0, 0, 255, 255), "WEBP", (0, 0, 255)),
    ],
)
def test_modes_become_rgb_over_white(
    mode: str, colour: tuple[float, ...] | float, kind: str, wanted: tuple[int, ...]
) -> None:
    pixels = read_pixels(encode(Image.new(mode, (48, 32), colour), kind))
    assert (pixels.shape, pixels.dtype) == ((32, 48, 3), np.uint8)
    assert np.abs(pixels.astype(int) - wanted).max() <= 3


def test_a_transparent_palette_colour_becomes_white() -> None:
    image = Image.new("P", (32, 32), 0)
    image.putpalette([10, 20, 30, 200, 0, 0])
    image.putpixel((0, 0), 1)
    pixels = read_pixels(encode(image, "PNG", transparency=0))
    assert pixels[0, 0].tolist() == [200, 0, 0]
    assert pixels[4, 4].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    ("mode", "colour", "transparency"), [("RGB", (9, 9, 9), (9, 9, 9)), ("L", 9, 9)]
)
def test_a_single_transparent_colour_becomes_white(
    mode: str, colour: tuple[int, ...] | int, transparency: tuple[int, ...] | int
) -> None:
    data = encode(Image.new(mode, (32, 32), colour), "PNG", transparency=transparency)
    np.testing.assert_array_equal(read_pixels(data), np.full((32, 32, 3), 255))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize(("value", "wanted"), [(0, 0), (32768, 128), (65535, 255), (257, 1)])
def test_16_bit_grey_is_scaled(kind: str, value: int, wanted: int) -> None:
    image = Image.fromarray(np.full((32, 40), value, np.uint16))
    assert image.mode.startswith("I;16")
    np.testing.assert_array_equal(read_pixels(encode(image, kind)), np.full((32, 40, 3), wanted))


def make_png(width: int, height: int, depth: int, colour_type: int, rows: bytes) -> bytes:
    """Write a PNG by hand, as Pillow cannot write 16-bit colour."""

    def chunk(name: bytes, body: bytes) -> bytes:
        check = zlib.crc32(name + body).to_bytes(4, "big")
        return len(body).to_bytes(4, "big") + name + body + check

    header = b"".join(side.to_bytes(4, "big") for side in (width, height))
    header += bytes([depth, colour_type, 0, 0, 0])
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_16_bit_colour_is_scaled() -> None:
    row = b"\0" + bytes([200, 7, 100, 7, 50, 7]) * 40
    pixels = read_pixels(make_png(40, 32, 16, 2, row * 32))
    np.testing.assert_array_equal(pixels, np.full((32, 40, 3), (200, 100, 50)))


@pytest.mark.parametrize(
    "pixels", [np.full((40, 50), 0.5, np.float32), np.full((40, 50), 70000, np.int32)]
)
def test_32_bit_pictures_are_refused(pixels: np.ndarray) -> None:
    with pytest.raises(UploadError, match=r"32-bit .*Save it again as JPEG"):
        read_pixels(encode(Image.fromarray(pixels), "TIFF"))


def mark_corners() -> Image.Image:
    """Draw a wide black picture with a red top left and a green top right corner."""
    image = Image.new("RGB", (96, 48))
    image.paste((255, 0, 0), (0, 0, 24, 24))
    image.paste((0, 255, 0), (72, 0, 96, 24))
    return image


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("orientation", "red", "green"),
    [
        (1, "top left", "top right"),
        (2, "top right", "top left"),
        (3, "bottom right", "bottom left"),
        (4, "bottom left", "bottom right"),
        (5, "top left", "bottom left"),
        (6, "top right", "bottom right"),
        (7, "bottom right", "top right"),
        (8, "bottom left", "top left"),
    ],
)
def test_exif_orientation_is_applied(kind: str, orientation: int, red: str, green: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(mark_corners(), kind, exif=exif.tobytes())
    pixels = read_pixels(data).astype(int)
    assert pixels.shape == ((96, 48, 3) if orientation >= 5 else (48, 96, 3))
    rows, columns = {"top": 8, "bottom": -8}, {"left": 8, "right": -8}
    for place, channel in ((red, 0), (green, 1)):
        down, across = place.split()
        colour = pixels[rows[down], columns[across]]
        assert colour[channel] > 200
        assert np.delete(colour, channel).max() < 60


def test_exif_orientation_is_applied_to_reduced_photos() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = mark_corners().resize((MAX_SIDE * 2, MAX_SIDE), Image.Resampling.NEAREST)
    pixels = read_pixels(encode(image, "JPEG", exif=exif.tobytes()))
    assert pixels.shape == (MAX_SIDE, MAX_SIDE // 2, 3)
    assert pixels[20, -20, 0] > 200
    assert pixels[-20, -20, 1] > 200


def test_a_photo_with_broken_exif_data_is_read() -> None:
    exif = b"Exif\0\0nonsense instead of a TIFF header"
    data = encode(Image.new("RGB", (50, 40)), "JPEG", exif=exif)
    assert read_pixels(data).shape == (40, 50, 3)


def make_swapping_profile() -> bytes:
    """Return an sRGB profile with the primaries of red and blue swapped."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"tmp!").replace(b"bXYZ", b"rXYZ").replace(b"tmp!", b"bXYZ")


@pytest.mark.parametrize(("mode", "colour"), [("RGB", (200, 20, 20)), ("RGBA", (200, 20, 20, 0))])
def test_colour_profile_is_applied(mode: str, colour: tuple[int, ...]) -> None:
    image = Image.new(mode, (40, 40), colour)
    pixels = read_pixels(encode(image, "PNG", icc_profile=make_swapping_profile()))
    wanted = (20, 20, 200) if mode == "RGB" else (255, 255, 255)
    assert np.abs(pixels.astype(int) - wanted).max() <= 3


@pytest.mark.parametrize(
    ("mode", "profile"),
    [
        ("RGB", b"not a profile"),
        ("CMYK", b"not a profile"),
        ("CMYK", make_swapping_profile()),
        ("L", make_swapping_profile()),
    ],
)
def test_a_broken_or_unsuitable_profile_is_ignored(mode: str, profile: bytes) -> None:
    image = Image.new(mode, (40, 40))
    plain = read_pixels(encode(image, "TIFF"))
    np.testing.assert_array_equal(read_pixels(encode(image, "TIFF", icc_profile=profile)), plain)


@pytest.mark.parametrize("kind", ["WEBP", "PNG", "TIFF", "MPO"])
def test_the_first_of_several_pictures_is_read(kind: str) -> None:
    frames = [Image.new("RGB", (64, 40), colour) for colour in ("red", "blue")]
    pixels = read_pixels(encode(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert pixels.shape == (40, 64, 3)
    assert pixels[20, 20, 0] > 240
    assert pixels[20, 20, 2] < 15


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "HEIF"])
def test_large_photos_are_reduced(kind: str) -> None:
    pixels = read_pixels(encode(Image.new("RGB", (3000, 1000), (90, 120, 60)), kind))
    assert pixels.shape == (683, MAX_SIDE, 3)
    assert np.abs(pixels.astype(int) - (90, 120, 60)).max() <= 3


@pytest.mark.parametrize(("width", "height"), [(10_001, 6_000), (10_000, 12_000), (60_000, 60_000)])
def test_huge_pictures_are_refused_before_decoding(
    width: int, height: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Image.MAX_IMAGE_PIXELS
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda *_: pytest.fail("decoded"))
    with pytest.raises(UploadError, match="more than the limit of 60 megapixels") as caught:
        read_pixels(make_png(width, height, 8, 0, b"\0" * 1000))
    assert "Make it smaller first." in str(caught.value)
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("kind", KINDS)
def test_the_size_is_checked_before_decoding_in_every_format(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encode(Image.new("RGB", (1100, 1000)), kind)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda *_: pytest.fail("decoded"))
    with pytest.raises(UploadError, match="1100 × 1000 pixels, more than the limit"):
        read_pixels(data, UploadLimits(megabytes=25, megapixels=1))


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((31, 400), "only 31 × 400 pixels, too few"),
        ((1, 1), "only 1 × 1 pixels, too few"),
        ((9000, 40), "9000 × 40 pixels, too narrow"),
        ((40, 9000), "40 × 9000 pixels, too narrow"),
    ],
)
def test_pictures_too_small_or_narrow_are_refused(size: tuple[int, int], message: str) -> None:
    with pytest.raises(UploadError, match=message):
        read_pixels(encode(Image.new("RGB", size), "PNG"))


def test_the_smallest_and_narrowest_pictures_are_read() -> None:
    assert read_pixels(encode(Image.new("RGB", (32, 32)), "PNG")).shape == (32, 32, 3)
    assert read_pixels(encode(Image.new("RGB", (64 * 40, 40)), "PNG")).shape == (32, 2048, 3)


def test_files_above_the_size_limit_are_refused() -> None:
    data = b"\xff\xd8\xff" + bytes((OWN_LIMITS.megabytes + 5) * 1024 * 1024)
    with pytest.raises(UploadError, match="has 30 MB, more than the limit of 25 MB"):
        read_pixels(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "The file is empty"),
        (b"\0", "not a complete JPEG, PNG, WebP, TIFF, HEIC or AVIF"),
        (b"just some words", "not a complete JPEG, PNG, WebP, TIFF, HEIC or AVIF"),
        (b"<?xml version='1.0'?>\n<svg xmlns='x'></svg>", "an SVG drawing"),
        (b"\r\n<!DOCTYPE html><html>403 Forbidden</html>", "an HTML page"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "is a video\\. Choose"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "is a video"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "a raw file of a camera"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "is a HEIC picture that is damaged, cut"),
        (b"\0\0\0\x18ftypavis\0\0\0\0mif1", "a video, or a damaged HEIC or AVIF picture"),
        (b"II*\0" + bytes(40), "is a TIFF picture that is damaged"),
        (b"\0\5\x16\7\0\2\0\0Mac OS X        ", "an AppleDouble file, in which macOS keeps"),
        (b"\xff\x0a" + bytes(40), "a JPEG XL picture"),
        (b"PK\3\4" + bytes(40), "a ZIP archive"),
        (encode(Image.new("RGB", (40, 40)), "BMP"), "a BMP picture"),
        (encode(Image.new("RGB", (40, 40)), "GIF"), "a GIF picture\\. Choose a JPEG, PNG, WebP"),
        (encode(Image.new("RGB", (40, 40)), "JPEG2000"), "a JPEG 2000 picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "a PostScript document"),
    ],
)
def test_other_kinds_of_files_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(UploadError, match=message):
        read_pixels(data)


def test_a_palette_picture_without_its_palette_is_refused() -> None:
    data = make_png(40, 32, 8, 3, bytes(41) * 32)
    with pytest.raises(UploadError, match="damaged or cut short"):
        read_pixels(data)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
def test_truncated_files_are_refused_in_one_sentence(kind: str, part: float) -> None:
    data = encode(Image.fromarray(make_noise(64, 64)), kind)
    with pytest.raises(UploadError) as caught:
        read_pixels(data[: int(len(data) * part)])
    assert "\n" not in str(caught.value)
    assert "(" not in str(caught.value)


# Pillow may warn about odd metadata; only exceptions matter here.
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@repeatable
@given(st.binary(min_size=1, max_size=40), st.sampled_from(KINDS), st.data())
def test_damaged_files_raise_no_other_error(junk: bytes, kind: str, data: st.DataObject) -> None:
    good = encode(Image.fromarray(make_noise(32, 32)), kind)
    place = data.draw(st.integers(0, len(good)))
    try:
        pixels = read_pixels(good[:place] + junk + good[place + len(junk) :])
    except UploadError:
        return
    assert pixels.dtype == np.uint8


def test_an_avif_picture_is_read_with_a_note() -> None:
    noise = make_noise(64, 64) // 8 + 100
    found = read_upload(encode(Image.fromarray(noise), "AVIF", quality=100, subsampling="4:4:4"))
    assert np.abs(found.pixels.astype(int) - noise).max() <= 4
    assert len(found.notes) == 1
    assert "is an AVIF picture" in found.notes[0]


def test_an_avif_picture_that_names_the_brand_of_heic_first_is_read() -> None:
    data = encode(Image.new("RGB", (48, 32), (200, 30, 30)), "AVIF")
    found = read_pixels(data.replace(b"ftypavif", b"ftypmif1", 1))
    assert np.abs(found.astype(int) - (200, 30, 30)).max() < 12


def test_the_small_preview_of_a_raw_photo_is_said_to_be_one() -> None:
    image = Image.fromarray(make_noise())
    (note,) = read_upload(encode(image, "TIFF", tiffinfo={254: 1})).notes
    assert "only the small preview" in note
    assert read_upload(encode(image, "TIFF", tiffinfo={254: 0})).notes == ()
