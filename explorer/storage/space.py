"""Free space on the disk, and sizes in words."""

import shutil
from pathlib import Path

from explorer.config import ExplorerError

_RESERVE = 50_000_000  # bytes of the disk that are not used


def check_free_space(folder: Path, needed: int, purpose: str) -> None:
    """Raise `ExplorerError` if the disk of `folder` does not have `needed` bytes free."""
    place = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    free = shutil.disk_usage(place).free
    if free < needed + _RESERVE:
        raise ExplorerError(
            f"{purpose} needs {format_size(needed + _RESERVE)} on the disk of {folder}, which has "
            f"{format_size(free)} free. Free some space, or name a folder on another disk."
        )


def format_size(size: int) -> str:
    """Format a size in bytes, as in ``"1.2 GB"``."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
