"""Unpacking untrusted archives: only regular files and folders, within the target and limits."""

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
_MEGABYTES_PER_REPORT = 10
_CHUNK = 1 << 20
# An additional check, which Python has from 3.11.4 on.
_FILTER: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
_DAMAGED = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError, OverflowError)


@dataclass(frozen=True)
class ArchiveLimits:
    """Maximum contents of an archive.

    Attributes
    ----------
    size : int
        Unpacked size in bytes, including headers and padding.
    members : int
        Number of files and folders.
    """

    size: int
    members: int


def unpack_tar(archive: Path, folder: Path, limits: ArchiveLimits) -> Iterator[Progress]:
    """Unpack a ``.tgz`` file into an existing folder.

    Parameters
    ----------
    archive : Path
        A tar archive, compressed with gzip.
    folder : Path
        Target folder. The caller removes it if this fails.
    limits : ArchiveLimits
        Limits on the actual contents, whatever the headers say.

    Yields
    ------
    Progress
        Megabytes (10⁶ bytes) of the archive that have been read.

    Raises
    ------
    DownloadError
        When the archive is damaged, exceeds `limits`, or holds anything but regular files and
        folders with relative names, such as a link, a device, a sparse file or ``..``.
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
                        raise _make_error(archive, f"holds more than {limits.members:,} files")
                    tar.extract(member, folder, set_attrs=False, **_FILTER)
                    done = packed.tell() // _MEGABYTE
                    if done >= reported + _MEGABYTES_PER_REPORT:
                        reported = done
                        yield Progress(f"Unpacking {archive.name}, MB", done, total)
            while bounded.read():
                pass  # reads up to the checksum of gzip, which tar does not read
        except _DAMAGED as error:
            raise _make_error(archive, f"cannot be unpacked ({error})") from error
    yield Progress(f"Unpacking {archive.name}, MB", total, total)


class _BoundedReader(io.RawIOBase):
    """A stream that raises an error when more bytes are read than allowed."""

    def __init__(self, stream: gzip.GzipFile, archive: Path, limit: int) -> None:
        super().__init__()
        self._stream = stream
        self._archive = archive
        self._left = limit

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(min(size, _CHUNK) if size >= 0 else _CHUNK)
        self._left -= len(data)
        if self._left < 0:
            raise _make_error(self._archive, "is much larger when unpacked than the data set")
        return data


def _check_member(member: tarfile.TarInfo, archive: Path) -> None:
    name = member.name
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise _make_error(archive, f"holds {name!r}, which is neither a regular file nor a folder")
    as_windows = PureWindowsPath(name)
    is_outside = name.startswith("/") or as_windows.drive or as_windows.root
    if is_outside or ".." in PurePosixPath(name).parts or ".." in as_windows.parts:
        raise _make_error(archive, f"holds {name!r}, which would be outside the target folder")


def _make_error(archive: Path, reason: str) -> DownloadError:
    return DownloadError(
        f"{archive} {reason}. Nothing was unpacked. Remove the archive and fetch it again, or get "
        "it from a source that you trust."
    )
