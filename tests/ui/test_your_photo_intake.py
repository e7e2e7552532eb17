import asyncio
import io
import tomllib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartParser

from explorer.config import REPOSITORY_ROOT
from explorer.data.upload import OWN_LIMITS
from explorer.ui import your_photo_intake

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
    # In a thread of its own: the browser tests leave a running loop in this one.
    with ThreadPoolExecutor(1) as pool:
        file = pool.submit(asyncio.run, receive(bytes(size))).result()
    assert isinstance(file.file._file, io.BytesIO)
    assert len(file.file.read()) == size
    file.file.close()


def test_the_server_takes_as_much_as_the_page_reads_and_no_more() -> None:
    settings = tomllib.loads((REPOSITORY_ROOT / ".streamlit" / "config.toml").read_text())
    assert settings["server"]["maxUploadSize"] == OWN_LIMITS.megabytes
    assert your_photo_intake.MultiPartParser.spool_max_size > OWN_LIMITS.megabytes * 1024 * 1024
