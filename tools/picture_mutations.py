"""Small pictures in all accepted file formats, and mutations that damage them."""

import itertools
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from hostile_files import append_archive, encode, make_chunk
from PIL import Image, ImageCms

from explorer.config import DEMO_WORKSPACE
from explorer.data.cub import load_cub
from explorer.data.photo import load_photo

Random = np.random.Generator
_PNG = b"\x89PNG\r\n\x1a\n"
_BOUNDARY_VALUES = (
    0,
    1,
    2,
    7,
    8,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    2**31 - 1,
    2**31,
    2**32 - 1,
)
_SIDES = (0, 1, 31, 33, 63, 65, 500, 2049, 7745, 16_383, 40_000, 65_535)
_MAX_BYTES = 2**20


def make_birds() -> tuple[Image.Image, Image.Image]:
    """Return two small pictures of painted birds with different aspect ratios."""
    photos = load_cub(DEMO_WORKSPACE / "birds").photos
    first, second = (Image.fromarray(load_photo(photo)) for photo in (photos[0], photos[-1]))
    return first.resize((120, 90)), second.resize((66, 100))


def make_files() -> dict[str, bytes]:
    """Return files of all formats and modes that the app accepts, by name."""
    bird, other = make_birds()
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0132] = 6, "Painter", "2026:01:02 03:04:05"
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0a bird"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    metadata = {"exif": exif.tobytes(), "icc_profile": profile}
    transparent = bird.copy()
    transparent.putalpha(Image.linear_gradient("L").resize(bird.size))
    grey_16_bits = Image.fromarray(np.asarray(bird.convert("L")).astype(np.uint16) * 257)

    def make_pages() -> dict[str, object]:
        # Copies, because Pillow stores how a picture was last encoded.
        return {"save_all": True, "append_images": [other.copy(), bird.copy()]}

    frames = {"save_all": True, "append_images": [bird.rotate(90), bird]}
    made: list[tuple[str, Image.Image, str, dict[str, object]]] = [
        ("JPEG", bird, "JPEG", {}),
        ("JPEG, EXIF and ICC", bird, "JPEG", metadata),
        ("JPEG, progressive", bird, "JPEG", {"progressive": True, "quality": 60}),
        ("JPEG, restarts", bird, "JPEG", {"restart_marker_rows": 1}),
        ("JPEG, grey", bird.convert("L"), "JPEG", {}),
        ("JPEG, print", bird.convert("CMYK"), "JPEG", {}),
        ("JPEG, several", bird, "MPO", make_pages()),
        ("PNG", bird, "PNG", {}),
        ("PNG, EXIF and ICC", bird, "PNG", metadata),
        ("PNG, transparent", transparent, "PNG", {}),
        ("PNG, 16 bits", grey_16_bits, "PNG", {}),
        ("PNG, palette", bird.quantize(40), "PNG", {"transparency": 3}),
        ("PNG, one bit", bird.convert("1"), "PNG", {}),
        ("PNG, moving", bird, "PNG", frames),
        ("WebP", bird, "WEBP", {}),
        ("WebP, EXIF and ICC", bird, "WEBP", metadata),
        ("WebP, transparent", transparent, "WEBP", {"lossless": True}),
        ("WebP, moving", bird, "WEBP", frames),
        ("TIFF", bird, "TIFF", {}),
        ("TIFF, EXIF and ICC", bird, "TIFF", metadata),
        ("TIFF, LZW", bird, "TIFF", {"compression": "tiff_lzw"}),
        ("TIFF, deflate", transparent, "TIFF", {"compression": "tiff_adobe_deflate"}),
        ("TIFF, JPEG", bird, "TIFF", {"compression": "jpeg"}),
        ("TIFF, packbits", bird.convert("L"), "TIFF", {"compression": "packbits"}),
        ("TIFF, fax", bird.convert("1"), "TIFF", {"compression": "group4"}),
        ("TIFF, 16 bits", grey_16_bits, "TIFF", {}),
        ("TIFF, print", bird.convert("CMYK"), "TIFF", {}),
        ("TIFF, LAB", bird.convert("LAB"), "TIFF", {}),
        ("TIFF, pages", bird, "TIFF", make_pages()),
        ("HEIC", bird, "HEIF", {}),
        ("HEIC, EXIF and ICC", bird, "HEIF", metadata),
        ("HEIC, transparent", transparent, "HEIF", {}),
        ("HEIC, several", bird, "HEIF", make_pages()),
        ("AVIF", bird, "AVIF", {}),
        ("AVIF, EXIF and ICC", bird, "AVIF", metadata),
        ("AVIF, transparent", transparent, "AVIF", {"subsampling": "4:4:4"}),
        ("AVIF, moving", bird, "AVIF", frames),
    ]
    return {name: encode(image.copy(), kind, **options) for name, image, kind, options in made}


def flip_bits(data: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    """Flip 1 to 64 bits, in half of the cases near the beginning."""
    damaged = bytearray(data)
    reach = len(data) if random.random() < 0.5 else min(len(data), 600)
    for _ in range(int(2 ** random.uniform(0, 6))):
        damaged[random.integers(reach)] ^= 1 << int(random.integers(8))
    return bytes(damaged)


def set_bytes(data: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    """Overwrite a range of bytes with noise, zeros or ones."""
    start = int(random.integers(len(data)))
    length = int(2 ** random.uniform(0, 9))
    filler = (random.bytes(length), bytes(length), b"\xff" * length)[random.integers(3)]
    return data[:start] + filler + data[start + length :]


def truncate(data: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    """Truncate a file."""
    return data[: int(random.integers(len(data)))]


def edit_length(data: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    """Write a boundary value somewhere, as two or four bytes in either byte order."""
    size, order = (2, 4)[random.integers(2)], ("<", ">")[random.integers(2)]
    start = int(random.integers(max(1, min(len(data), 1500) - size)))
    value = _BOUNDARY_VALUES[random.integers(len(_BOUNDARY_VALUES))] % 256**size
    packed = struct.pack(order + ("H" if size == 2 else "I"), value)
    return data[:start] + packed + data[start + size :]


def edit_size(data: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    """Change the width or height in the header; if there is none, do as `edit_length`."""
    fields = find_size_fields(data)
    if not fields:
        return edit_length(data, random, ())
    damaged = bytearray(data)
    for start, code in fields if random.random() < 0.5 else fields[:1]:
        limit = 256 ** struct.calcsize(code)
        if start + struct.calcsize(code) > len(damaged):
            continue
        struct.pack_into(code, damaged, start, _SIDES[random.integers(len(_SIDES))] % limit)
    return fix_checksums(bytes(damaged))


def find_size_fields(data: bytes) -> list[tuple[int, str]]:
    """Find the fields of width and height in a file: offsets, and formats for `struct`."""
    if data.startswith(_PNG):
        return [(16, ">I"), (20, ">I")]
    if data.startswith(b"\xff\xd8"):
        marks = (data.find(bytes((0xFF, kind, 0))) for kind in (0xC0, 0xC1, 0xC2))
        return [(at + shift, ">H") for at in marks if at > 0 for shift in (5, 7)]
    if data.startswith(b"II*\0"):
        start = int.from_bytes(data[4:8], "little")
        count = int.from_bytes(data[start : start + 2], "little")
        entries = (start + 2 + 12 * n for n in range(count))
        wanted = {256: "<H", 257: "<H", 258: "<H", 277: "<H", 278: "<I", 279: "<I"}
        tags = ((at, int.from_bytes(data[at : at + 2], "little")) for at in entries)
        return [(at + 8, wanted[tag]) for at, tag in tags if tag in wanted]
    at = data.find(b"ispe")
    if at > 0:
        return [(at + 8, ">I"), (at + 12, ">I")]
    at = data.find(b"VP8X")
    if at > 0:
        return [(at + 12, "<H"), (at + 15, "<H")]
    return [(26, "<H"), (28, "<H")] if data[12:15] == b"VP8" else []


def list_png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """List the complete chunks of a PNG file as names and bodies."""
    chunks, place = [], len(_PNG)
    while data.startswith(_PNG) and place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        chunks.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + length]))
        place += 12 + length
    return chunks


def fix_checksums(data: bytes) -> bytes:
    """Recompute the checksums of a PNG file, so that decoders accept the damaged chunks."""
    if not data.startswith(_PNG):
        return data
    return _PNG + b"".join(make_chunk(name, body) for name, body in list_png_chunks(data))


def flip_behind_checksums(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Flip bits in a chunk of a PNG, or in its decompressed rows, with valid checksums."""
    chunks = list_png_chunks(data)
    if not chunks:
        return flip_bits(data, random, others)
    at = int(random.integers(len(chunks)))
    name, body = chunks[at]
    try:
        rows = bytearray(zlib.decompress(body)) if name == b"IDAT" else bytearray(body)
    except zlib.error:
        rows = bytearray(body)
    for _ in range(int(random.integers(1, 9)) if rows else 0):
        rows[random.integers(len(rows))] ^= 1 << int(random.integers(8))
    chunks[at] = name, zlib.compress(bytes(rows)) if name == b"IDAT" else bytes(rows)
    return _PNG + b"".join(make_chunk(name, body) for name, body in chunks)


def move_chunks(data: bytes, random: Random, _: Sequence[bytes]) -> bytes:
    """Swap, repeat or delete chunks of a PNG, or ranges of bytes of another file."""
    if list_png_chunks(data):
        parts = [make_chunk(name, body) for name, body in list_png_chunks(data)]
        head = _PNG
    else:
        cuts = sorted({0, len(data), *random.integers(0, len(data), 5).tolist()})
        parts = [data[a:b] for a, b in itertools.pairwise(cuts)]
        head = b""
    one, two = (int(n) for n in random.integers(len(parts), size=2))
    kind = random.integers(3)
    if kind == 0:
        parts[one], parts[two] = parts[two], parts[one]
    elif kind == 1:
        parts[one:one] = [parts[two]] * int(random.integers(1, 40))
    else:
        del parts[one]
    return head + b"".join(parts)


def splice(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Continue with the contents of another file from a random position on."""
    other = others[random.integers(len(others))]
    start = int(random.integers(len(data)))
    return data[:start] + other[int(random.integers(len(other))) if random.random() < 0.7 else 0 :]


def append_other(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Append an archive or a second picture, so that the file has several types (a polyglot)."""
    return append_archive(data) if random.random() < 0.5 else data + splice(data, random, others)


Mutation = Callable[[bytes, Random, Sequence[bytes]], bytes]
MUTATIONS: Mapping[str, Mutation] = {
    "bits flipped": flip_bits,
    "bytes set": set_bytes,
    "cut short": truncate,
    "lengths edited": edit_length,
    "sizes edited": edit_size,
    "bits behind checksums": flip_behind_checksums,
    "chunks moved": move_chunks,
    "two files spliced": splice,
    "polyglots": append_other,
}


def mutate(files: Mapping[str, bytes], seed: int, case: int) -> tuple[str, str, bytes]:
    """Apply one to three mutations to a file; deterministic for a seed and case.

    Returns
    -------
    str
        Name of the original file.
    str
        Name of the first mutation.
    bytes
        The damaged file, at most a megabyte.
    """
    random = np.random.default_rng([seed, case])
    name = list(files)[random.integers(len(files))]
    data, first = files[name], ""
    for _ in range(int(random.choice([1, 2, 3], p=[0.6, 0.25, 0.15]))):
        mutation = list(MUTATIONS)[random.integers(len(MUTATIONS))]
        first = first or mutation
        data = MUTATIONS[mutation](data or b"\0", random, list(files.values()))[:_MAX_BYTES]
    return name, first, data
