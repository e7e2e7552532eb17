"""Which of the user's folders hold the photos of a workspace."""

from collections.abc import Mapping
from pathlib import Path

from explorer.data.photo_folders import (
    list_refused_folders,
    use_photos_of,
)
from explorer.workspace.files import WorkspaceFiles


def check_photos(files: WorkspaceFiles, folder: Path) -> None:
    """Raise `DatasetError` if a CUB folder does not hold the photos of a workspace."""
    use_photos_of(files.dataset, folder)


def list_refused(files: WorkspaceFiles) -> Mapping[Path, str]:
    """Return the folders that were looked at in vain although they exist, with the reasons."""
    if files.dataset.has_photos:
        return {}
    return list_refused_folders(files.dataset)
