"""Unpacking an archive that is not trusted: plain files and folders, inside, within bounds."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from explorer.config import Progress
from explorer.data.fetching.transfer import DownloadError

_MEGABYTE = 1_000_000
_MEGABYTES_BETWEEN_RECORDS = 10
_CHUNK = 1 << 20
# A second lock on the same door, which Python has from 3.11.4 on.
_SECOND_LOCK: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
_DAMAGED = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError, OverflowError)


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may hold at most.

    Attributes
    ----------
    size : int
        Bytes, unpacked, headers and padding among them.
    members : int
        Files and folders.
    """

    size: int
    members: int


def unpack_tar(archive: Path, folder: Path, limits: ArchiveLimits) -> Iterator[Progress]:
    """Unpack a ``.tgz`` into `folder`, which must exist.

    Parameters
    ----------
    archive : Path
        A tar archive, compressed by gzip.
    folder : Path
        Where to; the caller removes it when this fails.
    limits : ArchiveLimits
        Where to stop. They hold for what is really unpacked, whatever the headers say.

    Yields
    ------
    Progress
        Megabytes (10⁶ bytes) of the archive that have been read.

    Raises
    ------
    DownloadError
        When the archive is damaged, exceeds `limits`, or holds anything but plain files and
        folders with relative names: a link, a device, a sparse file, an absolute name or ``..``.
    """
    total = -(-archive.stat().st_size // _MEGABYTE)
    reported = 0
    with archive.open("rb") as packed, gzip.open(packed) as unpacked:
        bounded = _BoundedReader(unpacked, archive, limits.size)
        try:
            with tarfile.open(fileobj=bounded, mode="r|") as tar:
                for number, member in enumerate(tar, start=1):
                    _check_member(member, archive)
                    if number > limits.members:
                        raise _refuse(archive, f"holds more than {limits.members:,} files")
                    tar.extract(member, folder, set_attrs=False, **_SECOND_LOCK)
                    done = packed.tell() // _MEGABYTE
                    if done >= reported + _MEGABYTES_BETWEEN_RECORDS:
                        reported = done
                        yield Progress(f"Unpacking {archive.name}, MB", done, total)
            while bounded.read():
                pass  # the checksum stands behind what tar reads
        except _DAMAGED as error:
            raise _refuse(archive, f"cannot be unpacked ({error})") from error
    yield Progress(f"Unpacking {archive.name}, MB", total, total)


class _BoundedReader(io.RawIOBase):
    """A stream that ends with an error where more comes out of it than was allowed."""

    def __init__(self, stream: gzip.GzipFile, archive: Path, limit: int) -> None:
        super().__init__()
        self._stream = stream
        self._archive = archive
        self._left = limit

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(min(size, _CHUNK) if size >= 0 else _CHUNK)
        self._left -= len(data)
        if self._left < 0:
            raise _refuse(self._archive, "unpacks to far more than the data set is known to hold")
        return data


def _check_member(member: tarfile.TarInfo, archive: Path) -> None:
    name = member.name
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise _refuse(archive, f"holds {name!r}, which is neither a plain file nor a folder")
    as_windows = PureWindowsPath(name)
    is_outside = name.startswith("/") or as_windows.drive or as_windows.root
    if is_outside or ".." in PurePosixPath(name).parts or ".." in as_windows.parts:
        raise _refuse(archive, f"holds {name!r}, which would lie outside of its folder")


def _refuse(archive: Path, reason: str) -> DownloadError:
    return DownloadError(
        f"{archive} {reason}. Nothing of it was kept; remove the archive and fetch it again, or "
        "take it from a source that you trust."
    )
