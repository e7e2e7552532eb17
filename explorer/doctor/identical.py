"""Checks that photos with identical files are on the same side of every split."""

from collections.abc import Collection, Iterator

import numpy as np

from explorer.config import ExplorerError, Steps
from explorer.data.identical import Groups, describe_identical, find_identical, label_contents
from explorer.doctor.findings import Finding, Severity
from explorer.workspace.layout import list_module_entries
from explorer.workspace.workspace import Workspace

_NEW = "Create a new workspace, which keeps identical photos on one side of every split."
_TRAIN = "Train the module again."


def examine_identical(workspace: Workspace, findings: list[Finding]) -> Steps[None]:
    """Look for identical photos, and for splits that divide them."""
    dataset = workspace.dataset
    if not dataset.has_photos:
        return
    found = yield from find_identical(dataset.present)
    findings += [
        Finding(Severity.NOTE, dataset.root, sentence)
        for sentence in describe_identical(dataset.photos, found)
    ]
    if found:
        findings += _examine_held_out(workspace, found)
        findings += _examine_modules(workspace, found)


def _examine_held_out(workspace: Workspace, found: Groups) -> Iterator[Finding]:
    held_out = {photo.image_id for photo in workspace.held_out}
    known = {photo.image_id for photo in workspace.dataset.photos} - held_out
    if copies := _find_copies(held_out, known, found):
        problem = f"The network may have been trained on copies of {_describe(copies)}."
        yield Finding(Severity.ERROR, workspace.dataset.root, problem, _NEW)


def _examine_modules(workspace: Workspace, found: Groups) -> Iterator[Finding]:
    cure = _TRAIN if workspace.dataset.identical == found else _NEW
    for entry in list_module_entries(workspace.path):
        try:
            split = workspace.load_record(entry).split
        except ExplorerError:  # reported with the module
            continue
        if copies := _find_copies(split["test"], split["train"], found):
            problem = f"The module was trained on copies of {_describe(copies)}."
            yield Finding(Severity.ERROR, entry.path, problem, cure)


def _find_copies(tested: Collection[int], trained: Collection[int], found: Groups) -> list[int]:
    """Return the ids of the tested photos that are identical to a trained one."""
    contents = label_contents(tested, found)
    is_copy = np.isin(contents, label_contents(trained, found))
    return sorted(np.array(list(tested))[is_copy].tolist())


def _describe(copies: list[int]) -> str:
    photos = "1 test photo" if len(copies) == 1 else f"{len(copies):,} test photos"
    return f"{photos}, such as that with id {copies[0]}, so its test measures are too optimistic"
