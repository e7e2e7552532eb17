"""Removing stale caches, temporary files and invalid locks."""

from collections.abc import Generator, Iterable
from pathlib import Path

from explorer.config import Progress
from explorer.doctor.findings import Finding
from explorer.doctor.leftovers import is_temporary
from explorer.storage.reading import explain_os_error, is_inside
from explorer.storage.writing import remove
from explorer.workspace.layout import FEATURES_FOLDER, MAPS_FOLDER, MODULES_FOLDER

_STAGE = "Repairing"


def repair(
    workspace: Path, findings: Iterable[Finding]
) -> Generator[Progress, None, tuple[str, ...]]:
    """Remove the paths of repairable findings, and return a sentence about each.

    Modules, notes, measures, results, settings, networks and photos are never removed, even if a
    finding is marked as repairable.

    Parameters
    ----------
    workspace : Path
        The workspace's folder.
    findings : iterable of Finding
        From `explorer.doctor.examine.examine`, of the same workspace.

    Yields
    ------
    Progress
        One per finding.
    """
    wanted = [finding.path for finding in findings if finding.is_repairable]
    done = []
    for number, path in enumerate(wanted, start=1):
        done.append(_remove(workspace, path))
        yield Progress(_STAGE, number, len(wanted))
    return tuple(done)


def _remove(workspace: Path, path: Path) -> str:
    if not is_safe_to_remove(workspace, path):
        return f"Not removed: {path} is not a cache, temporary file or lock."
    try:
        remove(path)
    except OSError as error:
        return f"Not removed: {path} ({explain_os_error(error)})."
    return f"Removed: {path}."


def is_safe_to_remove(workspace: Path, path: Path) -> bool:
    """Return whether a path is that of a cache, a temporary file or an invalid lock."""
    if not is_inside(path.parent, workspace) or ".." in path.parts:
        return False
    is_features = path.parent == workspace.resolve() / FEATURES_FOLDER
    is_of_module = path.is_relative_to(workspace.resolve() / MODULES_FOLDER)
    is_maps = path.parent.name == MAPS_FOLDER and path.name.endswith((".npy", ".npy.tmp"))
    is_lock = path.is_symlink() and path.name == ".lock"
    return is_features or (is_of_module and is_maps) or is_lock or is_temporary(path)
