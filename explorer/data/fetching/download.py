"""Downloading large files over HTTP: resumed after interruptions, and verified.

The SHA-256 of each file is known. So a partial file is simply continued. If it belonged to another
version, the hash of the complete file differs, and the file is downloaded again from the start.
"""

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock

from explorer.config import Progress, Steps
from explorer.data.fetching.transfer import (
    DEFAULT_RETRY_POLICY,
    DownloadError,
    RemoteFile,
    RetryPolicy,
    get_size,
    receive,
)
from explorer.storage.writing import make_folder, move, remove, sync_file

_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Fetched:
    """A complete file or folder, and whether it existed before."""

    path: Path
    already_existed: bool


def download(
    file: RemoteFile, folder: Path, policy: RetryPolicy = DEFAULT_RETRY_POLICY
) -> Steps[Fetched]:
    """Download a file to a folder, continuing an earlier attempt.

    The file has the name ``NAME.part`` until it is complete and verified.

    Parameters
    ----------
    file : RemoteFile
        The file to download, and its hash.
    folder : Path
        Target folder, which is created if it is missing.
    policy : RetryPolicy
        Timeouts and retries.

    Yields
    ------
    Progress
        In megabytes (10⁶ bytes), with the speed since the last interruption in MB/s.

    Raises
    ------
    DownloadError
        When the download fails, another process is downloading the same file, or the file,
        downloaded or existing, has another hash.
    ExplorerError
        When there is not enough space on the disk.
    """
    path = folder / file.name
    if not path.exists():
        make_folder(folder)
        with lock(path):
            if not path.exists():
                yield from _fetch(file, path, policy)
                return Fetched(path, already_existed=False)
    if not (yield from _verify(path, file)):
        raise DownloadError(
            f"{path} is not the file at {file.url}: it is damaged, or another file. Move it away "
            "and run the command again."
        )
    return Fetched(path, already_existed=True)


def count_missing_bytes(file: RemoteFile, folder: Path) -> int:
    """Return how many bytes of `file`, whose size must be known, are still to be downloaded."""
    path = folder / file.name
    return 0 if path.exists() else max(0, file.size - get_size(_name_part(path)))


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold the lock for downloading to `path`, in an existing folder.

    Raises
    ------
    DownloadError
        When another process holds it.
    """
    file = path.with_name(path.name + ".lock")
    try:
        with filelock.FileLock(file, timeout=0):
            try:
                yield
            finally:
                with contextlib.suppress(OSError):  # some systems cannot remove an open file
                    remove(file)
    except filelock.Timeout as error:
        raise DownloadError(
            f"Another process is downloading {path}. Wait for it, or stop it."
        ) from error


def _fetch(file: RemoteFile, path: Path, policy: RetryPolicy) -> Iterator[Progress]:
    part = _name_part(path)
    is_continued = get_size(part) > 0
    yield from receive(file, part, policy)
    is_right = yield from _verify(part, file)
    if is_continued and not is_right:  # perhaps it was started with another version
        remove(part)
        yield from receive(file, part, policy)
        is_right = yield from _verify(part, file)
    if not is_right:
        remove(part)
        raise DownloadError(
            f"The file from {file.url} is not the expected one (its hash differs) and was removed. "
            "Run the command again. If this does not help, download the file in another way and "
            f"save it as {path}."
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
