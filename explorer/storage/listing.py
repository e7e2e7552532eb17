"""Listing folders without what operating systems and file managers leave in them."""

from pathlib import Path

_SYSTEM_FILES = frozenset(
    {
        *(".ds_store", ".localized", ".fseventsd", ".spotlight-v100", ".trashes", "icon\r"),
        *("__macosx", "thumbs.db", "desktop.ini", "@eadir"),
    }
)


def is_system_file(path: Path) -> bool:
    """Return whether a name is that of a file or folder that an operating system makes.

    macOS writes ``._NAME`` beside each file ``NAME`` on a disk that is not its own.
    """
    return path.name.startswith("._") or path.name.casefold() in _SYSTEM_FILES


def list_folder(folder: Path) -> list[Path]:
    """List the contents of a folder, sorted, without system files; empty if it is unreadable."""
    try:
        return sorted(path for path in folder.iterdir() if not is_system_file(path))
    except OSError:
        return []
