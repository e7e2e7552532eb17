"""JPEG files as sequences of segments, for what Pillow does not tell of them."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

MAX_SCANS: Final = 64
"""Maximum number of scans of a progressive JPEG. Cameras and programs write at most a dozen."""

_START = b"\xff\xd8"
_END = b"\xff\xd9"
_FILLING = bytes(32)  # in a file that was recovered or only half copied
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_STARTS_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_COEFFICIENTS = frozenset(range(64))

# A JPEG marker, without fill bytes, escaped pixel values and restart markers.
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]", re.DOTALL)
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")

# Where pixels are missing, decoders read zeros; this begins with a one and means something else.
_NOISE = b"\xb6\xdb\x6d\x2c" * 100


def list_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """List the segments of a JPEG: marker and content; the last is the end marker, if there is one.

    The pixels, which follow the header of a scan without a length, are skipped.
    """
    offset = 2
    while found := _MARKER.search(data, offset):
        kind, offset = found[0][1], found.end()
        if kind == _END_OF_IMAGE:
            yield kind, b""
            return
        size = max(2, int.from_bytes(data[offset : offset + 2], "big"))
        yield kind, data[offset + 2 : offset + size]
        offset += size


def has_too_many_scans(data: bytes) -> bool:
    """Return whether a JPEG has more than `MAX_SCANS` scans, each of which decodes all pixels."""
    scans = (kind for kind, _ in list_segments(data) if kind == _START_OF_SCAN)
    return next(islice(scans, MAX_SCANS, None), None) is not None


def lacks_end(data: bytes) -> bool:
    """Return whether a file is a JPEG without its end marker."""
    return data.startswith(_START) and all(kind != _END_OF_IMAGE for kind, _ in list_segments(data))


def has_every_scan(data: bytes) -> bool:
    """Return whether the scans of a JPEG contain all coefficients of all components, to the bit."""
    missing: dict[int, frozenset[int]] = {}
    for kind, content in list_segments(data):
        if kind in _STARTS_OF_FRAME:
            missing = dict.fromkeys(content[6::3], _COEFFICIENTS)
        elif kind == _START_OF_SCAN and content:
            listed = content[1 : 1 + 2 * content[0] : 2]
            first, last, bits = content[1 + 2 * content[0] : 4 + 2 * content[0]]
            if bits % 16 == 0:  # of the approximation; later scans would add the last bits
                seen = frozenset(range(first, last + 1))
                missing |= {component: missing[component] - seen for component in listed}
    return bool(missing) and not any(missing.values())


def close_twice(data: bytes) -> tuple[bytes, bytes]:
    """Complete a JPEG without an end marker in two ways.

    Both are the same picture if all of it is there, as decoders ignore what follows the last pixel.
    Otherwise, noise appears in one of them where pixels are missing.
    """
    whole = data.rstrip(b"\xff")  # half a marker
    if whole.endswith(_FILLING):
        whole = whole.rstrip(b"\0")
    return whole + _END, whole + _NOISE + _make_restart(whole) + _NOISE + _END


def _make_restart(data: bytes) -> bytes:
    """Make the restart marker that a decoder would skip to after the last part of a scan."""
    scan = data[data.rfind(bytes((0xFF, _START_OF_SCAN))) :]
    number = len(_RESTART.findall(scan)) % 8
    return bytes((0xFF, 0xD0 + number))
