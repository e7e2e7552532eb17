"""Arguments and options that several commands share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from explorer.config import ExplorerError
from explorer.workspace.workspace import Workspace

WorkspacePath = Annotated[Path, typer.Argument(metavar="WORKSPACE", help="The workspace folder.")]
Device = Annotated[str, typer.Option(help="Where to compute: auto, cpu, cuda, cuda:1, mps.")]


def parse_numbers(text: str, option: str, example: str) -> tuple[int, ...]:
    """Read whole numbers with commas between them, as the user wrote them for `option`."""
    try:
        return tuple(int(number) for number in text.split(",") if number.strip())
    except ValueError as error:
        raise ExplorerError(
            f"{option} takes whole numbers such as {example}, not {text!r}."
        ) from error


def choose_categories(
    workspace: Workspace, names: Sequence[str], every: bool, option: str
) -> tuple[str, ...]:
    """Return the categories that are named, or every one that has photos to test a module on."""
    if every == bool(names):
        raise ExplorerError(f"Name a category with {option}, or use --all.")
    if not every:
        return tuple(dict.fromkeys(map(workspace.dataset.find_category, names)))
    with_photos = {photo.category for photo in workspace.held_out}
    return tuple(name for name in workspace.dataset.categories if name in with_photos)
