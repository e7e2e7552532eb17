"""Checks of the caches: Z and logits of all photos, and the maps of each module."""

import zlib
from collections.abc import Generator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from explorer.attribution.engine import PRECISIONS
from explorer.config import ExplorerError, Progress
from explorer.doctor.findings import Finding, Severity
from explorer.maps.cache import compute_key, count_current
from explorer.storage.listing import list_folder
from explorer.storage.locks import is_locked
from explorer.workspace.features_cache import (
    LOCK_FILE,
    compute_features_key,
    load_arrays,
    load_checksums,
)
from explorer.workspace.layout import FEATURES_FOLDER, MAPS_FOLDER, ModuleEntry
from explorer.workspace.packed_features import PACKED_FILE, load_packed_features
from explorer.workspace.workspace import Workspace

_STAGE = "Checking cached features"
_RECOMPUTED = "They are computed again when they are needed."
_PACKED_AGAIN = "Pack the workspace again, or replace the file with an intact copy."
_CHUNK_ROWS = 1024


def examine_features(
    workspace: Workspace, findings: list[Finding], *, has_network: bool
) -> Generator[Progress, None, None]:
    """Check the caches of Z and logits; those of another network or other photos are stale."""
    folder = workspace.path / FEATURES_FOLDER
    if not has_network or not folder.is_dir() or folder.is_symlink():
        return
    photos, backbone = workspace.dataset.present, workspace.networks.backbone
    is_own = workspace.dataset.has_own_photos
    current = compute_features_key(backbone, photos, with_sizes=is_own)
    is_busy = is_locked(folder / LOCK_FILE)
    for cache in list_folder(folder):
        key = cache.name.removeprefix(".").removesuffix(".tmp").removesuffix(".shards")
        if cache.name == LOCK_FILE:
            continue
        if cache.name == PACKED_FILE:
            if load_packed_features(cache, backbone, photos) is None:
                problem = "The packed features are damaged, or belong to other photos or weights."
                findings.append(Finding(Severity.ERROR, cache, problem, _PACKED_AGAIN))
            continue
        if cache.name == current:
            is_intact = yield from _check_arrays(cache, load_arrays(cache, len(photos), backbone))
            if not is_intact:
                problem = "The cached features are damaged."
                findings.append(Finding(Severity.ERROR, cache, problem, _RECOMPUTED, not is_busy))
        elif cache.name != key:
            _examine_incomplete(cache, findings, is_current=key == current, is_busy=is_busy)
        elif workspace.dataset.missing:
            problem = "These features may belong to the data set with the missing photos."
            findings.append(Finding(Severity.NOTE, cache, problem))
        else:
            problem = "These features belong to another network or other photos."
            cure = "They are no longer used."
            findings.append(Finding(Severity.WARNING, cache, problem, cure, not is_busy))


def _check_arrays(
    cache: Path, arrays: tuple[NDArray[np.float32], NDArray[np.float32]] | None
) -> Generator[Progress, None, bool]:
    """Return whether all rows are finite and match their checksums."""
    if arrays is None:
        return False
    stored, is_intact = load_checksums(cache), True
    expected = (stored.z, stored.logits) if stored else (None, None)
    for array, stored_checksum in zip(arrays, expected, strict=True):
        checksum = 0
        for start in range(0, len(array), _CHUNK_ROWS):
            rows = np.asarray(array[start : start + _CHUNK_ROWS])
            is_intact &= bool(np.isfinite(rows).all())
            checksum = zlib.crc32(rows.tobytes(), checksum)
            yield Progress(_STAGE, start + len(rows), len(array))
        is_intact &= stored_checksum in (None, checksum)
    return is_intact


def _examine_incomplete(
    path: Path, findings: list[Finding], *, is_current: bool, is_busy: bool
) -> None:
    if is_busy:
        findings.append(Finding(Severity.NOTE, path, "Another process is writing to it."))
    elif is_current:
        problem = "Its computation was interrupted. It continues when the result is needed."
        findings.append(Finding(Severity.NOTE, path, problem))
    else:
        problem = "Its computation was interrupted and will not be continued."
        findings.append(Finding(Severity.WARNING, path, problem, "", is_repairable=True))


def examine_maps(
    workspace: Workspace, entry: ModuleEntry, findings: list[Finding], *, is_usable: bool
) -> None:
    """Check the precomputed maps of a module; those of an earlier module are stale."""
    folder = entry.path.with_name(MAPS_FOLDER)
    if not folder.is_dir() or folder.is_symlink() or not is_usable:
        return
    is_busy = is_locked(folder / LOCK_FILE)
    maps = [path for path in list_folder(folder) if path.name.endswith((".npy", ".npy.tmp"))]
    for path in (path for path in maps if path.suffix == ".npy"):
        total, drawn = _count_maps(workspace, entry, path, path.stem)
        if drawn < total:
            problem = (
                "The maps are damaged, or belong to an earlier module, network or photo, from "
                f"photo {drawn + 1} of {total} on."
            )
            cure = "The app draws maps when it needs them; `maps` draws all of them in advance."
            findings.append(Finding(Severity.WARNING, path, problem, cure, not is_busy))
    for path in (path for path in maps if path.suffix == ".tmp"):
        _, drawn = _count_maps(workspace, entry, path, path.name.partition(".")[0])
        _examine_incomplete(path, findings, is_current=drawn > 0, is_busy=is_busy)


def _count_maps(workspace: Workspace, entry: ModuleEntry, path: Path, stop: str) -> tuple[int, int]:
    """Count the photos that a cache should have and those that it has, in any precision."""
    photos = workspace.dataset.photos_of(entry.category)
    try:
        keys = [compute_key(workspace, entry, stop, precision) for precision in PRECISIONS]
        return len(photos), max(count_current(path, photos, key) for key in keys)
    except (OSError, ExplorerError):
        return len(photos), 0
