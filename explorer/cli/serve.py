"""The command ``serve``: the app for many visitors, in several processes."""

import contextlib
import os
import signal
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from explorer.cli.app import make_command, name_workspaces
from explorer.cli.reporting import console
from explorer.config import PUBLIC_VARIABLE
from explorer.serving.workers import ServeSettings
from explorer.serving.workers import serve as serve_app


def serve(
    workspaces: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="WORKSPACE",
            help="Workspaces to open; by default those in SRAE_WORKSPACE, or else those that come "
            "with the explorer.",
        ),
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes of the app; 0 for one per core.")] = 0,
    address: Annotated[
        str, typer.Option(help="Whom to answer: localhost, or 0.0.0.0 for the whole network.")
    ] = "localhost",
    port: Annotated[int, typer.Option(help="Where visitors find the app.")] = 8501,
) -> None:
    """Serve the app to many visitors: several processes behind nginx, which must be installed.

    Each visitor stays with one process. A process that ends is started again, and costs its
    visitors a reload. All share workspaces, caches on the disk and trainings.
    """
    name_workspaces(workspaces or [])
    count = workers or os.cpu_count() or 1
    command = (*make_command(), "--server.headless=true", "--logger.hideWelcomeMessage=true")
    settings = ServeSettings(command, count, address, port)
    environment = dict(os.environ)
    os.environ.pop(PUBLIC_VARIABLE, None)  # it restricts the visitors
    signal.signal(signal.SIGTERM, _interrupt)
    # Closed at once, so that no process outlives this one.
    with contextlib.closing(serve_app(settings, environment)) as messages:
        try:
            for message in filter(None, messages):
                console.print(message, highlight=False, soft_wrap=True)
        except KeyboardInterrupt:
            console.print("Stopping …")


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
