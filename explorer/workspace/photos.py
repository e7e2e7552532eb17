"""Where the photos of a workspace are found, and telling the explorer where they are."""

from collections.abc import Mapping
from pathlib import Path

from explorer.data.photo_folders import (
    list_refused_folders,
    remember_photo_folder,
    use_photos_of,
)
from explorer.workspace.files import WorkspaceFiles


def find_photos(files: WorkspaceFiles) -> Path | None:
    """Return the CUB folder that the photos of a workspace are in; None if there are none."""
    return files.dataset.photos_root


def check_photos(files: WorkspaceFiles, folder: Path) -> None:
    """Raise `DatasetError` if a CUB folder does not hold the photos of a workspace."""
    use_photos_of(files.dataset, folder)


def remember_photos(folder: Path) -> None:
    """Remember the CUB folder of this user; workspaces that are opened from now on may use it.

    Raises
    ------
    PublicError
        On a public server.
    """
    remember_photo_folder(folder)


def list_refused(files: WorkspaceFiles) -> Mapping[Path, str]:
    """Return the folders that were looked at in vain although they exist, with the reasons."""
    if files.dataset.has_photos:
        return {}
    return list_refused_folders(files.dataset)
