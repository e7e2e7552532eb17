"""The file ``workspace.json``, which makes a folder a workspace."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from explorer.data.cub_files import MAX_ID_DIGITS
from explorer.storage.json_records import convert_record, read_json, write_json
from explorer.workspace.layout import SETTINGS_FILE, WorkspaceError, check_inside

SCHEMA_VERSION = 1

_Group = tuple[Annotated[int, msgspec.Meta(ge=0, lt=10**MAX_ID_DIGITS)], ...]
_Groups = tuple[Annotated[_Group, msgspec.Meta(min_length=2)], ...]  # as in `data.identical`


@dataclass(frozen=True)
class WorkspaceSettings:
    """Contents of ``workspace.json``.

    Attributes
    ----------
    dataset : str
        CUB folder; a relative path is relative to the workspace.
    architecture : str
        Name of the classifier's architecture.
    z_layer : str
        Layer that the modules read; see `Backbone.z_layers`.
    held_out : str
        Which photos the classifier is not trained on; see `explorer.data.splits.get_held_out`.
    classifier_sha256 : str
        Hash of the classifier's weights; empty before there is one.
    half : bool
        Whether weights are rounded to half precision and stored as such.
    identical : tuple of tuple of int or None
        Ids of photos with identical files, which are on the same side of every split; None if they
        have not been looked for, as in workspaces of earlier versions, whose splits do not change.
    schema_version : int
        Version of this format.
    """

    dataset: str
    architecture: str = "vgg_small"
    z_layer: str = "fc6"
    held_out: str = "official"
    classifier_sha256: str = ""
    half: bool = False
    identical: _Groups | None = None
    schema_version: int = SCHEMA_VERSION

    def locate_dataset(self, workspace: Path) -> Path:
        """Return the CUB folder as an absolute path with links resolved; it may not exist."""
        # Path.resolve would raise for circular links.
        return Path(os.path.realpath(workspace / self.dataset))


def save_settings(workspace: Path, settings: WorkspaceSettings) -> None:
    """Write ``workspace.json``."""
    write_json(workspace / SETTINGS_FILE, asdict(settings))


def load_settings(workspace: Path) -> WorkspaceSettings:
    """Read ``workspace.json``.

    Raises
    ------
    FileError
        When the file cannot be read or is not a JSON object.
    WorkspaceError
        When the file is missing, has invalid contents, or was written by a newer version.
    """
    file = workspace / SETTINGS_FILE
    check_inside(workspace, file)
    if not file.exists():
        raise WorkspaceError(
            f"{workspace} is not a workspace: it has no {SETTINGS_FILE}. Create one with "
            "`python -m explorer new`."
        )
    content = read_json(file)
    version = content.get("schema_version")
    if type(version) is not int or version < 1:
        raise WorkspaceError(f"{file} is damaged: it has no valid schema_version.")
    if version > SCHEMA_VERSION:
        raise WorkspaceError(
            f"{file} was written in format {version}; this version reads up to "
            f"{SCHEMA_VERSION}. Update the explorer."
        )
    try:
        settings = convert_record(content, WorkspaceSettings, allow_unknown=False)
    except ValueError as error:
        raise WorkspaceError(f"{file} is damaged: {error}.") from error
    if not settings.dataset.isprintable():
        raise WorkspaceError(f"{file} is damaged: its 'dataset' is not a valid folder name.")
    return settings
