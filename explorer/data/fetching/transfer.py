"""Receiving a file over HTTP, with retries, appended to a partial file."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import requests
from urllib3.exceptions import HTTPError

from explorer.config import ExplorerError, Progress
from explorer.storage.space import check_free_space, format_size
from explorer.storage.writing import open_append, remove

_MEGABYTE = 1_000_000
_CHUNK = 1 << 18
_MAX_BYTES = 8_000 * _MEGABYTE  # if the size is not known
_MIN_PROGRESS = 100_000  # bytes; an attempt that receives fewer has failed
_SECONDS_PER_REPORT = 0.2
_RETRY_STATUSES = {408, 425, 429, 500, 502, 503, 504}
_CAUSES = (
    ("NameResolution", "the server's name could not be resolved (is this machine online?)"),
    ("SSL", "the server's certificate was not accepted"),
    ("Proxy", "the proxy refused the connection"),
    ("imeout", "the server did not response in time"),
    ("timed out", "the server did not response in time"),
    ("refused", "the server refused the connection"),
)


class DownloadError(ExplorerError):
    """A download that failed; the message names the file and the cure."""


class _InterruptedError(Exception):
    """An attempt that failed; another may succeed."""


@dataclass(frozen=True)
class RemoteFile:
    """A file on a server, with its hash and size.

    Attributes
    ----------
    url : str
        Address of the file; redirects are followed.
    name : str
        Name on disk.
    sha256 : str
        Hexadecimal SHA-256, or its first digits (at least 8).
    size : int
        Size in bytes; 0 if unknown.
    """

    url: str
    name: str
    sha256: str
    size: int = 0

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{8,64}", self.sha256):
            raise ValueError(f"{self.name} needs at least 8 hexadecimal digits of its SHA-256")


@dataclass(frozen=True)
class RetryPolicy:
    """Timeouts and retries of a download.

    Attributes
    ----------
    connect_timeout, read_timeout : float
        Seconds to wait for a connection, and for data.
    attempts : int
        Number of failed attempts in a row after which the download fails.
    pause_seconds : float
        Pause before the second attempt; doubled before each further one.
    min_speed : float
        Bytes per second, over `read_timeout`, below which a connection counts as dead.
    """

    connect_timeout: float = 15.0
    read_timeout: float = 30.0
    attempts: int = 5
    pause_seconds: float = 1.0
    min_speed: float = 1_000.0


DEFAULT_RETRY_POLICY = RetryPolicy()


def receive(file: RemoteFile, part: Path, policy: RetryPolicy) -> Iterator[Progress]:
    """Receive a file until it is complete, retrying after interruptions."""
    failures = 0
    with requests.Session() as session:
        while True:
            before = get_size(part)
            try:
                yield from _continue(session, file, part, policy)
                return
            except _InterruptedError as interruption:
                reason = interruption
            failures = 0 if get_size(part) - before > _MIN_PROGRESS else failures + 1
            if failures >= policy.attempts:
                raise DownloadError(
                    f"{file.url} could not be downloaded: {reason}. {_format_kept(part)}Check the "
                    f"connection and run the command again, or {_suggest_manual_download(part)}"
                ) from reason
            time.sleep(policy.pause_seconds * 2 ** max(0, failures - 1))


def _continue(
    session: requests.Session, file: RemoteFile, part: Path, policy: RetryPolicy
) -> Iterator[Progress]:
    """Request the missing bytes and append them to the partial file."""
    start = get_size(part)
    if start and start == file.size:
        return
    if start > (file.size or _MAX_BYTES):
        remove(part)
        start = 0
    with _request(session, file, part, policy, start) as response:
        _check_status(response, file, part, start)
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            if response.headers.get("Content-Range", "").endswith(f"/{start}"):
                return  # it is complete
            remove(part)
            raise _InterruptedError("the partial file does not belong to the server's file")
        if response.status_code == requests.codes.partial_content:
            _check_range(response, file, part, start)
        else:  # from the start, as the server does not support ranges
            remove(part)
            start = 0
        length = int(response.headers.get("Content-Length", "0") or 0)
        size = start + length if length else file.size
        if file.size and size != file.size:
            raise DownloadError(
                f"{file.url} has {size:,} bytes instead of the {file.size:,} of {file.name}. It "
                "may be a sign-in page or a changed file. Open the address in a browser to see "
                "what is wrong."
            )
        check_free_space(part.parent, max(0, size - start), f"Downloading {file.name}")
        yield from _append(response, file, part, size, policy)
    if get_size(part) < size:
        raise _InterruptedError("the server closed the connection early")


def _request(
    session: requests.Session, file: RemoteFile, part: Path, policy: RetryPolicy, start: int
) -> requests.Response:
    # Not encoded, as a decoded archive would have another size and hash.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    timeout = (policy.connect_timeout, policy.read_timeout)
    try:
        return session.get(file.url, headers=headers, stream=True, timeout=timeout)
    except (requests.ConnectionError, requests.Timeout) as error:
        raise _InterruptedError(_explain(error)) from error
    except requests.RequestException as error:
        raise DownloadError(
            f"{file.url} could not be downloaded: {error}. "
            f"Instead, {_suggest_manual_download(part)}"
        ) from error


def _check_status(response: requests.Response, file: RemoteFile, part: Path, start: int) -> None:
    """Raise an error for a status other than success."""
    reason = f"the server answered {response.status_code} {response.reason}".strip()
    if response.status_code in _RETRY_STATUSES:
        raise _InterruptedError(reason)
    if response.status_code not in {200, 206} and not (response.status_code == 416 and start):
        raise DownloadError(
            f"{file.url} could not be downloaded: {reason}. {_format_kept(part)}Try again "
            f"later, or {_suggest_manual_download(part)}"
        )


def _check_range(response: requests.Response, file: RemoteFile, part: Path, start: int) -> None:
    """Check that a partial response has the requested range."""
    match = re.match(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
    if match is None or int(match[1]) != start or (file.size and int(match[2]) != file.size):
        remove(part)
        raise _InterruptedError("the server sent a different range from the one requested")


def _append(
    response: requests.Response, file: RemoteFile, part: Path, size: int, policy: RetryPolicy
) -> Iterator[Progress]:
    stage, total = f"Downloading {file.name}, MB", -(-size // _MEGABYTE)
    started = shown = checked = time.monotonic()
    received = received_before = 0
    with open_append(part) as stored:
        while chunk := _read(response):
            if stored.tell() + len(chunk) > (size or _MAX_BYTES):
                stored.close()
                remove(part)
                raise DownloadError(
                    f"{file.url} sends more than {format_size(size or _MAX_BYTES)}, so it is not "
                    "the expected file. Nothing was kept. Open the address in a browser to see "
                    "what is wrong."
                )
            stored.write(chunk)
            received, now = received + len(chunk), time.monotonic()
            if now - checked > policy.read_timeout:
                if received - received_before < policy.min_speed * (now - checked):
                    raise _InterruptedError("the server sends too slowly")
                checked, received_before = now, received
            if now - shown > _SECONDS_PER_REPORT or stored.tell() == size:
                shown, done = now, -(-stored.tell() // _MEGABYTE)
                speed = received / _MEGABYTE / max(now - started, 1e-6)
                yield Progress(stage, done, max(done, total), {"MB/s": speed})


def _read(response: requests.Response) -> bytes:
    """Return the available bytes, not decoded; empty at the end."""
    try:
        # Not `read`, which would wait for a full chunk and so hide a very slow server.
        return bytes(response.raw.read1(_CHUNK, decode_content=False))
    except (HTTPError, OSError) as error:
        raise _InterruptedError(_explain(error)) from error


def _explain(error: Exception) -> str:
    text = f"{type(error).__name__} {error}"
    return next(
        (reason for pattern, reason in _CAUSES if pattern in text), "the connection was interrupted"
    )


def get_size(part: Path) -> int:
    """Return the size of a partial file in bytes; 0 if there is none."""
    return part.stat().st_size if part.is_file() else 0


def _format_kept(part: Path) -> str:
    size = get_size(part)
    return f"The {format_size(size)} received so far are kept. " if size else ""


def _suggest_manual_download(part: Path) -> str:
    return f"download the file in another way and save it as {part.with_suffix('')}."
