"""Checks for leftovers: temporary files, links out of the workspace, pipes and invalid locks."""

import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from explorer.doctor.findings import Finding, Severity
from explorer.storage.reading import is_inside
from explorer.workspace.layout import FEATURES_FOLDER
from explorer.workspace.workspace import Workspace

_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}\.tmp")  # as `explorer.storage.writing` names them
_LOCK_NAME = ".lock"
# A recent temporary file may still be in use by another process.
_MIN_AGE_SECONDS = 600.0


def examine_leftovers(workspace: Workspace, findings: list[Finding]) -> None:
    """Check all files of a workspace, except for its data set."""
    now = time.time()
    for path in _list_all(workspace.path, workspace.settings.locate_dataset(workspace.path)):
        try:
            status = path.lstat()
        except OSError:
            continue
        if stat.S_ISLNK(status.st_mode):
            _examine_link(workspace, path, findings)
        elif stat.S_ISDIR(status.st_mode):
            if path.name == _LOCK_NAME:
                problem = "It is a folder where a lock file should be."
                findings.append(Finding(Severity.ERROR, path, problem, "Move it away."))
        elif not stat.S_ISREG(status.st_mode):
            problem = "It is a pipe, socket or device, which is never read."
            findings.append(Finding(Severity.ERROR, path, problem, "Remove it."))
        # The absolute value, because the clock may have been set back since.
        elif is_temporary(path) and abs(now - status.st_mtime) > _MIN_AGE_SECONDS:
            problem = "It is a temporary file of a write that was interrupted."
            findings.append(Finding(Severity.WARNING, path, problem, "", is_repairable=True))


def is_temporary(path: Path) -> bool:
    """Return whether a file has the name of a temporary file."""
    return _TEMPORARY.fullmatch(path.name) is not None


def _list_all(folder: Path, excluded: Path) -> Iterator[Path]:
    """List the contents of a folder recursively, without following links."""
    for parent, folders, files in os.walk(folder):
        here = Path(parent)
        # Incomplete caches of features are reported with the features.
        folders[:] = sorted(n for n in folders if here / n != excluded)
        yield from (here / name for name in folders)
        is_cache = here.parent.name == FEATURES_FOLDER and here.name.startswith(".")
        yield from (here / name for name in sorted(files) if not is_cache)


def _examine_link(workspace: Workspace, path: Path, findings: list[Finding]) -> None:
    is_lock = path.name == _LOCK_NAME
    if is_lock:
        problem = "It is a link where a lock file should be."
    elif is_inside(path, workspace.path):
        if path.exists():
            return
        problem = "It is a broken link."
    else:
        problem = f"It is a link out of the workspace, to {os.path.realpath(path)}."
    cure = "" if is_lock else "Replace it with the file or folder itself, or remove the link."
    findings.append(Finding(Severity.ERROR, path, problem, cure, is_repairable=is_lock))
