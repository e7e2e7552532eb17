"""Creating a workspace."""

from dataclasses import replace
from pathlib import Path

from explorer.config import Steps
from explorer.data.cub import CubDataset, load_cub
from explorer.data.cub_files import IMAGES
from explorer.data.identical import find_identical
from explorer.data.splits import get_held_out
from explorer.nn.backbones.backbone import check_z_layer
from explorer.nn.backbones.registry import get_architecture
from explorer.nn.foreign import load_foreign_backbone
from explorer.workspace.layout import SETTINGS_FILE, WorkspaceError
from explorer.workspace.settings import WorkspaceSettings, save_settings
from explorer.workspace.workspace import Workspace


def create_looked_through_workspace(
    path: Path, settings: WorkspaceSettings, weights: Path | None = None
) -> Steps[Workspace]:
    """Create a workspace as `create_workspace` does, after looking for identical photos.

    Yields
    ------
    Progress
        As from `find_identical`.
    """
    identical = yield from find_identical(_check(path, settings).present)
    return create_workspace(path, replace(settings, identical=identical), weights)


def create_workspace(
    path: Path, settings: WorkspaceSettings, weights: Path | None = None
) -> Workspace:
    """Create a workspace, with the classifier in `weights` if given.

    Parameters
    ----------
    path : Path
        Folder of the workspace. It must not have a ``workspace.json``.
    settings : WorkspaceSettings
        Checked against the data set before anything is written.
    weights : Path, optional
        The user's own network as safetensors or a ``.pth`` file of tensors. Output k is the k-th
        category of ``classes.txt``.

    Raises
    ------
    ExplorerError
        When the folder is already a workspace, or the settings or weights do not fit the data set.
    """
    dataset = _check(path, settings)
    imported = None
    if weights is not None:
        architecture = get_architecture(settings.architecture)
        imported = load_foreign_backbone(
            weights, architecture, dataset.categories, settings.z_layer, half=settings.half
        )
    save_settings(path, settings)
    workspace = Workspace(path)
    if imported is not None:
        workspace.networks.install_classifier(*imported)
    return workspace


def _check(path: Path, settings: WorkspaceSettings) -> CubDataset:
    """Return the data set of a workspace that can be created."""
    if (path / SETTINGS_FILE).exists():
        raise WorkspaceError(f"{path} is already a workspace. Choose another folder.")
    get_architecture(settings.architecture)
    check_z_layer(settings.architecture, settings.z_layer)
    dataset = load_cub(settings.locate_dataset(path))
    if not dataset.has_photos:
        raise WorkspaceError(
            f"{dataset.root} has no folder {IMAGES}: a new workspace needs photos. Name a complete "
            "CUB folder."
        )
    dataset = replace(dataset, identical=settings.identical or ())
    get_held_out(dataset, settings.held_out)
    return dataset
