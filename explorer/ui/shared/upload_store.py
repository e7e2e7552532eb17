"""Uploads wait in the server's memory until a page takes them: bounded, and never on disk.

A page takes a file as soon as it runs. A client that is not a browser can prevent that run, and
could otherwise fill the memory by sending file after file.
"""

from threading import Lock

from starlette.formparsers import MultiPartParser
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from explorer.data.uploads.decoding import OWN_LIMITS

MOST_WAITING_BYTES = 400 * 2**20
"""Of all sessions together; many times what browsers upload at the same time."""

_LOCK = Lock()
_add_file = MemoryUploadedFileManager.add_file


def limit_upload_memory() -> None:
    """Keep uploads in memory and within bounds, from now on, for all sessions.

    A session has at most one waiting file, the last one. When the files of all sessions become too
    large, those that have waited longest are dropped.
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
        self.remove_session_files(session_id)
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
