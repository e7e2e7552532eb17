"""Checks of caches: Z and logits of all photos, and the maps of each module."""

import zlib
from collections.abc import Generator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from explorer.attribution.engine import PRECISIONS
from explorer.config import ExplorerError, Progress
from explorer.doctor.findings import Finding, Severity
from explorer.maps.cache import compute_key, count_current
from explorer.storage.locks import is_held
from explorer.workspace.features_cache import (
    LOCK_FILE,
    compute_features_key,
    load_arrays,
    load_checksums,
)
from explorer.workspace.layout import FEATURES_FOLDER, MAPS_FOLDER, ModuleEntry
from explorer.workspace.workspace import Workspace

_STAGE = "Checking cached features"
_AGAIN = "It is computed again when it is needed."
_ROWS = 1024


def examine_features(
    workspace: Workspace, findings: list[Finding], *, has_network: bool
) -> Generator[Progress, None, None]:
    """Check the caches of Z and logits; those of another network or of other photos are stale."""
    folder = workspace.path / FEATURES_FOLDER
    if not has_network or not folder.is_dir() or folder.is_symlink():
        return
    photos, backbone = workspace.dataset.present, workspace.networks.backbone
    current = compute_features_key(backbone, photos)
    is_busy = is_held(folder / LOCK_FILE)
    for cache in sorted(folder.iterdir()):
        key = cache.name.removeprefix(".").removesuffix(".tmp")
        if cache.name == LOCK_FILE:
            continue
        if cache.name == current:
            is_whole = yield from _check_arrays(cache, load_arrays(cache, len(photos), backbone))
            if not is_whole:
                problem = "The cached features are damaged."
                findings.append(Finding(Severity.ERROR, cache, problem, _AGAIN, not is_busy))
        elif cache.name != key:
            _examine_half_written(cache, findings, is_current=key == current, is_busy=is_busy)
        elif workspace.dataset.missing:
            problem = "These features may be of the photos that are missing now."
            findings.append(Finding(Severity.NOTE, cache, problem))
        else:
            problem = "These features are of another network or of other photos."
            cure = "Nothing reads them any more."
            findings.append(Finding(Severity.WARNING, cache, problem, cure, not is_busy))


def _check_arrays(
    cache: Path, arrays: tuple[NDArray[np.float32], NDArray[np.float32]] | None
) -> Generator[Progress, None, bool]:
    """Tell whether all rows are finite, and are those that were written."""
    if arrays is None:
        return False
    noted, is_whole = load_checksums(cache), True
    for name, array in zip(("z", "logits"), arrays, strict=True):
        checksum = 0
        for start in range(0, len(array), _ROWS):
            rows = np.asarray(array[start : start + _ROWS])
            is_whole &= bool(np.isfinite(rows).all())
            checksum = zlib.crc32(rows.tobytes(), checksum)
            yield Progress(_STAGE, start + len(rows), len(array))
        is_whole &= noted.get(name, checksum) == checksum
    return is_whole


def _examine_half_written(
    path: Path, findings: list[Finding], *, is_current: bool, is_busy: bool
) -> None:
    if is_busy:
        findings.append(Finding(Severity.NOTE, path, "Another process is writing here just now."))
    elif is_current:
        problem = "A computation of it was ended; it goes on from there when it is needed."
        findings.append(Finding(Severity.NOTE, path, problem))
    else:
        problem = "A computation of it was ended, and nothing will go on with it."
        findings.append(Finding(Severity.WARNING, path, problem, "", is_repairable=True))


def examine_maps(
    workspace: Workspace, entry: ModuleEntry, findings: list[Finding], *, is_sound: bool
) -> None:
    """Check the maps drawn ahead for a module; those of an earlier module are stale."""
    folder = entry.path.with_name(MAPS_FOLDER)
    if not folder.is_dir() or folder.is_symlink() or not is_sound:
        return
    is_busy = is_held(folder / LOCK_FILE)
    for path in sorted(folder.glob("*.npy")):
        whole, begun = _count_maps(workspace, entry, path, path.stem)
        if begun < whole:
            problem = (
                "The maps are damaged, or of an earlier module, network or photo, "
                f"from photo {begun + 1} of {whole} on."
            )
            cure = "Pages draw what they need; `maps` draws all ahead."
            findings.append(Finding(Severity.WARNING, path, problem, cure, not is_busy))
    for path in sorted(folder.glob("*.npy.tmp")):
        _, begun = _count_maps(workspace, entry, path, path.name.partition(".")[0])
        _examine_half_written(path, findings, is_current=begun > 0, is_busy=is_busy)


def _count_maps(workspace: Workspace, entry: ModuleEntry, path: Path, stop: str) -> tuple[int, int]:
    """Count the photos that a cache should have, and those it has, in whichever precision."""
    photos = workspace.dataset.photos_of(entry.category)
    try:
        keys = [compute_key(workspace, entry, stop, precision) for precision in PRECISIONS]
        return len(photos), max(count_current(path, photos, key) for key in keys)
    except (OSError, ExplorerError):
        return len(photos), 0
