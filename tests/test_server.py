"""Requests of a hostile page or program to the running server."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from app_client import Session
from common import copy_demo
from hostile_files import make_file
from streams import find_port, open_stream, start_session
from websockets.exceptions import InvalidStatus

from explorer.config import (
    PUBLIC_VARIABLE,
    REPOSITORY_ROOT,
    STATE_VARIABLE,
    WORKSPACE_VARIABLE,
)
from explorer.jobs.control import cancel
from explorer.jobs.store import list_jobs

STREAMLIT = [sys.executable, "-m", "streamlit", "run", "explorer/app.py", "--server.headless=true"]


@contextlib.contextmanager
def serve(log: Path, **environment: str) -> Iterator[str]:
    """Start the app as in the README, setting only the port; yield ``host:port``."""
    address = f"127.0.0.1:{find_port()}"
    command = [*STREAMLIT, f"--server.port={address.partition(':')[2]}"]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            cwd=REPOSITORY_ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
        ) as process,
    ):
        try:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                assert process.poll() is None, log.read_text()
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"http://{address}/_stcore/health", timeout=2).close()
                    break
                time.sleep(0.2)
            yield address
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    environment = {PUBLIC_VARIABLE: "1", STATE_VARIABLE: str(folder / "state")}
    environment[WORKSPACE_VARIABLE] = str(folder / "none")
    with serve(folder / "log.txt", **environment) as found:
        yield found


def read_status(request: urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            status: int = response.status
            return status
    except urllib.error.HTTPError as error:
        return error.code


def test_the_server_listens_only_on_the_loopback(address: str) -> None:
    port = int(address.partition(":")[2])
    table = Path("/proc/net/tcp")
    if not table.exists():
        pytest.skip("needs /proc/net/tcp")
    rows = [line.split() for line in table.read_text().splitlines()[1:]]
    listening = {row[1].split(":")[0] for row in rows if row[1].endswith(f":{port:04X}")}
    assert listening == {"0100007F"}  # 127.0.0.1, least significant byte first


def test_pages_of_other_sites_cannot_connect(address: str) -> None:
    for origin in (None, f"http://{address}"):
        with open_stream(address, origin) as stream:
            assert start_session(stream)
    with pytest.raises(InvalidStatus, match="403"), open_stream(address, "https://example.org"):
        pass


def make_upload(address: str, session: str, **headers: str) -> urllib.request.Request:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.jpg"\r\n\r\n'
        b"bytes\r\n--x--\r\n"
    )
    own = {"Content-Type": "multipart/form-data; boundary=x", **headers}
    url = f"http://{address}/_stcore/upload_file/{session}/one"
    return urllib.request.Request(url, body, own, method="PUT")


def test_an_upload_needs_the_token_of_its_own_site(address: str) -> None:
    with urllib.request.urlopen(f"http://{address}/_stcore/health", timeout=30) as response:
        cookie = response.headers["Set-Cookie"].partition(";")[0]
    token = cookie.partition("=")[2]
    with open_stream(address) as stream:
        session = start_session(stream)
        assert read_status(make_upload(address, session)) == 403
        assert read_status(make_upload(address, session, Cookie=cookie)) == 403
        headers = {"Cookie": cookie, "X-Xsrftoken": token}
        assert read_status(make_upload(address, session, **headers)) == 204
        # A session that does not exist cannot upload.
        assert read_status(make_upload(address, "made-up", **headers)) == 400


def test_a_file_above_the_limit_is_refused_by_its_announced_size(address: str) -> None:
    with urllib.request.urlopen(f"http://{address}/_stcore/health", timeout=30) as response:
        cookie = response.headers["Set-Cookie"].partition(";")[0]
    with open_stream(address) as stream:
        session = start_session(stream)
        host, port = address.split(":")
        with socket.create_connection((host, int(port)), timeout=30) as plain:
            head = (
                f"PUT /_stcore/upload_file/{session}/one HTTP/1.1\r\nHost: {address}\r\n"
                f"Cookie: {cookie}\r\nX-Xsrftoken: {cookie.partition('=')[2]}\r\n"
                "Content-Type: multipart/form-data; boundary=x\r\n"
                f"Content-Length: {200 * 2**20}\r\n\r\n"
            )
            plain.sendall(head.encode())
            assert b" 413 " in plain.recv(4096).splitlines()[0]


def test_a_forged_click_starts_nothing_on_a_public_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sends the messages that start training on a private server."""
    own, public = tmp_path / "own", tmp_path / "public"
    workspace = {WORKSPACE_VARIABLE: str(copy_demo(tmp_path))}
    log = tmp_path / "log.txt"
    with (
        serve(log, **workspace, **{STATE_VARIABLE: str(own)}) as address,
        Session(f"http://{address}") as session,
    ):
        button = session.visit("about").find_widget("Button", "Train")
        session.press(button)
        monkeypatch.setenv(STATE_VARIABLE, str(own))
        (job,) = list_jobs()
        cancel(job)
    with (
        serve(log, **workspace, **{STATE_VARIABLE: str(public), PUBLIC_VARIABLE: "1"}) as address,
        Session(f"http://{address}") as session,
    ):
        session.visit("about")
        page = session.press(button)
        assert page.errors == []
        assert not [w for w in page.widgets.values() if "train" in w.label.lower()]
    assert not public.exists()


def test_uploads_are_private_and_not_stored_on_disk(tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    environment = {STATE_VARIABLE: str(tmp_path / "state"), "TMPDIR": str(folder)}
    environment[WORKSPACE_VARIABLE] = str(copy_demo(tmp_path))
    with (
        serve(tmp_path / "log.txt", **environment) as address,
        Session(f"http://{address}") as one,
        Session(f"http://{address}") as other,
    ):
        uploader = one.visit("your_photo").find_widget("FileUploader")
        other.visit("your_photo")
        cut = make_file("cut.png").data
        page = one.upload(uploader, "heron.png", cut)
        assert [error for error in page.errors if "damaged or cut short" in error]
        uploader = page.find_widget("FileUploader")
        page = one.upload(uploader, "robin.png", make_file("photo and archive.png").data)
        assert page.errors == []
        assert "robin.png, 320 × 240 pixels" in page.texts
        for name in ("your_photo", "", "photo"):
            texts = "\n".join(other.visit(name).texts)
            assert "robin" not in texts
            assert "heron" not in texts
        with pytest.raises(KeyError):
            other.visit("your_photo").find_widget("Button", "Forget")
        # torch creates a folder, which stays empty.
        assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_the_agent_interface_is_disabled(address: str) -> None:
    url = f"http://{address}/_stcore/agent/interact"
    request = urllib.request.Request(url, b"{}", {"Content-Type": "application/json"})
    assert read_status(request) in (403, 404)
