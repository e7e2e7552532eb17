"""Arguments and options shared by several commands, and options generated from settings."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from explorer.config import ExplorerError
from explorer.settings.declaring import Setting
from explorer.settings.parsing import parse_setting
from explorer.workspace.workspace import Workspace

WorkspacePath = Annotated[Path, typer.Argument(metavar="WORKSPACE", help="The workspace folder.")]
Device = Annotated[str, typer.Option(help="Where to compute: auto, cpu, cuda, cuda:1, mps.")]

Command = Callable[..., None]


def add_settings(settings: Iterable[Setting]) -> Callable[[Command], Command]:
    """Give a command an option for each setting.

    The command receives those that the user gave as ``**changes``.

    Parameters
    ----------
    settings : iterable of Setting
        Each becomes an option with the name, help text and default of the setting.
    """
    options = {one.name: one for one in settings}

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        own = [
            parameter
            for parameter in signature.parameters.values()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        parameters = [*own, *map(_make_parameter, options.values())]

        @wraps(command)
        def run_with_changes(**values: Any) -> None:
            changes = {
                name: parse_setting(one, value) if isinstance(value, str) else value
                for name, one in options.items()
                if (value := values.pop(name)) is not None
            }
            command(**values, **changes)

        run_with_changes.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=parameters
        )
        run_with_changes.__annotations__ = {one.name: one.annotation for one in parameters}
        return run_with_changes

    return decorate


def _make_parameter(one: Setting) -> inspect.Parameter:
    kind = type(one.default) if isinstance(one.default, int | float) else str
    choices = f" One of: {', '.join(one.info.choices)}." if one.info.choices else ""
    option = typer.Option(
        help=one.info.help + choices,
        show_default=one.info.default_text or f"{one.default}",
    )
    return inspect.Parameter(
        one.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )


def parse_numbers(text: str, option: str, example: str) -> tuple[int, ...]:
    """Parse the comma-separated whole numbers that the user gave for `option`."""
    try:
        return tuple(int(number) for number in text.split(",") if number.strip())
    except ValueError as error:
        raise ExplorerError(
            f"{option} takes whole numbers such as {example}, not {text!r}."
        ) from error


def choose_categories(
    workspace: Workspace, names: Sequence[str], every: bool, option: str
) -> tuple[str, ...]:
    """Return the named categories, or all categories that have held-out photos."""
    if every == bool(names):
        raise ExplorerError(f"Name a category with {option}, or use --all.")
    if not every:
        return tuple(dict.fromkeys(map(workspace.dataset.find_category, names)))
    with_photos = {photo.category for photo in workspace.held_out}
    return tuple(name for name in workspace.dataset.categories if name in with_photos)
