"""Runs the command line in this process."""

import sys
from collections.abc import Callable

import pytest

from explorer import __main__ as command_line

Call = Callable[..., tuple[int, str, str]]


def make_call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> Call:
    """Return a function that runs a command, and returns its status and what it writes."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["explorer", command, *map(str, arguments)])
        status = 0
        try:
            command_line.main()
        except SystemExit as stop:
            status = int(stop.code or 0)
        found = capsys.readouterr()
        return status, found.out, found.err

    return run
