"""The command ``app``: opening the app, from a clone or an installed wheel alike."""

import os
import sys
import tomllib
from collections.abc import Iterator, Mapping
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
            help="Workspaces to open; by default those in SRAE_WORKSPACE, or the demo.",
        ),
    ] = None,
) -> None:
    """Open the app in the browser. Takes Streamlit's options too, such as --server.port=8600."""
    words = arguments or []
    workspaces = [Path(word) for word in words if not word.startswith("-")]
    for workspace in workspaces:
        if not (workspace / SETTINGS_FILE).is_file():
            raise ExplorerError(
                f"{workspace} is not a workspace. Make one with `python -m explorer new`. Options "
                "of Streamlit are written with an equals sign: --server.port=8600."
            )
    if workspaces:
        paths = [str(workspace.resolve()) for workspace in workspaces]
        os.environ[WORKSPACE_VARIABLE] = os.pathsep.join(paths)
    own = list_options(tomllib.loads(_SETTINGS.read_text(encoding="utf-8")))
    given = [word for word in words if word.startswith("-")]
    command = [sys.executable, "-m", "streamlit", "run", str(APP_SCRIPT), *own, *given]
    # The server takes the place of this process, and with it Ctrl-C and every other signal.
    os.execv(sys.executable, command)


def list_options(settings: Mapping[str, Any]) -> Iterator[str]:
    """List the app's own Streamlit settings as options, which hold wherever it is started."""
    for section, values in settings.items():
        for name, value in values.items():
            yield f"--{section}.{name}={_write(section, name, value)}"


def _write(section: str, name: str, value: Any) -> str:
    if (section, name) == ("theme", "base"):
        return str(APP_ROOT / value)
    return str(value).lower() if isinstance(value, bool) else str(value)
