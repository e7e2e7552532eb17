"""Large files over HTTP: resumed where they broke off, and verified before they are used.

Every file's SHA-256 is known beforehand. So a part that is there is simply continued: if it belongs
to something else, the hash of the whole says so, and the file is fetched from its beginning.
"""

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock

from explorer.config import Progress, Steps
from explorer.data.fetching.transfer import (
    DEFAULT_PATIENCE,
    DownloadError,
    Patience,
    RemoteFile,
    get_size,
    receive,
)
from explorer.storage.writing import make_folder, move, remove, sync_file

_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Fetched:
    """A file or folder that is there, whole, and whether it had been there before."""

    path: Path
    was_there: bool


def download(
    file: RemoteFile, folder: Path, patience: Patience = DEFAULT_PATIENCE
) -> Steps[Fetched]:
    """Download `file` into `folder`, continuing what an earlier attempt has brought.

    What has arrived lies in ``NAME.part`` until it is whole and its hash is right; only then it
    gets its name.

    Parameters
    ----------
    file : RemoteFile
        What to fetch, and how to tell that it is the right one.
    folder : Path
        Where to put it; made if it is missing.
    patience : Patience
        How long to wait for the server.

    Yields
    ------
    Progress
        In megabytes (10⁶ bytes), with the speed since the last interruption in MB/s.

    Raises
    ------
    DownloadError
        When the server or the disk does not allow it, another process is fetching the same file,
        or the file, the one that arrived or the one that was there, is not the expected one.
    """
    path = folder / file.name
    if not path.exists():
        make_folder(folder)
        with lock(path):
            if not path.exists():
                yield from _fetch(file, path, patience)
                return Fetched(path, was_there=False)
    if not (yield from _verify(path, file)):
        raise DownloadError(
            f"{path} is not the file that {file.url} is known to be: it is damaged or another "
            "one. Move it away and run the command again."
        )
    return Fetched(path, was_there=True)


def count_missing_bytes(file: RemoteFile, folder: Path) -> int:
    """Return how many bytes of `file`, whose size must be known, still have to be fetched."""
    path = folder / file.name
    return 0 if path.exists() else max(0, file.size - get_size(_name_part(path)))


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Keep other processes from fetching to `path`, in a folder that exists, at the same time.

    Raises
    ------
    DownloadError
        When another one is at it.
    """
    file = path.with_name(path.name + ".lock")
    try:
        with filelock.FileLock(file, timeout=0):
            try:
                yield
            finally:
                with contextlib.suppress(OSError):  # where an open file cannot be removed
                    remove(file)
    except filelock.Timeout as error:
        raise DownloadError(
            f"Another process is fetching {path} right now. Wait for it, or stop it."
        ) from error


def _fetch(file: RemoteFile, path: Path, patience: Patience) -> Iterator[Progress]:
    part = _name_part(path)
    was_begun = get_size(part) > 0
    yield from receive(file, part, patience)
    is_right = yield from _verify(part, file)
    if was_begun and not is_right:  # begun with another version, perhaps
        remove(part)
        yield from receive(file, part, patience)
        is_right = yield from _verify(part, file)
    if not is_right:
        remove(part)
        raise DownloadError(
            f"What arrived from {file.url} is not the expected file (its hash differs) and was "
            "removed. Run the command again; if that does not help, get the file by other means "
            f"and put it at {path}."
        )
    sync_file(part)
    move(part, path)


def _verify(path: Path, file: RemoteFile) -> Steps[bool]:
    size = path.stat().st_size
    if file.size and size != file.size:
        return False
    digest, total = hashlib.sha256(), -(-size // _MEGABYTE)
    with path.open("rb") as stored:
        while chunk := stored.read(32 * _MEGABYTE):
            digest.update(chunk)
            yield Progress(f"Checking {file.name}, MB", -(-stored.tell() // _MEGABYTE), total)
    return digest.hexdigest().startswith(file.sha256)


def _name_part(path: Path) -> Path:
    return path.with_name(path.name + ".part")
