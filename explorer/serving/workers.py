"""Processes of the app and the proxy before them: started, watched, started again, and ended."""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass

from explorer.config import ExplorerError
from explorer.serving.proxy import make_config
from explorer.storage.writing import make_temporary_folder, write_text

_LOCAL = "127.0.0.1"
_START_SECONDS = 120.0
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.2
_MOST_FAILED_STARTS = 3  # in a row, until there is no point in another


@dataclass(frozen=True)
class ServeSettings:
    """How the app is served.

    Attributes
    ----------
    command : tuple of str
        Starts one process of the app; its port is appended as ``--server.port=``.
    workers : int
        Number of processes, at least 1.
    address : str
        What visitors reach: ``localhost``, or ``0.0.0.0`` for the whole network.
    port : int
        What visitors reach.
    """

    command: tuple[str, ...]
    workers: int
    address: str = "localhost"
    port: int = 8501

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ExplorerError(f"--workers must be at least 1, not {self.workers}.")
        if not 1 <= self.port <= 65_535:
            raise ExplorerError(f"--port must be from 1 to 65535, not {self.port}.")


def serve(settings: ServeSettings, environment: Mapping[str, str]) -> Generator[str, None, None]:
    """Serve the app until the generator is closed, and then end all processes.

    A process of the app that ends is started again; its visitors are served by the others
    meanwhile.

    Parameters
    ----------
    settings : ServeSettings
        What to serve.
    environment : Mapping of str to str
        Environment of the app's processes. All share one secret, so that an upload that was begun
        with one is accepted by another, and each uses its share of the cores.

    Yields
    ------
    str
        What has happened, in a sentence; an empty string a few times a second, so that the caller
        can stop.

    Raises
    ------
    ExplorerError
        When nginx is not installed or ends, or the app cannot be started.
    """
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if nginx is None:
        raise ExplorerError(
            "nginx is not installed. Install it, such as with `apt install nginx-light` or "
            "`brew install nginx`."
        )
    _check_free(settings)
    threads = max(1, (os.cpu_count() or 1) // settings.workers)
    shared = {
        "OMP_NUM_THREADS": str(threads),
        "STREAMLIT_SERVER_COOKIE_SECRET": secrets.token_hex(32),
        **environment,
    }
    ports = _find_ports(settings.workers)
    with make_temporary_folder("srae-serve-") as folder, contextlib.ExitStack() as running:
        workers = [_Worker(settings.command, port, shared) for port in ports]
        for worker in workers:
            running.callback(worker.stop)
            worker.start()
        yield from _wait_until_ready(workers)
        config = folder / "nginx.conf"
        write_text(config, make_config(folder, f"{settings.address}:{settings.port}", ports))
        proxy = subprocess.Popen([nginx, "-p", str(folder), "-c", str(config)])
        running.callback(_stop, proxy)
        yield f"{settings.workers} processes serve http://{settings.address}:{settings.port}"
        while proxy.poll() is None:
            time.sleep(_POLL_SECONDS)
            yield ""
            for number, worker in enumerate(workers, 1):
                if worker.has_ended():
                    yield f"Process {number} has ended ({worker.status}) and is started again."
                    worker.start()
    raise ExplorerError(f"nginx has ended with status {proxy.returncode}; see its messages above.")


def _check_free(settings: ServeSettings) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.address, settings.port))
        except OSError as error:
            raise ExplorerError(
                f"{settings.address}:{settings.port} cannot be used: {error}. Choose another "
                "--port, or end the program that uses it."
            ) from error


def _find_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((_LOCAL, 0))
        return [int(probe.getsockname()[1]) for probe in probes]


class _Worker:
    """One process of the app, and how often in a row it ended before it answered."""

    def __init__(self, command: Sequence[str], port: int, environment: Mapping[str, str]) -> None:
        self._command = [*command, f"--server.address={_LOCAL}", f"--server.port={port}"]
        self._url = f"http://{_LOCAL}:{port}/_stcore/health"
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._failed_starts = 0
        self._is_ready = False

    @property
    def status(self) -> str:
        """How the process ended."""
        code = None if self._process is None else self._process.returncode
        if code is None:
            return "running"
        return f"signal {-code}" if code < 0 else f"status {code}"

    def start(self) -> None:
        """Start the process."""
        self._is_ready = False
        self._process = subprocess.Popen(self._command, env=self._environment)

    def has_ended(self) -> bool:
        """Return whether the process has ended.

        Raises
        ------
        ExplorerError
            When it has ended several times before it answered.
        """
        if self._process is None or self._process.poll() is None:
            self._is_ready = self._is_ready or self.answers()
            return False
        self._failed_starts = 0 if self._is_ready else self._failed_starts + 1
        if self._failed_starts >= _MOST_FAILED_STARTS:
            raise ExplorerError(
                f"The app does not start ({self.status}); see its messages above. Try it alone: "
                f"{' '.join(self._command)}"
            )
        return True

    def answers(self) -> bool:
        """Return whether the app is ready for visitors."""
        try:
            with urllib.request.urlopen(self._url, timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            _stop(self._process)


def _wait_until_ready(workers: Sequence[_Worker]) -> Iterator[str]:
    yield f"Starting {len(workers)} processes of the app …"
    end = time.monotonic() + _START_SECONDS
    waiting = list(workers)
    while waiting:
        if time.monotonic() > end:
            raise ExplorerError(f"The app was not ready after {_START_SECONDS:.0f} seconds.")
        for worker in waiting:
            if worker.has_ended():
                worker.start()
        waiting = [worker for worker in waiting if not worker.answers()]
        time.sleep(_POLL_SECONDS)
        yield ""


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
