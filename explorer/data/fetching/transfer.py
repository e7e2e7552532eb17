"""One file over HTTP, through interruptions, into the part of it that has arrived so far."""

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import requests
from urllib3.exceptions import HTTPError

from explorer.config import ExplorerError, Progress
from explorer.storage.writing import open_append, remove

_MEGABYTE = 1_000_000
_CHUNK = 1 << 18
_LARGEST = 8_000 * _MEGABYTE  # where the size is not known
_WORTHWHILE = 100_000  # bytes; an attempt that brings fewer counts as fruitless
_SPARE = 50 * _MEGABYTE  # a disk is not filled to its last byte
_SECONDS_BETWEEN_RECORDS = 0.2
_BUSY = {408, 425, 429, 500, 502, 503, 504}
_CAUSES = (
    ("NameResolution", "its server is not known (is this machine online?)"),
    ("SSL", "the server's certificate was not accepted"),
    ("Proxy", "the proxy did not let it through"),
    ("imeout", "the server did not answer in time"),
    ("timed out", "the server did not answer in time"),
    ("refused", "the server refused the connection"),
)


class DownloadError(ExplorerError):
    """A download that failed; the message names the file and the cure."""


class _InterruptedError(Exception):
    """An attempt that ended early; another may succeed."""


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
    """

    url: str
    name: str
    sha256: str
    size: int = 0

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{8,64}", self.sha256):
            raise ValueError(f"{self.name} needs at least 8 hexadecimal digits of its SHA-256")


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server.

    Attributes
    ----------
    connect_seconds, silence_seconds : float
        For a connection, and for the next byte of an answer.
    attempts : int
        Fruitless ones in a row after which the download fails.
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


def check_free_space(folder: Path, needed: int, purpose: str) -> None:
    """Raise `DownloadError` where the disk of `folder` cannot take `needed` more bytes."""
    place = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    free = shutil.disk_usage(place).free
    if free < needed + _SPARE:
        raise DownloadError(
            f"{purpose} needs {_format_size(needed + _SPARE)} on the disk of {folder}, which has "
            f"{_format_size(free)} free. Make room there, or name a folder on another disk."
        )


def receive(file: RemoteFile, part: Path, patience: Patience) -> Iterator[Progress]:
    """Receive until the part is whole, through as many interruptions as bring it forward."""
    fruitless = 0
    with requests.Session() as session:
        while True:
            before = get_size(part)
            try:
                yield from _continue(session, file, part, patience)
                return
            except _InterruptedError as interruption:
                reason = interruption
            fruitless = 0 if get_size(part) - before > _WORTHWHILE else fruitless + 1
            if fruitless >= patience.attempts:
                raise DownloadError(
                    f"{file.url} could not be fetched: {reason}. {_format_kept(part)}Check the "
                    f"connection and run the command again, or {_name_other_means(part)}"
                ) from reason
            time.sleep(patience.pause_seconds * 2 ** max(0, fruitless - 1))


def _continue(
    session: requests.Session, file: RemoteFile, part: Path, patience: Patience
) -> Iterator[Progress]:
    """Ask for what is missing, and append it."""
    start = get_size(part)
    if start and start == file.size:
        return
    if start > (file.size or _LARGEST):
        remove(part)
        start = 0
    with _ask(session, file, part, patience, start) as answer:
        _check_status(answer, file, part, start)
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            if answer.headers.get("Content-Range", "").endswith(f"/{start}"):
                return  # it is whole
            remove(part)
            raise _InterruptedError("the part that was there is not one of the server's file")
        if answer.status_code == requests.codes.partial_content:
            _check_range(answer, file, part, start)
        else:  # from the beginning: the server knows no ranges
            remove(part)
            start = 0
        length = int(answer.headers.get("Content-Length", "0") or 0)
        size = start + length if length else file.size
        if file.size and size != file.size:
            raise DownloadError(
                f"{file.url} offers {size:,} bytes instead of the {file.size:,} of {file.name}: a "
                "sign-in page, perhaps, or a changed file. Open the address in a browser to see "
                "what is wrong."
            )
        check_free_space(part.parent, max(0, size - start), f"Fetching {file.name}")
        yield from _append(answer, file, part, size, patience)
    if get_size(part) < size:
        raise _InterruptedError("the server closed the connection early")


def _ask(
    session: requests.Session, file: RemoteFile, part: Path, patience: Patience, start: int
) -> requests.Response:
    # As stored: a decoded archive would have neither the size nor the hash of the file.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    timeout = (patience.connect_seconds, patience.silence_seconds)
    try:
        return session.get(file.url, headers=headers, stream=True, timeout=timeout)
    except (requests.ConnectionError, requests.Timeout) as error:
        raise _InterruptedError(_explain(error)) from error
    except requests.RequestException as error:
        raise DownloadError(
            f"{file.url} could not be fetched: {error}. Instead, {_name_other_means(part)}"
        ) from error


def _check_status(answer: requests.Response, file: RemoteFile, part: Path, start: int) -> None:
    """Raise what a status other than that of an answer means."""
    said = f"the server answered {answer.status_code} {answer.reason}".strip()
    if answer.status_code in _BUSY:
        raise _InterruptedError(said)
    if answer.status_code not in {200, 206} and not (answer.status_code == 416 and start):
        raise DownloadError(
            f"{file.url} could not be fetched: {said}. {_format_kept(part)}Try again later, or "
            f"{_name_other_means(part)}"
        )


def _check_range(answer: requests.Response, file: RemoteFile, part: Path, start: int) -> None:
    """See that a partial answer is the part that was asked for."""
    match = re.match(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("Content-Range", ""))
    if match is None or int(match[1]) != start or (file.size and int(match[2]) != file.size):
        remove(part)
        raise _InterruptedError("the server sent another part than was asked for")


def _append(
    answer: requests.Response, file: RemoteFile, part: Path, size: int, patience: Patience
) -> Iterator[Progress]:
    stage, total = f"Downloading {file.name}, MB", -(-size // _MEGABYTE)
    began = shown = watched = time.monotonic()
    received = received_before = 0
    with open_append(part) as stored:
        while chunk := _read(answer):
            if stored.tell() + len(chunk) > (size or _LARGEST):
                stored.close()
                remove(part)
                raise DownloadError(
                    f"{file.url} sends more than {_format_size(size or _LARGEST)}, so it is not "
                    "the expected file; nothing of it was kept. Open the address in a browser to "
                    "see what is wrong."
                )
            stored.write(chunk)
            received, now = received + len(chunk), time.monotonic()
            if now - watched > patience.silence_seconds:
                if received - received_before < patience.slowest * (now - watched):
                    raise _InterruptedError("the server sends too slowly")
                watched, received_before = now, received
            if now - shown > _SECONDS_BETWEEN_RECORDS or stored.tell() == size:
                shown, done = now, -(-stored.tell() // _MEGABYTE)
                speed = received / _MEGABYTE / max(now - began, 1e-6)
                yield Progress(stage, done, max(done, total), {"MB/s": speed})


def _read(answer: requests.Response) -> bytes:
    """Return the bytes that are there, as they were sent; none at the end."""
    try:
        # Not `read`, which would wait for the whole chunk and so hide a server that only drips.
        return bytes(answer.raw.read1(_CHUNK, decode_content=False))
    except (HTTPError, OSError) as error:
        raise _InterruptedError(_explain(error)) from error


def _explain(error: Exception) -> str:
    text = f"{type(error).__name__} {error}"
    return next((words for sign, words in _CAUSES if sign in text), "the connection broke off")


def get_size(part: Path) -> int:
    """Return how many bytes of a part there are; 0 where there is none."""
    return part.stat().st_size if part.is_file() else 0


def _format_size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def _format_kept(part: Path) -> str:
    size = get_size(part)
    return f"The {_format_size(size)} that arrived are kept. " if size else ""


def _name_other_means(part: Path) -> str:
    return f"get the file by other means and put it at {part.with_suffix('')}."
