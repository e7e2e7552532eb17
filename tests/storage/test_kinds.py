import pytest

from explorer.storage.kinds import name_kind


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"GIF89a", "a GIF picture"),
        (b"\xef\xbb\xbf  <!doctype HTML>", "an HTML page, perhaps of a server that refused"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:", "a pointer of Git LFS"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (bytes(257) + b"ustar\x0000", "a tar archive"),
        (b"RIFF\0\0\0\0AVI LIST", "a video"),
        (b"II*\0\x08\0\0\0", "a TIFF picture"),
        (b"\0\0\0\x18ftypheic", "a HEIC picture"),
        (b"", "an empty file"),
        (b"some words", ""),
    ],
)
def test_files_are_known_by_their_first_bytes(start: bytes, kind: str) -> None:
    found = name_kind(start)
    assert found.startswith(kind)
    assert bool(found) == bool(kind)
