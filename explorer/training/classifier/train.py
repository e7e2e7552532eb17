"""Training the classifier of a workspace."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from explorer.config import Steps
from explorer.storage.writing import refuse_if_public, remove
from explorer.training.classifier.finetune import finetune
from explorer.training.classifier.settings import FinetuneSettings
from explorer.workspace.identical import record_identical
from explorer.workspace.layout import (
    FINETUNING_FILE,
    WorkspaceError,
    list_unfinished_finetuning,
)
from explorer.workspace.workspace import Workspace


def train_classifier(
    workspace: Workspace,
    settings: FinetuneSettings,
    *,
    force: bool = False,
    restart: bool = False,
) -> Steps[Mapping[str, Any]]:
    """Train and store the classifier of a workspace; return its report.

    An interrupted run is continued after its last finished epoch, unless `restart` discards it.

    Raises
    ------
    WorkspaceError
        When there is already a classifier and `force` is not set, since its modules would become
        useless.
    PublicError
        On a public server.
    """
    refuse_if_public()
    if workspace.settings.classifier_sha256 and not force:
        raise WorkspaceError(
            f"{workspace.path} already has a classifier, and modules that explain it would not "
            "fit another. Create a new workspace, or replace the classifier with --force."
        )
    workspace.require_photos()
    own, snapshot = workspace.settings, workspace.path / FINETUNING_FILE
    settings = replace(settings, architecture=own.architecture, half=own.half)
    if restart:
        _remove_run(workspace)
    if not list_unfinished_finetuning(workspace.path):
        yield from record_identical(workspace)
    networks = workspace.networks
    backbone, report = yield from finetune(
        workspace.dataset, workspace.held_out, settings, networks.device, snapshot
    )
    networks.install_classifier(replace(backbone, z_layer=own.z_layer), report)
    _remove_run(workspace)
    return report


def _remove_run(workspace: Workspace) -> None:
    for path in list_unfinished_finetuning(workspace.path):
        remove(path)
