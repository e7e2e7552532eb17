import io
import time
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from explorer.data.upload import UploadError, read_upload

repeatable = settings(derandomize=True, deadline=None)


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def make_noise(height: int = 40, width: int = 60) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_lossless_files_round_trip(kind: str) -> None:
    noise = make_noise()
    options = {"lossless": True} if kind == "WEBP" else {}
    np.testing.assert_array_equal(
        read_upload(encode(Image.fromarray(noise), kind, **options)), noise
    )


@pytest.mark.parametrize(
    ("mode", "colour", "kind", "wanted"),
    [
        ("L", 90, "JPEG", (90, 90, 90)),
        ("CMYK", (0, 0, 0, 165), "JPEG", (90, 90, 90)),
        ("RGB", (200, 100, 50), "JPEG", (200, 100, 50)),
        ("RGB", (200, 100, 50), "GIF", (200, 100, 50)),
        ("1", 1, "PNG", (255, 255, 255)),
        ("LA", (0, 0), "PNG", (255, 255, 255)),
        ("RGBA", (255, 0, 0, 128), "PNG", (255, 127, 127)),
        ("RGBA", (0, 0, 255, 255), "WEBP", (0, 0, 255)),
    ],
)
def test_modes_become_rgb_over_white(
    mode: str, colour: tuple[float, ...] | float, kind: str, wanted: tuple[int, ...]
) -> None:
    pixels = read_upload(encode(Image.new(mode, (32, 24), colour), kind))
    assert (pixels.shape, pixels.dtype) == ((24, 32, 3), np.uint8)
    assert np.abs(pixels.astype(int) - wanted).max() <= 3


def test_palette_with_transparency_lies_over_white() -> None:
    image = Image.new("P", (8, 8), 0)
    image.putpalette([10, 20, 30, 200, 0, 0])
    image.putpixel((0, 0), 1)
    pixels = read_upload(encode(image, "PNG", transparency=0))
    assert pixels[0, 0].tolist() == [200, 0, 0]
    assert pixels[4, 4].tolist() == [255, 255, 255]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize(("value", "wanted"), [(0, 0), (32768, 128), (65535, 255), (257, 1)])
def test_16_bit_grey_is_scaled(kind: str, value: int, wanted: int) -> None:
    image = Image.fromarray(np.full((4, 5), value, np.uint16))
    assert image.mode.startswith("I;16")
    np.testing.assert_array_equal(read_upload(encode(image, kind)), np.full((4, 5, 3), wanted))


@pytest.mark.parametrize(
    "pixels", [np.full((4, 5), 0.5, np.float32), np.full((4, 5), 70000, np.int32)]
)
def test_32_bit_pictures_are_refused(pixels: np.ndarray) -> None:
    with pytest.raises(UploadError, match=r"32-bit .*save it again as JPEG"):
        read_upload(encode(Image.fromarray(pixels), "TIFF"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_rotation_is_applied(kind: str) -> None:
    stored = np.zeros((16, 48, 3), dtype=np.uint8)
    stored[:, :16] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to view
    pixels = read_upload(encode(Image.fromarray(stored), kind, exif=exif))
    assert pixels.shape == (48, 16, 3)
    assert pixels[:14].min() > 240
    assert pixels[18:].max() < 15


def test_broken_exif_does_not_cost_the_photo() -> None:
    data = encode(Image.new("RGB", (9, 5)), "JPEG", exif=b"Exif\0\0nonsense that is no TIFF header")
    assert read_upload(data).shape == (5, 9, 3)


def test_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (6, 4), colour) for colour in ("red", "blue")]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert read_upload(data)[0, 0].tolist() == [255, 0, 0]
    data = encode(frames[0], "MPO", save_all=True, append_images=frames[1:])
    assert read_upload(data)[0, 0, 0] > 240


def make_png_header(width: int, height: int) -> bytes:
    data = bytearray(encode(Image.new("L", (1, 1)), "PNG"))
    data[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize(("width", "height"), [(10_001, 6_000), (10_000, 12_000), (60_000, 60_000)])
def test_huge_pictures_are_refused_by_their_header(
    width: int, height: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Image.MAX_IMAGE_PIXELS
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("decoded"))
    start = time.perf_counter()
    with pytest.raises(UploadError, match=r"more than the limit of 60 megapixels: make it smaller"):
        read_upload(make_png_header(width, height))
    assert time.perf_counter() - start < 1
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "The file is empty"),
        (b"just some words", "not a whole JPEG, PNG, WebP, TIFF or GIF"),
        (b"<?xml version='1.0'?>\n<svg xmlns='x'></svg>", "An SVG file is a drawing"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC, AVIF and video files"),
        (encode(Image.new("RGB", (4, 4)), "BMP"), "not a whole JPEG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a whole JPEG"),
    ],
)
def test_foreign_files_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(UploadError, match=message):
        read_upload(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
def test_truncated_files_are_refused(kind: str, part: float) -> None:
    data = encode(Image.fromarray(make_noise(64, 64)), kind)
    with pytest.raises(UploadError) as caught:
        read_upload(data[: int(len(data) * part)])
    assert "\n" not in str(caught.value)


# Pillow warns of odd metadata in passing; what counts is that nothing is raised.
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@repeatable
@given(
    st.binary(min_size=1, max_size=40),
    st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF", "GIF"]),
    st.data(),
)
def test_damaged_bytes_never_escape_as_another_error(
    junk: bytes, kind: str, data: st.DataObject
) -> None:
    good = encode(Image.fromarray(make_noise(12, 12)), kind)
    place = data.draw(st.integers(0, len(good)))
    try:
        pixels = read_upload(good[:place] + junk + good[place + len(junk) :])
    except UploadError:
        return
    assert pixels.dtype == np.uint8
