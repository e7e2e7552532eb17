"""Training the classifier of a workspace."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from explorer.config import Steps
from explorer.storage.writing import refuse_if_public, remove
from explorer.training.classifier.finetune import finetune
from explorer.training.classifier.settings import FinetuneSettings
from explorer.workspace.layout import FINETUNING_FILE, WorkspaceError
from explorer.workspace.workspace import Workspace


def train_classifier(
    workspace: Workspace,
    settings: FinetuneSettings,
    *,
    force: bool = False,
    restart: bool = False,
) -> Steps[Mapping[str, Any]]:
    """Train the classifier of a workspace and store it; return its report.

    A run that was interrupted goes on after its last whole epoch, unless `restart` drops it.

    Raises
    ------
    WorkspaceError
        When there is a classifier already, whose modules would be worthless without it, and
        `force` does not say to replace it.
    PublicError
        On a public server.
    """
    refuse_if_public()
    if workspace.settings.classifier_sha256 and not force:
        raise WorkspaceError(
            f"{workspace.path} has a classifier already, and modules that explain it would no "
            "longer fit another. Make a new workspace, or replace it with --force."
        )
    own, snapshot = workspace.settings, workspace.path / FINETUNING_FILE
    settings = replace(settings, architecture=own.architecture, half=own.half)
    if restart:
        remove(snapshot)
    networks = workspace.networks
    backbone, report = yield from finetune(
        workspace.dataset, workspace.held_out, settings, networks.device, snapshot
    )
    networks.install_classifier(replace(backbone, z_layer=own.z_layer), report)
    remove(snapshot)
    return report
