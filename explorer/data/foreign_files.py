"""What a file is that should be a photo and is not, judged by its first bytes."""

import re

from PIL import Image

START_BYTES = 64
"""How many bytes of a file are needed."""

# A damaged data set holds these as often as pictures of another format.
_NO_PICTURES = {
    rb"\x00\x05\x16\x07": "a file that macOS keeps beside another (AppleDouble)",
    rb"version https://git-lfs": "a pointer of Git LFS to the photo, which was not fetched",
    rb"\s*<(!doctype html|html)": "a web page",
    rb".{4}ftyp(heic|heix|mif1)": "a HEIC picture",
}
# Pillow knows more formats, but recognises some of them by a single byte.
_PICTURES = ("GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PSD", "ICO")


def describe_foreign_file(start: bytes) -> str:
    """Say what a file is by its first `START_BYTES` bytes; empty if this cannot be told."""
    if not start:
        return "an empty file"
    for pattern, kind in _NO_PICTURES.items():
        if re.match(pattern, start, re.IGNORECASE | re.DOTALL):
            return kind
    Image.init()
    for name in _PICTURES:
        accept = Image.OPEN[name][1] if name in Image.OPEN else None
        if accept and accept(start[:16]):
            return f"a picture in the format {name}"
    return ""
