"""Helpers of the benchmarks: describing the machine, and serving the app."""

import contextlib
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

from explorer.config import DEMO_WORKSPACE
from explorer.workspace.layout import FEATURES_FOLDER

REPOSITORY_ROOT = Path(__file__).parents[1]
_SERVER = Path(__file__).with_name("app_server.py")
_TIMEOUT_SECONDS = 60.0


def name_processor() -> str:
    """Return the name of the processor, if the system provides it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        if lines:
            return lines[0].partition(":")[2].strip()
    return platform.processor() or platform.machine()


def describe_machine(*packages: str) -> str:
    """Describe the system, processor, cores, Python version and versions of packages."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"{platform.system()} {platform.machine()}, {name_processor()}, {os.cpu_count()} core(s); "
        f"Python {platform.python_version()}, {versions}"
    )


def copy_demo(folder: Path) -> Path:
    """Copy the demo without cached features, which the app then computes."""
    ignore = shutil.ignore_patterns(FEATURES_FOLDER)
    return Path(shutil.copytree(DEMO_WORKSPACE, folder / "demo", ignore=ignore))


def find_port() -> int:
    """Return a free port of the loopback interface."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def serve_app(
    folder: Path, workspace: Path, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run the instrumented app on a free port of the loopback interface; yield address and process.

    Its log is ``log.txt`` in `folder`, its events ``events.jsonl``; see `app_server.py`.
    """
    port = find_port()
    own = {"SRAE_STATE": str(folder / "state"), "SRAE_WORKSPACE": str(workspace)}
    command = [sys.executable, str(_SERVER), str(folder / "events.jsonl"), str(port)]
    with (
        (folder / "log.txt").open("ab") as log,
        subprocess.Popen(
            command,
            cwd=REPOSITORY_ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **own, **(environment or {})},
        ) as process,
    ):
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for_app(address, process, folder / "log.txt")
            yield address, process
        finally:
            process.terminate()
            process.wait(20)


def wait_for_app(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the app answers; stop if its process ends before."""
    url = f"{address}/_stcore/health"
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"The app ended during its start: {log.read_text()}")
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2):
            return
        time.sleep(0.1)
    raise SystemExit(f"{url} did not answer within {_TIMEOUT_SECONDS:.0f} seconds.")


def read_memory(process: int) -> float:
    """Return the resident memory of a process in MiB, as reported by ``ps``."""
    found = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(process)], capture_output=True, text=True, check=True
    )
    return int(found.stdout) / 1024


def find_chromium() -> str:
    """Return the path of the system's Chromium."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        raise SystemExit("Chromium was not found on the PATH. Install it to run this benchmark.")
    return found
