"""What visitors upload waits in the server's memory until a page takes it: never on disk, bounded.

A page takes a file out as soon as it runs. Whoever speaks to the server without a browser need not
let it run, and could fill the memory by sending file after file.
"""

from threading import Lock

from starlette.formparsers import MultiPartParser
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from explorer.data.uploads.decoding import OWN_LIMITS

MOST_WAITING_BYTES = 400 * 2**20
"""Of all sessions together; many times what browsers have under way at once."""

_LOCK = Lock()
_add_file = MemoryUploadedFileManager.add_file


def bound_uploads() -> None:
    """Keep uploads in memory and within bounds, from now on, for all sessions.

    A session has one file waiting at most, the last one. Where files of all sessions become too
    many, those that have waited longest are dropped.
    """
    # The server would put larger uploads into a nameless file on disk while they arrive. How much
    # it takes of one at all is `server.maxUploadSize`.
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
        # The order is that of arrival: a session's place is made anew with each of its files.
        for session, size in sizes.items():
            if too_much <= 0:
                break
            self.remove_session_files(session)
            too_much -= size
        _add_file(self, session_id, file)
