"""Checks of what lies about: temporary files, links that lead out, pipes, and dead locks."""

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
# One of about now may be being written by another process; clocks may have been set back since.
_LEFT_SECONDS = 600.0


def examine_leftovers(workspace: Workspace, findings: list[Finding]) -> None:
    """Look through all files of a workspace, but not through its data set."""
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
                problem = "A folder stands in the place of a lock."
                findings.append(Finding(Severity.ERROR, path, problem, "Move it away."))
        elif not stat.S_ISREG(status.st_mode):
            problem = "It is a pipe, socket or device, which is never read."
            findings.append(Finding(Severity.ERROR, path, problem, "Remove it."))
        elif is_temporary(path) and abs(now - status.st_mtime) > _LEFT_SECONDS:
            problem = "A write was ended before it was whole, and left this temporary file."
            findings.append(Finding(Severity.WARNING, path, problem, "", is_repairable=True))


def is_temporary(path: Path) -> bool:
    """Tell whether a file is named as one that a write renames in the end."""
    return _TEMPORARY.fullmatch(path.name) is not None


def _list_all(folder: Path, left_out: Path) -> Iterator[Path]:
    """List what a folder holds, deeply, without following links."""
    for parent, folders, files in os.walk(folder):
        here = Path(parent)
        # What is half computed there is spoken of with the features themselves.
        folders[:] = sorted(n for n in folders if here / n != left_out)
        yield from (here / name for name in folders)
        is_cache = here.parent.name == FEATURES_FOLDER and here.name.startswith(".")
        yield from (here / name for name in sorted(files) if not is_cache)


def _examine_link(workspace: Workspace, path: Path, findings: list[Finding]) -> None:
    is_lock = path.name == _LOCK_NAME
    if is_lock:
        problem = "A link stands in the place of a lock."
    elif is_inside(path, workspace.path):
        if path.exists():
            return
        problem = "It is a link that leads nowhere."
    else:
        problem = f"It is a link out of the workspace, to {os.path.realpath(path)}."
    cure = "" if is_lock else "Put the file or folder itself in its place, or remove the link."
    findings.append(Finding(Severity.ERROR, path, problem, cure, is_repairable=is_lock))
