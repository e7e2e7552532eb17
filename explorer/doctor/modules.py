"""Checks of modules: their folders, files, splits, measures and notes."""

import os
from collections.abc import Sequence
from typing import Any

from explorer.config import ExplorerError
from explorer.doctor.findings import Finding, Severity
from explorer.measuring.records import ModuleMeasures, load_module_measures
from explorer.nn.records import ModuleRecord
from explorer.storage.listing import list_folder
from explorer.workspace.layout import METRICS_FILE, MODULE_FILE, MODULES_FOLDER, ModuleEntry
from explorer.workspace.notes import load_notes
from explorer.workspace.notes_file import NOTES_FILE, NotesError
from explorer.workspace.workspace import Workspace

_TRAIN = "Train the module again."
_MEASURE = "Measure it with `evaluate`."


def examine_module_folders(workspace: Workspace, findings: list[Finding]) -> None:
    """Report folders that do not contain a usable module."""
    known = set(workspace.dataset.categories)
    folder = workspace.path / MODULES_FOLDER
    for category in (path for path in list_folder(folder) if path.is_dir()):
        if category.name not in known:
            findings.append(
                Finding(
                    Severity.WARNING,
                    category,
                    "The data set has no category of this name, so its modules are not used.",
                    "Rename the folder to a category in classes.txt, or move it away.",
                )
            )
        for run in list_folder(category):
            if run.is_dir() and not os.path.lexists(run / MODULE_FILE):
                kept = [name for name in (METRICS_FILE, NOTES_FILE) if (run / name).exists()]
                also = f"; {' and '.join(kept)} belong to it" if kept else ""
                findings.append(
                    Finding(
                        Severity.WARNING,
                        run,
                        f"There is no {MODULE_FILE} in this folder{also}.",
                        f"Restore the file. {_TRAIN}",
                    )
                )


def examine_module(
    workspace: Workspace, entry: ModuleEntry, findings: list[Finding], *, has_network: bool
) -> bool:
    """Check a module, its measures and its notes; return whether it can be used."""
    try:
        record = workspace.load_record(entry)
        if has_network:
            workspace.networks.load_module(entry)
    except ExplorerError as error:
        findings.append(Finding(Severity.ERROR, entry.path, str(error)))
        return False
    if entry.category not in workspace.dataset.categories:
        return False
    for problem in find_split_problems(workspace, record):
        findings.append(Finding(Severity.ERROR, entry.path, problem, _TRAIN))
    _examine_measures(workspace, entry, record, findings)
    _examine_notes(entry, findings)
    return True


def find_split_problems(workspace: Workspace, record: ModuleRecord) -> list[str]:
    """Describe the problems of the photos that a module was trained and tested on."""
    dataset = workspace.dataset
    own = {photo.image_id for photo in dataset.photos_of(record.category)}
    known = {photo.image_id for photo in dataset.photos}
    held_out = {photo.image_id for photo in workspace.held_out}
    train, test = (set(record.split[side]) for side in ("train", "test"))
    problems = []
    unknown = (train | test) - known
    if unknown:
        problems.append(
            f"Its split has {_count(unknown)} that the data set does not have, such as "
            f"{min(unknown)}."
        )
    for side, ids in (("train", train), ("test", test)):
        if ids.isdisjoint(own):
            problems.append(f"Its split has no photo of its own category to {side} with.")
    seen = (test & known) - held_out
    if seen:
        problems.append(
            f"The network was trained on {_count(seen)} of its test photos, such as {min(seen)}, "
            "so its test measures are too optimistic."
        )
    return problems


def _count(ids: set[int]) -> str:
    return "1 photo" if len(ids) == 1 else f"{len(ids)} photos"


def _examine_measures(
    workspace: Workspace, entry: ModuleEntry, record: ModuleRecord, findings: list[Finding]
) -> None:
    path = entry.metrics_path
    try:
        measures = load_module_measures(workspace, entry)
    except ExplorerError as error:
        findings.append(Finding(Severity.ERROR, path, str(error)))
        return
    if measures is None and not os.path.lexists(path):
        problem = "The module has not been measured."
        findings.append(Finding(Severity.NOTE, path, problem, _MEASURE))
    elif measures is None:
        problem = "These measures belong to another network or an earlier module and are not used."
        findings.append(Finding(Severity.WARNING, path, problem, _MEASURE))
    elif _belong_to_another(measures, record, workspace):
        problem = "These measures do not belong to the module, which has been retrained since."
        findings.append(Finding(Severity.ERROR, path, problem, _MEASURE))


def _belong_to_another(
    measures: ModuleMeasures, record: ModuleRecord, workspace: Workspace
) -> bool:
    """Return whether the numbers of photos or x-features differ from those of a module."""
    own = {photo.image_id for photo in workspace.dataset.photos_of(record.category)}
    counted: list[tuple[int, Any]] = [
        (found.count, _count_among(record.split[side], among))
        for side, measured in (("train", measures.train), ("test", measures.test))
        for found, among in ((measured.faithfulness, None), (measured.positives, own))
    ]
    counted.append((len(measures.live), record.settings.get("x_features")))
    return any(found != expected for found, expected in counted)


def _count_among(ids: Sequence[int], among: set[int] | None) -> int:
    return len(ids) if among is None else len(among.intersection(ids))


def _examine_notes(entry: ModuleEntry, findings: list[Finding]) -> None:
    path = entry.path.with_name(NOTES_FILE)
    try:
        notes = load_notes(entry)
    except NotesError as error:
        findings.append(Finding(Severity.ERROR, path, str(error)))
        return
    if notes.earlier and not notes.current:
        problem = "Its notes belong to an earlier module and are shown as such."
        findings.append(Finding(Severity.NOTE, path, problem))
