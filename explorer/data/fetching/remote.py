"""What is fetched from the network, and the part of it that has arrived so far."""

import json
import os
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from explorer.config import ExplorerError
from explorer.storage.atomic import write_text

_SPARE = 50_000_000  # bytes; a disk is not filled to its last one


class DownloadError(ExplorerError):
    """A download that did not come to its end; the message names the file and the cure."""


@dataclass(frozen=True)
class RemoteFile:
    """A file on a server, and what is known of its contents.

    Attributes
    ----------
    url : str
        Where it is; redirections are followed.
    name : str
        Its name on disk.
    sha256 : str
        Hexadecimal SHA-256 of its contents, or the first digits (8 or more) of it.
    size : int
        Bytes; 0 where it is not known.
    md5 : str
        Hexadecimal MD5, checked as well; empty where it is not known.
    """

    url: str
    name: str
    sha256: str
    size: int = 0
    md5: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{8,64}", self.sha256):
            raise ValueError(f"{self.name} needs at least 8 hexadecimal digits of its SHA-256")


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for.

    Attributes
    ----------
    connect_seconds, silence_seconds : float
        For a connection, and for the next byte of an answer.
    attempts : int
        Fruitless ones in a row after which the download is given up.
    pause_seconds : float
        Before the second attempt; doubled before every further one.
    slowest : float
        Bytes per second below which, over `silence_seconds`, a connection counts as dead.
    """

    connect_seconds: float = 15.0
    silence_seconds: float = 30.0
    attempts: int = 5
    pause_seconds: float = 1.0
    slowest: float = 1_000.0


DEFAULT_PATIENCE = Patience()


@dataclass(frozen=True)
class Fetched:
    """A file or folder that is there, whole, and whether it had been there before."""

    path: Path
    was_there: bool


@dataclass(frozen=True)
class Origin:
    """Where a part came from: another answer may only continue the very same file."""

    url: str
    validator: str
    size: int


class Part:
    """The beginning of a file, beside the place of the whole, with a note of its origin.

    Parameters
    ----------
    whole : Path
        Where the file will be.
    """

    def __init__(self, whole: Path) -> None:
        self.path = whole.with_name(whole.name + ".part")
        self._note = whole.with_name(whole.name + ".part.json")

    @property
    def size(self) -> int:
        """Bytes that have arrived."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def load_origin(self) -> Origin | None:
        """Read where the part came from; None where that is not known."""
        try:
            origin = Origin(**json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        kinds = tuple(type(value) for value in asdict(origin).values())
        return origin if kinds == (str, str, int) else None

    def begin(self, origin: Origin) -> None:
        """Note where the bytes that are about to be stored come from."""
        self.path.unlink(missing_ok=True)
        write_text(self._note, json.dumps(asdict(origin)))

    def drop(self) -> None:
        """Remove the part and its note."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def become(self, whole: Path) -> None:
        """Give the part, which is complete, the name of the whole."""
        with self.path.open("rb+") as stored:
            os.fsync(stored.fileno())
        self.path.replace(whole)
        self._note.unlink(missing_ok=True)


def check_free_space(folder: Path, needed: int, purpose: str) -> None:
    """Raise `DownloadError` where the disk of `folder` cannot take `needed` more bytes."""
    place = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    free = shutil.disk_usage(place).free
    if free < needed + _SPARE:
        raise DownloadError(
            f"{purpose} needs {format_size(needed + _SPARE)} on the disk of {folder}, which has "
            f"{format_size(free)} free. Make room there, or name a folder on another disk."
        )


def format_size(size: int) -> str:
    """Write a number of bytes for people: ``1.2 GB``, ``3.4 MB``."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
