"""The command line: ``python -m explorer --help``."""

import logging
import os
import sys
from importlib.metadata import version
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from explorer.cli.app import app as open_app
from explorer.cli.atlas import atlas
from explorer.cli.classifier import finetune, new
from explorer.cli.demo import demo
from explorer.cli.doctor import doctor
from explorer.cli.evaluate import evaluate, sanity
from explorer.cli.explain import explain
from explorer.cli.fetch import fetch
from explorer.cli.maps import maps
from explorer.cli.names import names
from explorer.cli.pack import birds, pack
from explorer.cli.parts import parts
from explorer.cli.serve import serve
from explorer.cli.sweep import sweep
from explorer.cli.train import train
from explorer.config import PUBLIC_VARIABLE, ExplorerError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
for command in (
    *(fetch, new, finetune, train, parts, evaluate, sanity, sweep, maps, names, atlas, explain),
    *(doctor, demo, birds, pack, serve),
):
    app.command()(command)
app.command("app", context_settings={"ignore_unknown_options": True})(open_app)


def _show_version(requested: bool) -> None:
    if requested:
        Console().print(f"srae-explorer {version('srae-explorer')}", highlight=False)
        raise typer.Exit


@app.callback()
def start(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Explain a bird classifier's scores with a few concepts, drawn on the photo."""
    if context.invoked_subcommand not in ("app", "serve"):
        # It restricts visitors of the app, not people who can run commands.
        os.environ.pop(PUBLIC_VARIABLE, None)


def main() -> None:
    """Run the command line. An expected failure prints one sentence and exits with status 1."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        app()
    except ExplorerError as error:
        _exit_with(str(error))
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "out of memory" not in str(error):
            raise
        _exit_with(
            "There is not enough memory. Choose a smaller --batch-size, --group-size 1 or "
            "--device cpu."
        )
    except OSError as error:
        _exit_with(f"{error}. Existing files have not been changed; fix this and run it again.")


def _exit_with(message: str) -> NoReturn:
    Console(stderr=True).print("[bold red]Error:[/]", escape(message), highlight=False)
    sys.exit(1)


if __name__ == "__main__":
    main()
