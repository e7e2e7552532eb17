"""The instructions of the container file, and its command in an isolated file system."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest
from app_client import Session
from PIL import Image

from explorer.config import REPOSITORY_ROOT

USER = 10001
# All file systems become read-only except for two new ones in memory: TMP and STATE.
ISOLATE = """
set -e
mount --make-rprivate /
mount -t tmpfs none "$TMP"
mount -t tmpfs -o mode=0750,uid=10001,gid=10001 none "$STATE"
chmod 1777 "$TMP"
mount -o remount,bind,ro /
exec setpriv --reuid=10001 --regid=10001 --clear-groups --no-new-privs "$@"
"""


def read_instructions() -> list[tuple[str, str]]:
    """Return the instructions of the container file and their arguments."""
    text = (REPOSITORY_ROOT / "Containerfile").read_text()
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    pairs = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(name, rest.strip()) for name, rest in pairs]


def read_all(name: str) -> list[str]:
    return [rest for found, rest in read_instructions() if found == name]


def read_environment() -> dict[str, str]:
    pairs = (word.partition("=") for rest in read_all("ENV") for word in shlex.split(rest))
    return {name: value for name, _, value in pairs}


def test_the_base_image_is_pinned_and_slim() -> None:
    (base,) = read_all("FROM")
    assert re.fullmatch(r"docker\.io/library/python:3\.\d+\.\d+-slim-\w+", base)


def test_the_container_runs_unprivileged_with_two_writable_folders() -> None:
    (user,) = read_all("USER")
    assert user == f"{USER}:{USER}"
    assert read_all("VOLUME") == ["/state"]
    environment = read_environment()
    assert environment["SRAE_STATE"] == "/state"
    assert environment["HOME"] == "/tmp"
    assert environment["MALLOC_ARENA_MAX"] == "2"
    assert environment["PYTHONDONTWRITEBYTECODE"] == "1"
    names = [name for name, _ in read_instructions()]
    assert "RUN" not in names[names.index("USER") :]


def test_the_container_is_a_public_server() -> None:
    assert read_environment()["SRAE_PUBLIC"] == "1"
    (command,) = (json.loads(rest) for rest in read_all("CMD"))
    assert command[:3] == ["streamlit", "run", "explorer/app.py"]
    assert "--server.address=0.0.0.0" in command
    (port,) = read_all("EXPOSE")
    assert f"--server.port={port}" in command


def test_torch_is_the_cpu_build() -> None:
    (step,) = (rest for rest in read_all("RUN") if "download.pytorch.org" in rest)
    assert "--index-url https://download.pytorch.org/whl/cpu" in step
    selected = re.search(r"grep -E '([^']+)'", step)
    assert selected is not None
    project = tomllib.loads((REPOSITORY_ROOT / "pyproject.toml").read_text())["project"]
    listed = project["dependencies"]
    taken = [line.partition("=")[0] for line in listed if re.search(selected[1], line)]
    assert taken == ["torch", "torchvision"]


def test_copied_files_exist_and_are_not_ignored() -> None:
    rules = (REPOSITORY_ROOT / ".dockerignore").read_text().splitlines()
    kept = {rule[1:] for rule in rules if rule.startswith("!")}
    assert "*" in rules
    for rest in read_all("COPY"):
        for source in rest.split()[:-1]:
            assert (REPOSITORY_ROOT / source).exists()
            assert source in kept
    for never in (".git", "tests", "benchmarks", "tools", "shared"):
        assert not any(fnmatch(never, rule) for rule in kept)


def can_isolate() -> bool:
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return False
    attempt = ["unshare", "--mount", "sh", "-c", "mount --make-rprivate /"]
    return subprocess.run(attempt, capture_output=True, check=False).returncode == 0


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder that other users may enter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def wait_for(command: list[str], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 90
    while subprocess.run(command, capture_output=True, check=False).returncode:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.3)


@pytest.mark.slow
def test_the_container_serves_every_page_without_a_writable_disk(open_folder: Path) -> None:
    if not can_isolate():
        pytest.skip("needs Linux and permission to create mount namespaces")
    (command,), (check,) = (
        [json.loads(rest[rest.index("[") :]) for rest in read_all(name)]
        for name in ("CMD", "HEALTHCHECK")
    )
    port = str(20_000 + os.getpid() % 20_000)
    command = [part.replace("0.0.0.0", "127.0.0.1").replace("8501", port) for part in command]
    check = [sys.executable, *(part.replace("8501", port) for part in check[1:])]
    temporary, state, log = open_folder / "tmp", open_folder / "state", open_folder / "log.txt"
    for folder in (temporary, state):
        folder.mkdir()
    environment = {**os.environ, **read_environment(), "TMP": str(temporary), "STATE": str(state)}
    environment |= {"SRAE_STATE": str(state), "HOME": str(temporary), "TMPDIR": str(temporary)}
    # Reading is allowed everywhere, as Python may be installed in a folder that only its owner may
    # enter. Writing is not.
    readable = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search"]
    probe = f'touch {REPOSITORY_ROOT}/proof {open_folder}/proof; id -u; exec "$@"'
    line = ["unshare", "--mount", "sh", "-c", ISOLATE, "sh", *readable, "sh", "-c", probe, "sh"]
    line += [sys.executable, "-m", *command]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            line, cwd=REPOSITORY_ROOT, stdout=output, stderr=subprocess.STDOUT, env=environment
        ) as process,
    ):
        try:
            wait_for(check, process, log)
            with Session(f"http://127.0.0.1:{port}") as session:
                visit_everything(session)
        finally:
            process.terminate()
            process.wait(20)
    output_text = log.read_text()
    assert output_text.count("Read-only file system") == 2  # both writes of the probe
    assert f"\n{USER}\n" in output_text
    assert "Traceback" not in output_text


def visit_everything(session: Session) -> None:
    for page in ("", "category", "x_feature", "photo", "compare", "results", "quiz", "about"):
        found = session.visit(page)
        assert found.errors == []
        assert len(found.texts) > 5
        session.fetch_pictures()
    assert any("public server" in text for text in session.visit("training").texts)
    pixels = np.random.default_rng(1).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    uploader = session.visit("your_photo").find_widget("FileUploader")
    with tempfile.TemporaryFile() as file:
        Image.fromarray(pixels).save(file, "JPEG")
        file.seek(0)
        found = session.upload(uploader, "mine.jpg", file.read())
    assert found.errors == []
    assert "mine.jpg, 160 × 120 pixels" in found.texts
    assert found.figures
    with urllib.request.urlopen(f"{session.url}/_stcore/health", timeout=30) as answer:
        assert answer.read() == b"ok"
