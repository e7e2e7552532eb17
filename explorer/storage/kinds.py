"""What a file is, by its first bytes, for messages about files of another kind than expected."""

START_BYTES = 1024
"""How many bytes of a file are enough to name its kind."""

_BRAND = 4  # where a file of the MP4 family names its kind

_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"GIF8", "a GIF picture"),
    (0, b"BM", "a BMP picture"),
    (0, b"\0\0\1\0", "an icon"),
    (0, b"8BPS", "a Photoshop file"),
    (0, b"II*\0", "a TIFF picture"),
    (0, b"MM\0*", "a TIFF picture"),
    (_BRAND, b"ftypheic", "a HEIC picture"),
    (_BRAND, b"ftypheix", "a HEIC picture"),
    (_BRAND, b"ftypmif1", "a HEIC picture"),
    (_BRAND, b"ftypavif", "an AVIF picture"),
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (0, b"FUJIFILMCCD-RAW", "a raw file of a camera"),
    (0, b"IIU\0", "a raw file of a camera"),
    (0, b"IIRO", "a raw file of a camera"),
    (_BRAND, b"ftypcrx", "a raw file of a camera"),
    (_BRAND, b"ftypqt", "a video"),
    (_BRAND, b"ftypmp4", "a video"),
    (_BRAND, b"ftypiso", "a video"),
    (_BRAND, b"ftyp3gp", "a video"),
    (_BRAND, b"ftypM4V", "a video"),
    (8, b"AVI ", "a video"),
    (0, b"\x1a\x45\xdf\xa3", "a video"),
    (0, b"\0\5\x16\7", "an AppleDouble file, in which macOS keeps notes on another file"),
    (0, b"%PDF", "a PDF document"),
    (0, b"%!PS", "a PostScript document"),
    (0, b"PK\3\4", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!", "a RAR archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"version https://git-lfs", "a pointer of Git LFS, which `git lfs pull` replaces"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"GGUF", "a GGUF file"),
)


def name_kind(start: bytes) -> str:
    """Name the kind of a file that begins with `start`, such as ``"a GIF picture"``.

    Parameters
    ----------
    start : bytes
        The first `START_BYTES` bytes, or all.

    Returns
    -------
    str
        With an article; empty for kinds that are not known.
    """
    if not start:
        return "an empty file"
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in text:
        return "an SVG drawing"
    if text.startswith((b"<!doctype html", b"<html")):
        return "an HTML page, perhaps of a server that refused the download"
    return next(
        (kind for offset, mark, kind in _SIGNATURES if start.startswith(mark, offset)),
        "",
    )
