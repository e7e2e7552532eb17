import os
from pathlib import Path

from photos import encode
from PIL import Image

from explorer.data.uploads.decoding import UPLOAD_FORMATS
from explorer.data.uploads.folders import list_photos

PICTURE = Image.new("RGB", (40, 40))


def list_names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in list_photos(folder)]


def test_photos_are_found_by_their_content(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for kind in UPLOAD_FORMATS:
        (tmp_path / "deep" / kind).write_bytes(encode(PICTURE, kind))
    (tmp_path / "twitter.jpg_large").write_bytes(encode(PICTURE, "JPEG"))
    (tmp_path / "IMG_1.HIF").write_bytes(encode(PICTURE, "HEIF"))
    (tmp_path / "scan.TIF").write_bytes(encode(PICTURE, "TIFF"))
    # The raw files of cameras are TIFFs, mostly with a JPEG beside them.
    (tmp_path / "IMG_2.NEF").write_bytes(encode(PICTURE, "TIFF"))
    (tmp_path / "notes.txt").write_bytes(b"seen at the lake")
    (tmp_path / "moving").write_bytes(encode(PICTURE, "GIF"))
    by_content = [f"deep/{kind}" for kind in sorted(UPLOAD_FORMATS) if kind != "TIFF"]
    assert list_names(tmp_path) == ["IMG_1.HIF", *by_content, "scan.TIF", "twitter.jpg_large"]


def test_files_named_like_photos_count_but_not_those_that_macos_adds(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"<html>403 Forbidden</html>")
    (tmp_path / "._robin.jpg").write_bytes(b"\0\5\x16\7" + bytes(40))
    (tmp_path / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    assert list_names(tmp_path) == ["broken.jpg"]


def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert list_names(tmp_path) == []
