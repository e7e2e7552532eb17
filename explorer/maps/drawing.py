"""Drawing the maps of modules' own photos into the cache, photo by photo."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from explorer.config import ExplorerError, Progress, Steps, map_steps
from explorer.data.photo import Photo, load_photo
from explorer.maps.cache import Records, compute_key, count_current, pack_record
from explorer.nn.explanation import DEFAULT_STOP
from explorer.storage.growing import GrowingArray, count_rows
from explorer.storage.locks import take_lock
from explorer.storage.writing import move, refuse_if_public, sync_file
from explorer.workspace.layout import ModuleEntry, WorkspaceError, check_inside
from explorer.workspace.workspace import Workspace

_STAGE = "Drawing heatmaps for the pages"
_LOCK_FILE = ".lock"


@dataclass(frozen=True)
class DrawnMaps:
    """What a run has brought.

    Attributes
    ----------
    drawn, kept : int
        Photos whose maps were drawn, and those that were there already, over all modules.
    size : int
        Bytes of the caches.
    """

    drawn: int
    kept: int
    size: int


def draw_maps(
    workspace: Workspace, entries: Sequence[ModuleEntry], stop: str = DEFAULT_STOP
) -> Steps[DrawnMaps]:
    """Draw modules on all photos of their categories and keep that; see `explorer.maps.cache`.

    What is there and current is left alone, what is not is replaced as a whole, once the last
    photo is done. A run that ends before goes on after the last photo that it has drawn, and ends
    up with the same file. Where another process draws for the same module, this one waits for it.

    Parameters
    ----------
    workspace : Workspace
        Of the modules.
    entries : sequence of ModuleEntry
        The modules.
    stop : str
        Where the maps are taken; see `Backbone.stops`.

    Yields
    ------
    Progress
        Counts the photos of all modules.

    Raises
    ------
    WorkspaceError
        At the end, where some modules could not be drawn; it names them.
    PublicError
        On a public server.
    """
    refuse_if_public()
    workspace.networks.backbone.get_stop(stop)
    counts = [len(workspace.dataset.photos_of(entry.category)) for entry in entries]
    done, total, drawn, size = 0, sum(counts), 0, 0
    failures = []
    for entry, count in zip(entries, counts, strict=True):
        try:
            steps = _draw_module(workspace, entry, stop)
            drawn += yield from map_steps(steps, partial(_count_from, done, total))
            size += entry.get_maps_path(stop).stat().st_size if count else 0
        except ExplorerError as error:  # one module that cannot be drawn does not stop the others
            failures.append(f"{entry.category}, {entry.run}: {error}")
        done += count
        yield Progress(_STAGE, done, total)
    if failures:
        raise WorkspaceError("\n".join(["Not drawn:", *failures]))
    return DrawnMaps(drawn, total - drawn, size)


def _count_from(before: int, total: int, progress: Progress) -> Progress:
    return replace(progress, done=before + progress.done, total=total)


def _draw_module(workspace: Workspace, entry: ModuleEntry, stop: str) -> Steps[int]:
    """Bring a module's cache up to date; return how many photos were drawn for it."""
    photos = workspace.dataset.photos_of(entry.category)
    file = entry.get_maps_path(stop)
    workspace.check_module(entry)
    check_inside(entry.path.parent, file.parent)
    draft = file.with_name(f"{file.name}.tmp")
    key = _compute_key(workspace, entry, stop)
    if count_current(file, photos, key) == len(photos):
        return 0
    lock = yield from take_lock(
        file.with_name(_LOCK_FILE), lambda: Progress(_STAGE, count_rows(draft), len(photos))
    )
    try:
        if count_current(file, photos, key) == len(photos):  # by the one that was waited for
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
        raise WorkspaceError("It was trained again while its maps were drawn. Draw them again.")
    return pack_record(explanation, score, photo, key)


def _compute_key(workspace: Workspace, entry: ModuleEntry, stop: str) -> bytes:
    try:
        return compute_key(workspace, entry, stop)
    except OSError as error:
        raise WorkspaceError(f"{entry.path} cannot be read: {error}.") from error


def _publish(draft: Path, file: Path) -> None:
    """Put a finished cache in its place, where readers find the old one or the new one, whole."""
    sync_file(draft)
    move(draft, file)
