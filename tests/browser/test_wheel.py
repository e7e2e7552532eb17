"""The wheel: built, installed in a new environment, and opened from another folder."""

import contextlib
import os
import subprocess
import sys
import sysconfig
import time
import tomllib
import urllib.request
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from streams import find_port

from explorer.config import PUBLIC_VARIABLE, REPOSITORY_ROOT, WORKSPACE_VARIABLE

RUN_PAGE = """
import sys
from streamlit.testing.v1 import AppTest
from explorer.config import APP_SCRIPT, DEMO_WORKSPACE
app = AppTest.from_file(APP_SCRIPT, default_timeout=120).run()
assert not app.exception, app.exception
assert sys.prefix in str(DEMO_WORKSPACE)
print([title.value for title in app.title])
"""


def run(*command: object, **options: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    run(*build, "--quiet", "--wheel-dir", folder, REPOSITORY_ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel in a new environment, and return the folder of its commands."""
    folder = tmp_path_factory.mktemp("installed") / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    names = {"base": str(folder), "platbase": str(folder)}
    own = Path(sysconfig.get_path("purelib", "venv", vars=names))
    # The new environment uses the dependencies of this one, but not its explorer: .pth files, such
    # as that of an editable install, have no effect in a folder that another .pth file adds.
    (own / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = Path(sysconfig.get_path("scripts", "venv", vars=names)) / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--quiet", wheel)
    return python.parent


def test_the_wheel_contains_pages_assets_and_settings(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    pages = {f"explorer/bundled/pages/{path.name}" for path in REPOSITORY_ROOT.glob("pages/*.py")}
    assert pages <= names
    for needed in (
        "explorer/app.py",
        "explorer/bundled/.streamlit/config.toml",
        "explorer/bundled/streamlit_config.toml",
        "explorer/bundled/assets/app.css",
        "explorer/bundled/assets/demo/workspace.json",
    ):
        assert needed in names
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"explorer", next(top for top in tops if top.endswith(".dist-info"))}
    # Features are shipped, since pages need them at once; maps and pictures of the README are not.
    assert any("/demo/features/" in name for name in names)
    assert not [
        name
        for name in names
        if "/assets/" in name and ("/maps/" in name or "/screenshots/" in name)
    ]
    assert not [name for name in names if name.endswith((".tmp", ".pyc", ".lock"))]


def test_requirements_are_those_of_the_project() -> None:
    project = tomllib.loads((REPOSITORY_ROOT / "pyproject.toml").read_text())["project"]
    required = distribution("srae-explorer").requires or []
    plain = {line for line in required if "extra" not in line}
    assert plain == set(project["dependencies"])
    assert all("==" in line for line in plain), "every dependency is pinned"


def test_the_command_prints_its_version(scripts: Path, tmp_path: Path) -> None:
    project = tomllib.loads((REPOSITORY_ROOT / "pyproject.toml").read_text())["project"]
    done = run(scripts / "srae-explorer", "--version", cwd=tmp_path)
    assert done.stdout == f"srae-explorer {project['version']}\n"


def test_the_first_page_shows_the_demo(scripts: Path, tmp_path: Path) -> None:
    done = run(scripts / "python", "-c", RUN_PAGE, cwd=tmp_path, env=make_environment(tmp_path))
    assert "bird" in done.stdout.lower()


@pytest.mark.browser
def test_the_app_opens_on_the_demo(scripts: Path, tmp_path: Path, visit_address: Any) -> None:
    with serve(scripts, tmp_path) as url:
        opened = visit_address(url)
        opened.wait_for_link()
        opened.check()
        assert opened.page.get_by_text("painted", exact=False).count()
        theme = tomllib.loads((REPOSITORY_ROOT / "streamlit_config.toml").read_text())["theme"]
        found = opened.page.evaluate(
            "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
        )
        channels = [int(theme["light"]["backgroundColor"][at : at + 2], 16) for at in (1, 3, 5)]
        assert found == "rgb({}, {}, {})".format(*channels), "the theme of the app applies"


def make_environment(folder: Path) -> dict[str, str]:
    excluded = {WORKSPACE_VARIABLE, PUBLIC_VARIABLE, "PYTHONPATH"}
    kept = {name: value for name, value in os.environ.items() if name not in excluded}
    return kept | {"SRAE_STATE": str(folder / "state")}


@contextlib.contextmanager
def serve(scripts: Path, folder: Path) -> Iterator[str]:
    port = find_port()
    log = folder / "log.txt"
    command = [scripts / "srae-explorer", "app", "--server.headless=true", f"--server.port={port}"]
    environment = make_environment(folder)
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            wait_for(f"http://localhost:{port}/_stcore/health", process, log)
            yield f"http://localhost:{port}"
        finally:
            process.terminate()
            process.wait(20)
    assert "Traceback" not in log.read_text()


def wait_for(url: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2):
            return
        time.sleep(0.2)
    raise TimeoutError(f"{url} did not answer within a minute")
