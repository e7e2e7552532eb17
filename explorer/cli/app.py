"""The command ``app``: opening the app, from a clone or from an installed package."""

import os
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from explorer.config import APP_ROOT, APP_SCRIPT, WORKSPACE_VARIABLE, ExplorerError
from explorer.workspace.layout import SETTINGS_FILE

_SETTINGS = APP_ROOT / ".streamlit" / "config.toml"


def app(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WORKSPACE",
            help="Workspaces to open; by default those in SRAE_WORKSPACE, or else those that come "
            "with the explorer.",
        ),
    ] = None,
) -> None:
    """Open the app in the browser. Accepts Streamlit's options, such as --server.port=8600."""
    words = arguments or []
    name_workspaces([Path(word) for word in words if not word.startswith("-")])
    command = [*make_command(), *(word for word in words if word.startswith("-"))]
    # Replaces this process, so that Ctrl-C and other signals reach the server directly.
    os.execv(sys.executable, command)


def name_workspaces(workspaces: Sequence[Path]) -> None:
    """Let the app open these workspaces, where some are given.

    Raises
    ------
    ExplorerError
        When one of them is not a workspace.
    """
    for workspace in workspaces:
        if not (workspace / SETTINGS_FILE).is_file():
            raise ExplorerError(
                f"{workspace} is not a workspace. Create one with `python -m explorer new`. Write "
                "Streamlit's options with an equals sign: --server.port=8600."
            )
    if workspaces:
        paths = [str(workspace.resolve()) for workspace in workspaces]
        os.environ[WORKSPACE_VARIABLE] = os.pathsep.join(paths)


def make_command() -> tuple[str, ...]:
    """Return the command that starts the app, with its settings, wherever it is started."""
    defaults = list_options(tomllib.loads(_SETTINGS.read_text(encoding="utf-8")))
    return (sys.executable, "-m", "streamlit", "run", str(APP_SCRIPT), *defaults)


def list_options(settings: Mapping[str, Any]) -> Iterator[str]:
    """List Streamlit settings as options, which apply wherever the app is started."""
    for section, values in settings.items():
        for name, value in values.items():
            yield f"--{section}.{name}={_format(section, name, value)}"


def _format(section: str, name: str, value: Any) -> str:
    if (section, name) == ("theme", "base"):
        return str(APP_ROOT / value)
    return str(value).lower() if isinstance(value, bool) else str(value)
