"""Uploads wait in the server's memory until a page takes them: bounded, and never on disk.

A page takes a file as soon as it runs. A client that is not a browser can prevent that run, and
could otherwise fill the memory by sending file after file.
"""

from collections.abc import Sequence
from itertools import accumulate
from threading import Lock

from starlette.formparsers import MultiPartParser
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from explorer.data.uploads.decoding import OWN_LIMITS

MOST_WAITING_BYTES = 400 * 2**20
"""Of all sessions together; many times what browsers upload at the same time."""
MOST_WAITING_FILES = 100
"""Of one session: the result files of a large class."""

_LOCK = Lock()
_add_file = MemoryUploadedFileManager.add_file


def limit_upload_memory() -> None:
    """Keep uploads in memory and within bounds, from now on, for all sessions.

    The waiting files of a session are at most as large as one upload may be, together, and no more
    than `MOST_WAITING_FILES`; older ones make room for new ones. When the files of all sessions
    become too large, those that have waited longest are dropped.
    """
    # Otherwise the server writes larger uploads to a temporary file while they arrive. The largest
    # upload that it accepts is set by `server.maxUploadSize`.
    MultiPartParser.spool_max_size = (OWN_LIMITS.megabytes + 1) * 2**20
    if MemoryUploadedFileManager.add_file is _add_file:
        MemoryUploadedFileManager.add_file = _add_within_bounds  # type: ignore[method-assign]


def _add_within_bounds(
    self: MemoryUploadedFileManager, session_id: str, file: UploadedFileRec
) -> None:
    with _LOCK:
        before = self.file_storage.get(session_id, {})
        waiting = [kept for name, kept in before.items() if name != file.file_id]
        self.remove_session_files(session_id)
        for kept in _choose_recent(waiting, OWN_LIMITS.megabytes * 2**20 - len(file.data)):
            _add_file(self, session_id, kept)
        sizes = {
            session: sum(len(waiting.data) for waiting in list(files.values()))
            for session, files in list(self.file_storage.items())
        }
        too_much = sum(sizes.values()) + len(file.data) - MOST_WAITING_BYTES
        # In the order of arrival: a session is removed and added again with each of its files.
        for session, size in sizes.items():
            if too_much <= 0:
                break
            self.remove_session_files(session)
            too_much -= size
        _add_file(self, session_id, file)


def _choose_recent(waiting: Sequence[UploadedFileRec], room: int) -> list[UploadedFileRec]:
    """Return the last files that fit into `room` bytes, with one place left for another."""
    sizes = accumulate(len(file.data) for file in reversed(waiting))
    count = sum(size <= room for size in sizes)
    return list(waiting[max(len(waiting) - count, len(waiting) - MOST_WAITING_FILES + 1) :])
