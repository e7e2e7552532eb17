import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from explorer.__main__ import app
from explorer.cli.app import list_options
from explorer.config import (
    APP_SCRIPT,
    DEMO_WORKSPACE,
    PUBLIC_VARIABLE,
    REPOSITORY_ROOT,
    WORKSPACE_VARIABLE,
    ExplorerError,
)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Return the commands that would have replaced this process."""
    commands: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, command: commands.append(command))
    return commands


@pytest.mark.parametrize("count", [1, 2])
def test_workspaces_and_streamlit_options_are_distinguished(
    started: list[list[str]], monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setenv(WORKSPACE_VARIABLE, "elsewhere")
    words = [*[str(DEMO_WORKSPACE)] * count, "--server.port=8600"]
    assert CliRunner().invoke(app, ["app", *words]).exit_code == 0
    (command,) = started
    assert command[:5] == [sys.executable, "-m", "streamlit", "run", str(APP_SCRIPT)]
    assert command[-1] == "--server.port=8600"
    assert "--server.address=localhost" in command
    assert os.environ[WORKSPACE_VARIABLE] == os.pathsep.join([str(DEMO_WORKSPACE)] * count)


def test_without_arguments_the_environment_decides(
    started: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WORKSPACE_VARIABLE, "elsewhere")
    assert CliRunner().invoke(app, ["app"]).exit_code == 0
    assert len(started) == 1
    assert os.environ[WORKSPACE_VARIABLE] == "elsewhere"


def test_a_folder_that_is_not_a_workspace_is_refused(
    started: list[list[str]], tmp_path: Path
) -> None:
    result = CliRunner().invoke(app, ["app", str(tmp_path)])
    assert isinstance(result.exception, ExplorerError)
    assert "is not a workspace" in str(result.exception)
    assert not started


@pytest.mark.parametrize(("words", "is_kept"), [(["app"], True), (["doctor"], False)])
def test_only_the_app_can_be_public(
    started: list[list[str]], monkeypatch: pytest.MonkeyPatch, words: list[str], is_kept: bool
) -> None:
    monkeypatch.setenv(PUBLIC_VARIABLE, "1")
    CliRunner().invoke(app, words)
    assert (PUBLIC_VARIABLE in os.environ) == is_kept


def test_streamlit_understands_every_option(tmp_path: Path) -> None:
    settings = tomllib.loads((REPOSITORY_ROOT / ".streamlit" / "config.toml").read_text())
    options = list(list_options(settings))
    assert len(options) == sum(map(len, settings.values()))
    done = subprocess.run(
        [sys.executable, "-m", "streamlit", "config", "show", *options],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = tomllib.loads(done.stdout[done.stdout.index("[global]") :])
    assert shown["theme"]["base"] == "light"
    assert shown["theme"]["dark"]["primaryColor"], "the theme's own file has been read"
    for section, name in (("server", "maxUploadSize"), ("client", "showErrorDetails")):
        assert shown[section][name] == settings[section][name]
