"""Harmful or unusual files that somebody might upload, each made with a few lines of code."""

import io
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image, PngImagePlugin
from pillow_heif import register_heif_opener

register_heif_opener(thumbnails=False)

MEGABYTE = 2**20


@dataclass(frozen=True)
class HostileFile:
    """A file and the expected result of reading it.

    Attributes
    ----------
    name : str
        File name, as an upload would have it.
    data : bytes
        The whole file.
    wanted : str
        Part of the error message, or ``""`` if the file can be read as a photo.
    """

    name: str
    data: bytes
    wanted: str


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    """Encode a picture in one of Pillow's formats."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def make_chunk(name: bytes, body: bytes) -> bytes:
    """Make a chunk of a PNG file."""
    check = zlib.crc32(name + body).to_bytes(4, "big")
    return len(body).to_bytes(4, "big") + name + body + check


def make_png(  # noqa: PLR0917 (in the order of the file format)
    width: int, height: int, depth: int, colour: int, rows: bytes, extra: bytes = b""
) -> bytes:
    """Make a PNG file by hand. `rows` must be compressed; `extra` chunks are put before them."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = make_chunk(b"IHDR", header) + extra
    body += make_chunk(b"IDAT", rows) + make_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def make_bomb(width: int, height: int, depth: int, colour: int) -> bytes:
    """Make a PNG of zeros, which compresses to a thousandth of the size of its pixels."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = bytes(1 + (width * samples * depth + 7) // 8)
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    palette = make_chunk(b"PLTE", bytes(768)) + make_chunk(b"tRNS", bytes(256))
    return make_png(width, height, depth, colour, rows, palette if colour == 3 else b"")


def make_tiff(tags: Mapping[int, tuple[int, object]], rest: bytes = b"", pages: int = 1) -> bytes:
    """Make a TIFF by hand, from tags (type 3 short or 4 long, and value) and data at offset 8.

    Every page has the same tags.
    """
    data = b"II*\0" + struct.pack("<I", 8 + len(rest) + len(rest) % 2) + rest
    data += b"\0" * (len(rest) % 2)
    for page in range(pages):
        entries = b"".join(
            struct.pack("<HHI", tag, kind, 1) + struct.pack("<HH" if kind == 3 else "<I", *value)
            for tag, kind, value in (
                (tag, kind, (value, 0) if kind == 3 else (value,))
                for tag, (kind, value) in sorted(tags.items())
            )
        )
        end = len(data) + 2 + len(entries) + 4
        following = end if page + 1 < pages else 0
        data += struct.pack("<H", len(tags)) + entries + struct.pack("<I", following)
    return data


def list_tags(width: int, height: int, size: int) -> dict[int, tuple[int, object]]:
    """List the tags of a grey picture in one strip of `size` bytes at offset 8."""
    return {
        256: (4, width),
        257: (4, height),
        258: (3, 8),
        259: (3, 1),
        262: (3, 1),
        273: (4, 8),
        277: (3, 1),
        278: (4, height),
        279: (4, size),
    }


def make_photo(width: int = 320, height: int = 240) -> Image.Image:
    """Make a picture that resembles a photo: soft blobs with some noise."""
    random = np.random.default_rng(5)
    small = random.integers(0, 256, (8, 10, 3), dtype=np.uint8)
    soft = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    noise = random.integers(0, 12, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(np.clip(np.asarray(soft).astype(np.int16) + noise, 0, 255).astype("u1"))


def make_scans(count: int) -> bytes:
    """Make a progressive JPEG that repeats its last scan up to `count` times."""
    data = encode(make_photo(2400, 1800), "JPEG", progressive=True, quality=30)
    last = data.rindex(b"\xff\xda")
    scan = data[last:-2]
    return data[:last] + scan * min(count, 20 * MEGABYTE // len(scan)) + data[-2:]


def make_short_scans(count: int, side: int = 7000) -> bytes:
    """Make a large progressive JPEG with many scans of a dozen bytes that change nothing."""
    data = encode(Image.new("L", (side, side)), "JPEG", progressive=True, quality=30)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * min(count, 8 * MEGABYTE // len(data[last:-2])) + data[-2:]


def make_animation(kind: str, frames: int, side: int) -> bytes:
    """Make an animation of flat pictures of changing colours."""
    pictures = [Image.new("RGB", (side, side), (n % 256, 90, 40)) for n in range(frames)]
    return encode(pictures[0], kind, save_all=True, append_images=pictures[1:])


def make_large(kind: str, mode: str, side: int, **options: object) -> bytes:
    """Encode a large flat picture."""
    return encode(Image.new(mode, (side, side)), kind, **options)


def make_exif(count: int) -> bytes:
    """Make EXIF data with many tags that point at the same place."""
    entries = b"".join(
        struct.pack("<HHII", 0x9000 + n % 4096, 2, 60_000, 8) for n in range(min(count, 65_535))
    )
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", min(count, 65_535)) + entries + bytes(4)


def append_archive(data: bytes) -> bytes:
    """Append an archive and a script, so that the file has several valid types (a polyglot)."""
    return data + b"PK\3\4" + bytes(60) + b"<script>alert(1)</script><?php echo 1; ?>"


TOO_MANY = "more than the limit of 60 megapixels"
DAMAGED = "damaged or cut short"
FOREIGN = "not a complete JPEG, PNG, WebP, TIFF, HEIC or AVIF picture"
STRIP = "too narrow a strip"

# 7,745 pixels squared are just below 60 megapixels, the largest picture that is decoded.
_LARGEST = 7745

MAKERS: Mapping[str, tuple[Callable[[], bytes], str]] = {
    "empty.jpg": (lambda: b"", "The file is empty"),
    "one byte.jpg": (lambda: b"\xff", FOREIGN),
    "200 megabytes.jpg": (lambda: b"\xff\xd8\xff" + bytes(200 * MEGABYTE), "has 200 MB"),
    "text.jpg": (lambda: b"no picture " * 1000, FOREIGN),
    "drawing.svg": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"></svg>', "an SVG drawing"),
    "drawing.png, an SVG": (
        lambda: b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaa">]><svg>&a;</svg>',
        "an SVG drawing",
    ),
    "page.jpg, an HTML page": (lambda: b"<html><script>alert(1)</script></html>", "an HTML page"),
    "paper.jpg, a PDF": (lambda: encode(make_photo(), "PDF"), "a PDF document"),
    "script.jpg, PostScript": (lambda: encode(make_photo(), "EPS"), "a PostScript document"),
    "animation.gif": (lambda: make_animation("GIF", 200, 64), "a GIF picture"),
    "photo.avif": (lambda: encode(make_photo(), "AVIF"), ""),
    "photo.jp2": (lambda: encode(make_photo(), "JPEG2000"), "a JPEG 2000 picture"),
    "icon.ico": (lambda: encode(make_photo(), "ICO"), "an icon"),
    "photo.png, a JPEG": (lambda: encode(make_photo(), "JPEG"), ""),
    "photo.jpg, a TIFF": (lambda: encode(make_photo(), "TIFF"), ""),
    "photo and archive.jpg": (lambda: append_archive(encode(make_photo(), "JPEG")), ""),
    "photo and archive.png": (lambda: append_archive(encode(make_photo(), "PNG")), ""),
    "cut.jpg": (lambda: encode(make_photo(), "JPEG")[:4000], DAMAGED),
    "cut.png": (lambda: encode(make_photo(), "PNG")[:4000], DAMAGED),
    "cut.tif": (lambda: encode(make_photo(), "TIFF")[:4000], "cut short|not a complete"),
    "cut.webp": (lambda: encode(make_photo(), "WEBP")[:2000], "cut short|not a complete"),
    "cut.heic": (lambda: encode(make_photo(), "HEIF")[:3000], "cut short|damaged HEIC"),
    "cut.avif": (lambda: encode(make_photo(), "AVIF")[:3000], "cut short|damaged HEIC"),
    "without its end.jpg": (lambda: encode(make_photo(), "JPEG")[:-2], ""),
    "bomb of 3,600 megapixels.png": (
        lambda: make_png(60_000, 60_000, 8, 2, zlib.compress(bytes(100_000))),
        TOO_MANY,
    ),
    "bomb of 2**62 pixels.tif": (
        lambda: make_tiff(list_tags(2**31 - 1, 2**31 - 1, 64), bytes(64)),
        TOO_MANY,
    ),
    "strip of 50,000 pixels.png": (lambda: make_bomb(50_000, 100, 8, 2), STRIP),
    "strip of 50,000 pixels.jpg": (
        lambda: encode(Image.new("RGB", (50_000, 100)), "JPEG"),
        STRIP,
    ),
    "strip of one pixel.png": (lambda: make_bomb(1, 50_000, 8, 0), "too few to show a bird"),
    "60 megapixels, colour.png": (lambda: make_bomb(_LARGEST, _LARGEST, 8, 2), ""),
    "60 megapixels, transparent.png": (lambda: make_bomb(_LARGEST, _LARGEST, 8, 6), ""),
    "60 megapixels, 16 bits.png": (lambda: make_bomb(_LARGEST, _LARGEST, 16, 2), ""),
    "60 megapixels, 16 bits transparent.png": (lambda: make_bomb(_LARGEST, _LARGEST, 16, 6), ""),
    "60 megapixels, 16 bits grey.png": (lambda: make_bomb(_LARGEST, _LARGEST, 16, 0), ""),
    "60 megapixels, palette.png": (lambda: make_bomb(_LARGEST, _LARGEST, 8, 3), ""),
    "60 megapixels, one bit.png": (lambda: make_bomb(_LARGEST, _LARGEST, 1, 0), ""),
    "60 megapixels.jpg": (lambda: make_large("JPEG", "RGB", _LARGEST), ""),
    "60 megapixels, progressive.jpg": (
        lambda: make_large("JPEG", "RGB", _LARGEST, progressive=True, subsampling=0),
        "",
    ),
    "60 megapixels, CMYK.jpg": (lambda: make_large("JPEG", "CMYK", _LARGEST), ""),
    "60 megapixels.webp": (lambda: make_large("WEBP", "RGB", _LARGEST, method=0), ""),
    "60 megapixels, animated.webp": (lambda: make_animation("WEBP", 2, _LARGEST), ""),
    "60 megapixels, compressed.tif": (
        lambda: make_large("TIFF", "RGB", _LARGEST, compression="tiff_adobe_deflate"),
        "",
    ),
    "60 megapixels, CMYK.tif": (
        lambda: make_large("TIFF", "CMYK", _LARGEST, compression="tiff_lzw"),
        "",
    ),
    "60 megapixels, floating point.tif": (
        lambda: make_large("TIFF", "F", _LARGEST, compression="tiff_adobe_deflate"),
        "32-bit",
    ),
    "60 megapixels, 32-bit integers.tif": (
        lambda: make_large("TIFF", "I", _LARGEST, compression="tiff_adobe_deflate"),
        "",
    ),
    "60 megapixels.heic": (lambda: make_large("HEIF", "RGB", _LARGEST), ""),
    "60 megapixels.avif": (lambda: make_large("AVIF", "RGB", _LARGEST, speed=10), ""),
    "60 megapixels, transparent.avif": (
        lambda: make_large("AVIF", "RGBA", _LARGEST, speed=10, subsampling="4:4:4"),
        "",
    ),
    "60 megapixels, without its end.jpg": (
        lambda: make_large("JPEG", "RGB", _LARGEST, progressive=True, subsampling=0)[:-2],
        "",
    ),
    "300 pictures.avif": (lambda: make_animation("AVIF", 300, 64), ""),
    "many thousand scans.jpg": (lambda: make_short_scans(20_000), "in more than 64 scans"),
    "hundreds of large scans.jpg": (lambda: make_scans(300), "in more than 64 scans"),
    "64 scans of 60 megapixels.jpg": (lambda: make_short_scans(54, _LARGEST), ""),
    "animation of 2,000 pictures.webp": (lambda: make_animation("WEBP", 2000, 64), ""),
    "animation of 500 pictures.png": (lambda: make_animation("PNG", 500, 64), ""),
    "300 pages.tif": (lambda: make_animation("TIFF", 300, 64), ""),
    "100,000 pages.tif": (
        lambda: make_tiff(list_tags(64, 64, 4096), bytes(4096), pages=100_000),
        "",
    ),
    "60,000 tags.tif": (
        lambda: make_tiff(
            {**dict.fromkeys(range(1000, 61000), (4, 1)), **list_tags(64, 64, 4096)}, bytes(4096)
        ),
        DAMAGED,
    ),
    "tile of 3,600 megapixels.tif": (
        lambda: make_tiff(
            {
                **{k: v for k, v in list_tags(64, 64, 0).items() if k not in (273, 278, 279)},
                259: (3, 8),
                322: (4, 60_000),
                323: (4, 60_000),
                324: (4, 8),
                325: (4, 4096),
            },
            zlib.compress(bytes(4096)),
        ),
        "cut short|unsupported kind|too much memory",
    ),
    "page that links to itself.tif": (
        lambda: make_tiff(list_tags(64, 64, 4096), bytes(4096))[:-4] + struct.pack("<I", 4104),
        "",
    ),
    "two million chunks.png": (
        lambda: make_png(
            64, 64, 8, 0, zlib.compress(bytes(65 * 64)), make_chunk(b"teSt", b"") * 2_000_000
        ),
        "",
    ),
    "text of 1,000 megabytes.png": (
        lambda: make_png(
            64,
            64,
            8,
            0,
            zlib.compress(bytes(65 * 64)),
            make_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(500 * MEGABYTE))) * 2,
        ),
        "cut short|too much memory",
    ),
    "profile of 500 megabytes.png": (
        lambda: make_png(
            64,
            64,
            8,
            0,
            zlib.compress(bytes(65 * 64)),
            make_chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(500 * MEGABYTE))),
        ),
        DAMAGED,
    ),
    "broken EXIF.jpg": (
        lambda: encode(make_photo(), "JPEG", exif=b"Exif\0\0nonsense and no header"),
        "",
    ),
    "EXIF of 5,000 tags.jpg": (lambda: encode(make_photo(), "JPEG", exif=make_exif(5_000)), ""),
    "EXIF of 65,535 tags.png": (
        lambda: make_png(
            64,
            64,
            8,
            0,
            zlib.compress(bytes(65 * 64)),
            make_chunk(b"eXIf", make_exif(65_535)[6:] + bytes(60_000)),
        ),
        "",
    ),
    "broken profile.png": (
        lambda: encode(make_photo(), "PNG", icc_profile=b"acsp" * 50_000),
        "",
    ),
    "2,000 text chunks.png": (
        lambda: encode(make_photo(), "PNG", pnginfo=_make_text_chunks()),
        "",
    ),
}


def _make_text_chunks() -> PngImagePlugin.PngInfo:
    chunks = PngImagePlugin.PngInfo()
    for number in range(2000):
        chunks.add_text(f"key {number}", "<script>alert(1)</script>" * 4)
    return chunks


def make_file(name: str) -> HostileFile:
    """Make the file with this name in `MAKERS`."""
    make, wanted = MAKERS[name]
    return HostileFile(name, make(), wanted)
