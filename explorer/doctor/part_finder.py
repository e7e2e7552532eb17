"""Checks of what finds parts on photos."""

import os

from explorer.config import ExplorerError
from explorer.doctor.findings import Finding, Severity
from explorer.workspace.layout import PARTS_FILE, PARTS_FOLDER
from explorer.workspace.workspace import Workspace


def examine_part_finder(
    workspace: Workspace, findings: list[Finding], *, has_network: bool
) -> None:
    """Check the part finder, and report a training of it that has not been finished."""
    file, folder = workspace.path / PARTS_FILE, workspace.path / PARTS_FOLDER
    if os.path.lexists(folder):
        problem = "The training of a part finder has not been finished."
        cure = "Run `parts` to continue it, or remove the folder."
        findings.append(Finding(Severity.NOTE, folder, problem, cure))
    if not has_network:
        return
    try:
        workspace.networks.load_part_finder()
    except ExplorerError as error:
        findings.append(Finding(Severity.ERROR, file, str(error)))
