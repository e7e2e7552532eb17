"""Finding photos in folders, whatever their names."""

from pathlib import Path

from PIL import Image

from explorer.data.uploads.decoding import UPLOAD_ENDINGS, UPLOAD_FORMATS
from explorer.storage.reading import open_regular

_MARK_BYTES = 16  # as many as Pillow passes to the readers of its formats
_HIDDEN = "."  # such as the ._ files of macOS, which have the names of photos

# Raw files of cameras begin like a TIFF, and mostly have a JPEG beside them.
_KNOWN_BY_CONTENT = tuple(name for name in UPLOAD_FORMATS if name != "TIFF")


def list_photos(folder: Path) -> list[Path]:
    """List the photos of a folder and its subfolders in the order of their names.

    Files count by their content, whatever their ending. Files with the ending of a photo and other
    content count too, so that the reader can say what is wrong with them.
    """
    return sorted(
        file
        for file in folder.rglob("*")
        if not file.name.startswith(_HIDDEN)
        and file.is_file()
        and (file.suffix.lower().removeprefix(".") in UPLOAD_ENDINGS or _begins_as_photo(file))
    )


def _begins_as_photo(file: Path) -> bool:
    try:
        with open_regular(file) as opened:
            start = opened.read(_MARK_BYTES)
    except OSError:
        return False
    Image.init()
    accepts = (Image.OPEN[name][1] for name in _KNOWN_BY_CONTENT)
    return any(accept is not None and accept(start) is True for accept in accepts)
