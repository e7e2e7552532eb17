"""Large files over HTTP: resumed where they were cut off, and verified before they are used."""

import contextlib
import hashlib
from collections.abc import Generator, Iterator
from pathlib import Path

import filelock

from explorer.config import Progress
from explorer.data.fetching.remote import (
    DEFAULT_PATIENCE,
    DownloadError,
    Fetched,
    Part,
    Patience,
    RemoteFile,
)
from explorer.data.fetching.transfer import fill_part

_MEGABYTE = 1_000_000


def download(
    file: RemoteFile, folder: Path, patience: Patience = DEFAULT_PATIENCE
) -> Generator[Progress, None, Fetched]:
    """Download `file` into `folder`, going on where an earlier attempt was cut off.

    What has arrived lies in ``NAME.part`` until it is whole and its hash is right; only then it
    gets its name. A part that cannot belong to the file is dropped, any other kept.

    Parameters
    ----------
    file : RemoteFile
        What to fetch, and how to tell that it is the right one.
    folder : Path
        Where to put it; made if it is missing.
    patience : Patience
        How long the server is waited for.

    Yields
    ------
    Progress
        In megabytes (10⁶ bytes), with the speed since the last interruption in MB/s.

    Raises
    ------
    DownloadError
        When the server or the disk does not allow it, another process is at it, or the file, the
        one that arrived or the one that was there, is not the expected one.
    """
    path = folder / file.name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
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
    return 0 if path.exists() else max(0, file.size - Part(path).size)


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
                    file.unlink()
    except filelock.Timeout as error:
        raise DownloadError(
            f"Another process is fetching {path} just now. Wait for it, or end it."
        ) from error


def _fetch(file: RemoteFile, path: Path, patience: Patience) -> Iterator[Progress]:
    part = Part(path)
    yield from fill_part(part, file, patience)
    if not (yield from _verify(part.path, file)):
        part.drop()
        raise DownloadError(
            f"What arrived from {file.url} is not the expected file (its hash differs) and was "
            "removed. Run the command again; if that does not help, get the file by other means "
            f"and put it at {path}."
        )
    part.become(path)


def _verify(path: Path, file: RemoteFile) -> Generator[Progress, None, bool]:
    size = path.stat().st_size
    if file.size and size != file.size:
        return False
    sha256 = hashlib.sha256()
    md5 = hashlib.md5(usedforsecurity=False)
    total = -(-size // _MEGABYTE)
    with path.open("rb") as stored:
        while chunk := stored.read(32 * _MEGABYTE):
            sha256.update(chunk)
            if file.md5:
                md5.update(chunk)
            yield Progress(f"Checking {file.name}, MB", -(-stored.tell() // _MEGABYTE), total)
    return sha256.hexdigest().startswith(file.sha256) and file.md5 in {"", md5.hexdigest()}
