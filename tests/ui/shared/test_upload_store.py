import asyncio
import io
import tomllib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartParser
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from explorer.config import REPOSITORY_ROOT
from explorer.data.uploads.decoding import OWN_LIMITS
from explorer.ui.shared import upload_store
from explorer.ui.shared.upload_store import limit_upload_memory

BOUNDARY = "between"


async def receive(content: bytes) -> UploadFile:
    async def stream() -> AsyncIterator[bytes]:
        head = (
            f"--{BOUNDARY}\r\n"
            'Content-Disposition: form-data; name="file"; filename="robin.jpg"\r\n\r\n'
        )
        yield head.encode()
        for start in range(0, len(content), 65536):
            yield content[start : start + 65536]
        yield f"\r\n--{BOUNDARY}--\r\n".encode()

    headers = Headers({"content-type": f"multipart/form-data; boundary={BOUNDARY}"})
    form = await MultiPartParser(headers, stream()).parse()
    file = form["file"]
    assert isinstance(file, UploadFile)
    return file


@pytest.mark.parametrize("size", [1, 3 * 1024 * 1024, OWN_LIMITS.megabytes * 1024 * 1024])
def test_an_upload_stays_in_memory_while_it_arrives(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **options: object) -> None:
        pytest.fail("a file was made on disk")

    # What a file in memory becomes once it is too large for it.
    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    limit_upload_memory()
    # In a thread of its own: the browser tests leave a running loop in this one.
    with ThreadPoolExecutor(1) as pool:
        file = pool.submit(asyncio.run, receive(bytes(size))).result()
    assert isinstance(file.file._file, io.BytesIO)
    assert len(file.file.read()) == size
    file.file.close()


def test_the_server_takes_as_much_as_the_page_reads_and_no_more() -> None:
    settings = tomllib.loads((REPOSITORY_ROOT / ".streamlit" / "config.toml").read_text())
    assert settings["server"]["maxUploadSize"] == OWN_LIMITS.megabytes
    limit_upload_memory()
    assert MultiPartParser.spool_max_size > OWN_LIMITS.megabytes * 1024 * 1024


def make_file(size: int, name: str = "a") -> UploadedFileRec:
    return UploadedFileRec(name, f"{name}.jpg", "image/jpeg", bytes(size))


def test_small_files_of_a_session_wait_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_store, "MOST_WAITING_FILES", 30)
    limit_upload_memory()
    store = MemoryUploadedFileManager("/upload")
    for number in range(40):
        store.add_file("visitor", make_file(1000, f"{number}"))
    store.add_file("other", make_file(5))
    assert list(store.file_storage["visitor"]) == [str(number) for number in range(10, 40)]
    assert list(store.file_storage["other"]) == ["a"]


def test_files_of_a_session_are_no_larger_together_than_one_may_be() -> None:
    limit_upload_memory()
    store = MemoryUploadedFileManager("/upload")
    largest = OWN_LIMITS.megabytes * 2**20
    for number, size in enumerate((largest - 10, 4, 6, 3, largest - 8)):
        store.add_file("visitor", make_file(size, f"{number}"))
    assert list(store.file_storage["visitor"]) == ["3", "4"]
    store.add_file("visitor", make_file(largest, "5"))
    assert list(store.file_storage["visitor"]) == ["5"]


def test_all_files_that_wait_are_bounded_and_the_oldest_go_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upload_store, "MOST_WAITING_BYTES", 1000)
    limit_upload_memory()
    store = MemoryUploadedFileManager("/upload")
    for visitor in ("first", "second", "third", "first"):
        store.add_file(visitor, make_file(300))
    assert set(store.file_storage) == {"first", "second", "third"}
    store.add_file("fourth", make_file(300))
    assert set(store.file_storage) == {"first", "third", "fourth"}
    store.add_file("large", make_file(1000))
    assert set(store.file_storage) == {"large"}
