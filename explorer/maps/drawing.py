"""Computing the maps of modules for their categories' photos and storing them in the cache."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from explorer.config import ExplorerError, Progress, Steps, map_steps, run
from explorer.data.photo import Photo, load_photo
from explorer.maps.cache import Records, compute_key, count_current, pack_record
from explorer.nn.explanation import DEFAULT_STOP
from explorer.storage.growing import GrowingArray, count_rows
from explorer.storage.locks import acquire_lock
from explorer.storage.writing import move, refuse_if_public, sync_file
from explorer.workspace.layout import (
    ModuleEntry,
    ModuleName,
    WorkspaceError,
    check_inside,
)
from explorer.workspace.workspace import Workspace

_STAGE = "Drawing heatmaps for the pages"
_LOCK_FILE = ".lock"


@dataclass(frozen=True)
class DrawnMaps:
    """Result of `draw_maps`.

    Attributes
    ----------
    drawn, kept : int
        Number of photos whose maps were drawn, and of those that had maps, over all modules.
    size : int
        Size of the caches in bytes.
    """

    drawn: int
    kept: int
    size: int


def draw_maps(
    workspace: Workspace, entries: Sequence[ModuleEntry], stop: str = DEFAULT_STOP
) -> Steps[DrawnMaps]:
    """Draw the maps of modules for all photos of their categories; see `explorer.maps.cache`.

    Current caches are kept. Others are replaced once the last photo is drawn. An interrupted run
    continues after the last photo that it has drawn, with the same resulting file. If another
    process draws for the same module, this one waits.

    Parameters
    ----------
    workspace : Workspace
        The workspace of the modules.
    entries : sequence of ModuleEntry
        The modules.
    stop : str
        Layer at which maps are taken; see `Backbone.stops`.

    Yields
    ------
    Progress
        Counts the photos of all modules.

    Raises
    ------
    WorkspaceError
        At the end, if some modules could not be drawn; it names them.
    PublicError
        On a public server.
    """
    refuse_if_public()
    workspace.require_photos()
    workspace.networks.backbone.get_stop(stop)
    counts = [len(workspace.dataset.photos_of(entry.category)) for entry in entries]
    done, total, drawn, size = 0, sum(counts), 0, 0
    failures = []
    for entry, count in zip(entries, counts, strict=True):
        try:
            steps = _draw_module(workspace, entry, stop)
            drawn += yield from map_steps(steps, partial(_count_from, done, total))
            size += entry.get_maps_path(stop).stat().st_size if count else 0
        except ExplorerError as error:  # other modules can still be drawn
            failures.append(f"{entry.title}: {error}")
        done += count
        yield Progress(_STAGE, done, total)
    if failures:
        raise WorkspaceError("\n".join(["Not drawn:", *failures]))
    return DrawnMaps(drawn, total - drawn, size)


@dataclass(frozen=True)
class DrawingTask(ModuleName):
    """A module whose maps are to be drawn, for the engines of `explorer.engines`."""

    stop: str

    def execute(self, workspace: Workspace) -> None:
        """Draw the maps that are missing, and store them."""
        run(draw_maps(workspace, [self.get_entry(workspace.path)], self.stop))


def count_drawn(workspace: Workspace, entries: Sequence[ModuleEntry], stop: str) -> int:
    """Count the photos whose maps are in the caches of readable modules, and are current."""
    return sum(_count_of_module(workspace, entry, stop) for entry in entries)


def _count_of_module(workspace: Workspace, entry: ModuleEntry, stop: str) -> int:
    try:
        key = _compute_key(workspace, entry, stop)
    except ExplorerError:  # drawing its maps will say why
        return 0
    photos = workspace.dataset.photos_of(entry.category)
    return count_current(entry.get_maps_path(stop), photos, key)


def _count_from(before: int, total: int, progress: Progress) -> Progress:
    return replace(progress, done=before + progress.done, total=total)


def _draw_module(workspace: Workspace, entry: ModuleEntry, stop: str) -> Steps[int]:
    """Update the cache of a module; return the number of photos drawn."""
    photos = workspace.dataset.photos_of(entry.category)
    file = entry.get_maps_path(stop)
    workspace.check_module(entry)
    check_inside(entry.path.parent, file.parent)
    draft = file.with_name(f"{file.name}.tmp")
    key = _compute_key(workspace, entry, stop)
    if count_current(file, photos, key) == len(photos):
        return 0
    lock = yield from acquire_lock(
        file.with_name(_LOCK_FILE), lambda: Progress(_STAGE, count_rows(draft), len(photos))
    )
    try:
        if count_current(file, photos, key) == len(photos):  # by the other process
            return 0
        start = count_current(draft, photos, key)
        for row, photo in enumerate(photos[start:], start):
            record = _draw_photo(workspace, entry, photo, stop, key)
            with GrowingArray(draft, record.dtype, (len(photos),), row) as array:
                array.append(record)
            yield Progress(_STAGE, row + 1, len(photos))
        _publish(draft, file)
    finally:
        lock.release()
    return len(photos) - start


def _draw_photo(
    workspace: Workspace, entry: ModuleEntry, photo: Photo, stop: str, key: bytes
) -> Records:
    image = load_photo(photo)
    explanation = workspace.networks.explain(entry, image, stop)
    score = workspace.networks.explain_score(entry.category, image, stop)
    if _compute_key(workspace, entry, stop) != key:
        raise WorkspaceError(
            "The module was trained again while its maps were drawn. Draw them again."
        )
    return pack_record(explanation, score, photo, key)


def _compute_key(workspace: Workspace, entry: ModuleEntry, stop: str) -> bytes:
    try:
        return compute_key(workspace, entry, stop)
    except OSError as error:
        raise WorkspaceError(f"{entry.path} cannot be read: {error}.") from error


def _publish(draft: Path, file: Path) -> None:
    """Replace the cache by a finished draft, atomically."""
    sync_file(draft)
    move(draft, file)
