import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from explorer.__main__ import app
from explorer.cli import serve as command
from explorer.config import DEMO_WORKSPACE, PUBLIC_VARIABLE, WORKSPACE_VARIABLE, ExplorerError


def call(*words: object) -> Any:
    return CliRunner().invoke(app, ["serve", *map(str, words)], catch_exceptions=False)


def test_a_folder_that_is_no_workspace_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExplorerError, match="is not a workspace"):
        call(tmp_path)


def test_impossible_numbers_are_refused() -> None:
    with pytest.raises(ExplorerError, match="--workers must be at least 1, not -1"):
        call("--workers", -1)
    with pytest.raises(ExplorerError, match="--port must be from 1 to 65535"):
        call("--port", 70_000)


def test_workspaces_and_rights_of_visitors_reach_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def serve(settings: Any, environment: dict[str, str]) -> Any:
        seen.update(settings=settings, environment=environment)
        yield "2 processes serve http://localhost:8600"
        yield ""

    monkeypatch.setattr(command, "serve_app", serve)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    monkeypatch.setenv(WORKSPACE_VARIABLE, "/elsewhere")
    monkeypatch.setenv(PUBLIC_VARIABLE, "1")
    result = call(DEMO_WORKSPACE, "--workers", 2, "--port", 8600)
    assert result.exit_code == 0
    assert result.output.splitlines() == ["2 processes serve http://localhost:8600"]
    assert seen["environment"][WORKSPACE_VARIABLE] == str(DEMO_WORKSPACE)
    assert seen["environment"][PUBLIC_VARIABLE] == "1"
    assert PUBLIC_VARIABLE not in os.environ, "it restricts the visitors, not the command"
    assert (seen["settings"].workers, seen["settings"].port) == (2, 8600)
    assert "streamlit" in seen["settings"].command


def test_without_a_number_there_is_one_process_for_each_core(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []

    def serve(settings: Any, _: object) -> Any:
        seen.append(settings.workers)
        yield ""

    monkeypatch.setattr(command, "serve_app", serve)
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    monkeypatch.setattr(command.os, "cpu_count", lambda: 6)
    assert call().exit_code == 0
    assert seen == [6]
