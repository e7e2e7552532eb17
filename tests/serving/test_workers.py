"""Several processes of the app behind a real nginx."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from requirements import skip_or_fail
from streams import PATIENCE, find_port, open_stream, start_session
from websockets.exceptions import InvalidStatus

from explorer.config import DEMO_WORKSPACE, REPOSITORY_ROOT, ExplorerError
from explorer.serving import workers as serving
from explorer.serving.proxy import COOKIE, make_config
from explorer.serving.workers import ServeSettings, serve


def wait_for(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if found := condition():
                return found
        time.sleep(0.2)
    return pytest.fail("It did not happen in time.")


def list_children(process: int) -> dict[int, str]:
    """Return the processes below one, with what started them."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == process:
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
    return found


class Served:
    """A running ``serve`` with two processes."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
        self.process, self.port, self.log = process, port, log

    def ask(self, worker: int | None = None) -> int:
        """Ask for the health of the app; return the number of the process that answered."""
        headers = {} if worker is None else {"Cookie": f"{COOKIE}={worker}"}
        url = f"http://127.0.0.1:{self.port}/_stcore/health"
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as a:
            cookies = a.headers.get_all("Set-Cookie")
            assert a.read() == b"ok"
        (own,) = [cookie for cookie in cookies if cookie.startswith(COOKIE)]
        return int(own.partition("=")[2].partition(";")[0])

    def list_workers(self) -> list[int]:
        found = list_children(self.process.pid)
        return sorted(one for one, command in found.items() if "streamlit" in command)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    if shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        skip_or_fail("There is no nginx: install it to test several processes of the app.")
    if not Path("/proc").is_dir():
        pytest.skip("needs /proc to find processes")
    port, log = find_port(), tmp_path_factory.mktemp("serve") / "log.txt"
    command = [sys.executable, "-m", "explorer", "serve", "--workers", "2", "--port", str(port)]
    command += ["--address", "127.0.0.1", str(DEMO_WORKSPACE)]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, cwd=REPOSITORY_ROOT, stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        found = Served(process, port, log)
        try:
            wait_for(lambda: process.poll() is not None or found.ask())
            assert process.poll() is None, log.read_text()
            yield found
        finally:
            process.terminate()
            process.wait(60)


def test_visitors_are_spread_and_stay(served: Served) -> None:
    assert {served.ask() for _ in range(30)} == {1, 2}
    assert [served.ask(2) for _ in range(5)] == [2] * 5
    assert [served.ask(1) for _ in range(5)] == [1] * 5


def open_page(served: Served, origin: str, worker: int) -> str:
    """Open the first page; return the session's id once its script has run."""
    address, cookie = f"127.0.0.1:{served.port}", {"Cookie": f"{COOKIE}={worker}"}
    with open_stream(address, origin, cookie) as stream:
        return start_session(stream)


def test_pages_work_through_the_proxy_and_not_from_other_sites(served: Served) -> None:
    origin = f"http://127.0.0.1:{served.port}"
    assert open_page(served, origin, 1) != open_page(served, origin, 2)
    with pytest.raises(InvalidStatus, match="403"):
        open_page(served, "https://example.org", 1)


def test_a_process_that_dies_is_replaced_and_its_visitors_are_served(served: Served) -> None:
    before = served.list_workers()
    assert len(before) == 2
    os.kill(before[0], signal.SIGKILL)
    numbers = {served.ask(1), served.ask(2)}  # at once, by the other
    assert len(numbers) == 1
    (dead,) = {1, 2} - numbers
    after = wait_for(lambda: len(found := served.list_workers()) == 2 and found)
    assert before[0] not in after
    assert before[1] in after
    wait_for(lambda: served.ask(dead) == dead)
    assert f"Process {dead} has ended (signal 9) and is started again." in served.log.read_text()


def test_ending_it_ends_all_of_its_processes(served: Served) -> None:
    below = list_children(served.process.pid)
    assert len(below) == 3  # two of the app, and nginx
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(60) == 0
    wait_for(lambda: not any(Path(f"/proc/{one}").exists() for one in below))
    assert "Traceback" not in served.log.read_text()


def test_a_port_in_use_is_refused_before_anything_starts() -> None:
    if shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        skip_or_fail("There is no nginx: install it to test several processes of the app.")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = ServeSettings(("false",), 1, "127.0.0.1", taken.getsockname()[1])
        with pytest.raises(ExplorerError, match="Choose another --port"):
            next(serve(settings, os.environ))


def test_without_nginx_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving.shutil, "which", lambda *_, **__: None)
    with pytest.raises(ExplorerError, match="apt install nginx-light"):
        next(serve(ServeSettings(("false",), 1), os.environ))


def test_an_app_that_never_starts_is_not_started_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving.shutil, "which", lambda *_, **__: "nginx")
    settings = ServeSettings(("false",), 1, "127.0.0.1", find_port())
    with pytest.raises(ExplorerError, match=r"does not start \(status 1\).*\n?.*false"):
        for _ in serve(settings, os.environ):
            pass


@pytest.mark.parametrize(
    ("options", "words"),
    [({"workers": 0}, "at least 1"), ({"workers": 1, "port": 0}, "1 to 65535")],
)
def test_impossible_settings_are_refused(options: dict[str, int], words: str) -> None:
    with pytest.raises(ExplorerError, match=words):
        ServeSettings(("false",), **options)


def test_each_process_stands_in_for_the_others(tmp_path: Path) -> None:
    config = make_config(tmp_path, "localhost:8501", [9001, 9002, 9003])
    for own in (9001, 9002, 9003):
        assert f"server 127.0.0.1:{own} max_fails=1" in config
        assert config.count(f"server 127.0.0.1:{own} backup;") == 2
    assert "33.33% 1; 33.33% 2; * 3;" in config
