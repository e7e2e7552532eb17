"""All checks of a workspace."""

import os
from collections.abc import Generator
from pathlib import Path

from explorer.config import ExplorerError, Progress
from explorer.doctor.caches import examine_features, examine_maps
from explorer.doctor.findings import Finding, Severity
from explorer.doctor.identical import examine_identical
from explorer.doctor.leftovers import examine_leftovers
from explorer.doctor.modules import examine_module, examine_module_folders
from explorer.doctor.part_finder import examine_part_finder
from explorer.doctor.photos import examine_data_set, examine_photos
from explorer.doctor.records import (
    examine_accuracy,
    examine_jobs,
    examine_references,
    examine_results,
)
from explorer.workspace.layout import (
    CLASSIFIER_FILE,
    MODULES_FOLDER,
    SETTINGS_FILE,
    list_module_entries,
    list_unfinished_finetuning,
)
from explorer.workspace.workspace import Workspace

_CLASSIFIER = "Checking the network"
_MODULES = "Checking modules"
_LEFTOVERS = "Looking for leftovers"


def examine(
    path: Path, *, decode_photos: bool = False
) -> Generator[Progress, None, tuple[Finding, ...]]:
    """Check the contents of a workspace, without changing anything.

    Parameters
    ----------
    path : Path
        The workspace's folder.
    decode_photos : bool
        Whether to decode every photo, which takes about a minute for ten thousand photos.
        Otherwise only the headers of their files are read.

    Yields
    ------
    Progress
        In several stages.

    Returns
    -------
    tuple of Finding
        Causes before their consequences; empty if there is nothing to report.
    """
    yield Progress(_CLASSIFIER, 0, 1)
    try:
        workspace = Workspace(path)
    except ExplorerError as error:
        return (Finding(Severity.ERROR, path / SETTINGS_FILE, str(error)),)
    findings: list[Finding] = []
    has_data_set = not examine_data_set(workspace, findings)
    has_network = has_data_set and examine_classifier(workspace, findings)
    yield Progress(_CLASSIFIER, 1, 1)
    if has_data_set:
        yield from examine_photos(workspace, findings, decode=decode_photos)
        yield from examine_identical(workspace, findings)
        examine_module_folders(workspace, findings)
        entries = list_module_entries(workspace.path)
        for done, entry in enumerate(entries, start=1):
            is_usable = examine_module(workspace, entry, findings, has_network=has_network)
            examine_maps(workspace, entry, findings, is_usable=is_usable)
            yield Progress(_MODULES, done, len(entries))
        examine_part_finder(workspace, findings, has_network=has_network)
        examine_accuracy(workspace, findings)
        examine_references(workspace, findings)
        examine_results(workspace, findings)
        yield from examine_features(workspace, findings, has_network=has_network)
    yield Progress(_LEFTOVERS, 0, 1)
    examine_leftovers(workspace, findings)
    examine_jobs(workspace, findings)
    yield Progress(_LEFTOVERS, 1, 1)
    return tuple(findings)


def examine_classifier(workspace: Workspace, findings: list[Finding]) -> bool:
    """Check the network, its hash and its categories; return whether it can be used."""
    path = workspace.path / CLASSIFIER_FILE
    if unfinished := list_unfinished_finetuning(workspace.path):
        findings.append(
            Finding(
                Severity.NOTE,
                unfinished[0],
                "A fine-tuning has not been finished.",
                "Run `finetune` with the same options to continue it, or with --restart.",
            )
        )
    if not workspace.settings.classifier_sha256 and not os.path.lexists(path):
        has_modules = (workspace.path / MODULES_FOLDER).is_dir()
        findings.append(
            Finding(
                Severity.WARNING if has_modules else Severity.NOTE,
                path,
                "There is no classifier yet.",
                "Train one with `finetune`.",
            )
        )
        return False
    try:
        _ = workspace.networks.backbone
    except ExplorerError as error:
        findings.append(Finding(Severity.ERROR, path, str(error)))
        return False
    return True
