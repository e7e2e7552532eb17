"""One file over HTTP, through interruptions, into the part that has arrived so far."""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import requests
from urllib3.exceptions import HTTPError

from explorer.config import Progress
from explorer.data.fetching.remote import (
    DownloadError,
    Origin,
    Part,
    Patience,
    RemoteFile,
    check_free_space,
    format_size,
)

_MEGABYTE = 1_000_000
_CHUNK = 1 << 18
_LARGEST = 8_000 * _MEGABYTE  # where nobody says how large the file is
_WORTHWHILE = 100_000  # bytes; an attempt that brings fewer counts as fruitless
_SECONDS_BETWEEN_RECORDS = 0.2
_BUSY_STATUSES = {408, 425, 429, 500, 502, 503, 504}


class _InterruptedError(Exception):
    """An attempt that ended early; another may succeed."""


def fill_part(part: Part, file: RemoteFile, patience: Patience) -> Iterator[Progress]:
    """Receive until the part is whole, through as many interruptions as bring it forward.

    Raises
    ------
    DownloadError
        When the server refuses, or `patience.attempts` in a row have brought nothing.
    """
    fruitless = 0
    with requests.Session() as session:
        while True:
            before = part.size
            try:
                yield from _Attempt(session, part, file, patience).run()
                return
            except _InterruptedError as interruption:
                reason = interruption
            fruitless = 0 if part.size - before > _WORTHWHILE else fruitless + 1
            if fruitless >= patience.attempts:
                raise DownloadError(
                    f"{file.url} could not be fetched: {reason}. {_format_kept(part)}Check the "
                    f"connection and run the command again, or {_name_other_means(part)}"
                ) from reason
            time.sleep(patience.pause_seconds * 2 ** max(0, fruitless - 1))


@dataclass(frozen=True)
class _Attempt:
    """One request for what is missing."""

    session: requests.Session
    part: Part
    file: RemoteFile
    patience: Patience

    def run(self) -> Iterator[Progress]:
        """Append what comes.

        Raises
        ------
        _InterruptedError
            When the rest may be had by another request.
        DownloadError
            When it may not.
        """
        origin = self._load_origin()
        if origin is not None and self.part.size == origin.size > 0:
            return
        with self._ask(origin) as answer:
            if answer.status_code == requests.codes.requested_range_not_satisfiable and origin:
                if _parse_total(answer) == self.part.size:
                    return
                self.part.drop()
                raise _InterruptedError("the part that was there is not one of the server's file")
            self._check_status(answer)
            if answer.status_code == requests.codes.partial_content:
                origin = self._continue(answer, origin)
            else:
                origin = self._start_anew(answer)
            yield from self._append(answer, origin.size)
        if self.part.size < origin.size:
            raise _InterruptedError("the server closed the connection early")

    def _load_origin(self) -> Origin | None:
        """Return the origin of a part that can be continued; drop one that cannot."""
        origin, size = self.part.load_origin(), self.part.size
        if (
            origin is not None
            and origin.url == self.file.url
            and 0 < size <= (origin.size or _LARGEST)
            and (not self.file.size or origin.size == self.file.size)
        ):
            return origin
        self.part.drop()
        return None

    def _ask(self, origin: Origin | None) -> requests.Response:
        # As stored: a decoded archive would have neither the size nor the hash of the file.
        headers = {"Accept-Encoding": "identity"}
        if origin is not None:
            headers["Range"] = f"bytes={self.part.size}-"
            if origin.validator:
                headers["If-Range"] = origin.validator
        timeout = (self.patience.connect_seconds, self.patience.silence_seconds)
        try:
            return self.session.get(self.file.url, headers=headers, stream=True, timeout=timeout)
        except (requests.ConnectionError, requests.Timeout) as error:
            raise _InterruptedError(_explain(error)) from error
        except requests.RequestException as error:
            raise DownloadError(
                f"{self.file.url} could not be fetched: {error}. Instead, "
                f"{_name_other_means(self.part)}"
            ) from error

    def _check_status(self, answer: requests.Response) -> None:
        status = answer.status_code
        if status in {requests.codes.ok, requests.codes.partial_content}:
            return
        said = f"the server answered {status} {answer.reason}".strip()
        if status in _BUSY_STATUSES:
            raise _InterruptedError(said)
        raise DownloadError(
            f"{self.file.url} could not be fetched: {said}. {_format_kept(self.part)}Try again "
            f"later, or {_name_other_means(self.part)}"
        )

    def _continue(self, answer: requests.Response, origin: Origin | None) -> Origin:
        """See that a partial answer is the part that was asked for, of the same file as before."""
        match = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
        total = _parse_total(answer)
        if (
            origin is None
            or match is None
            or int(match[1]) != self.part.size
            or (total and origin.size and total != origin.size)
        ):
            self.part.drop()
            raise _InterruptedError("the server sent another part than was asked for")
        self._check_space(origin.size - self.part.size)
        return origin

    def _start_anew(self, answer: requests.Response) -> Origin:
        """Begin with the first byte: the file is new or changed, or the server knows no ranges."""
        offered, expected = _get_length(answer.headers), self.file.size
        if expected and offered not in {0, expected}:
            raise DownloadError(
                f"{self.file.url} offers {offered:,} bytes in the place of the {expected:,} of "
                f"{self.file.name}: a sign-in page, perhaps, or a changed file. Open the address "
                "in a browser to see what is wrong."
            )
        origin = Origin(self.file.url, _get_validator(answer.headers), offered or expected)
        self.part.drop()  # its room is free for what comes
        self._check_space(origin.size)
        self.part.begin(origin)
        return origin

    def _check_space(self, needed: int) -> None:
        check_free_space(self.part.path.parent, max(0, needed), f"Fetching {self.file.name}")

    def _append(self, answer: requests.Response, size: int) -> Iterator[Progress]:
        limit = size or _LARGEST
        meter = _Meter(self.patience)
        with self.part.path.open("ab") as stored:
            while chunk := _read(answer):
                if stored.tell() + len(chunk) > limit:
                    stored.close()
                    self.part.drop()
                    raise DownloadError(
                        f"{self.file.url} sends more than {format_size(limit)}, so it is not the "
                        "expected file; nothing of it was kept. Open the address in a browser to "
                        "see what is wrong."
                    )
                stored.write(chunk)
                if meter.count(len(chunk)) or stored.tell() == size:
                    done, total = -(-stored.tell() // _MEGABYTE), -(-size // _MEGABYTE)
                    stage = f"Downloading {self.file.name}, MB"
                    yield Progress(stage, done, max(done, total), {"MB/s": meter.speed})


class _Meter:
    """How fast an answer comes; refuses one that only drips."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._began = self._window_began = self._shown = time.monotonic()
        self._bytes = self._bytes_in_window = 0

    def count(self, size: int) -> bool:
        """Count `size` more bytes; tell whether it is time to report."""
        now = time.monotonic()
        self._bytes += size
        self._bytes_in_window += size
        seconds = now - self._window_began
        if seconds > self._patience.silence_seconds:
            if self._bytes_in_window < self._patience.slowest * seconds:
                raise _InterruptedError("the server sends too slowly")
            self._window_began, self._bytes_in_window = now, 0
        is_due = now - self._shown > _SECONDS_BETWEEN_RECORDS
        if is_due:
            self._shown = now
        return is_due

    @property
    def speed(self) -> float:
        """Megabytes per second since the beginning."""
        return self._bytes / _MEGABYTE / max(time.monotonic() - self._began, 1e-6)


def _read(answer: requests.Response) -> bytes:
    """Return the bytes that are there, as they were sent; none at the end."""
    try:
        # Not `read`, which would wait for the whole chunk and so hide a server that only drips.
        return bytes(answer.raw.read1(_CHUNK, decode_content=False))
    except (HTTPError, OSError) as error:
        raise _InterruptedError(_explain(error)) from error


def _explain(error: Exception) -> str:
    text = f"{type(error).__name__} {error}"
    for sign, words in (
        ("NameResolution", "its server is not known (is this machine online?)"),
        ("SSL", "the server's certificate was not accepted"),
        ("Proxy", "the proxy did not let it through"),
        ("imeout", "the server did not answer in time"),
        ("timed out", "the server did not answer in time"),
        ("refused", "the server refused the connection"),
    ):
        if sign in text:
            return words
    return "the connection broke off"


def _get_validator(headers: Mapping[str, str]) -> str:
    """Return what identifies this version of the file; If-Range takes no weak tags."""
    tag = headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified", "")


def _get_length(headers: Mapping[str, str]) -> int:
    text = headers.get("Content-Length", "")
    return int(text) if text.isdecimal() else 0


def _parse_total(answer: requests.Response) -> int | None:
    match = re.search(r"/(\d+)$", answer.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _format_kept(part: Part) -> str:
    return f"The {format_size(part.size)} that arrived are kept. " if part.size else ""


def _name_other_means(part: Part) -> str:
    return f"get the file by other means and put it at {part.path.with_suffix('')}."
