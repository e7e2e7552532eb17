"""The command ``atlas``: all x-features as files, and somebody else's names for them."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from explorer.cli.options import WorkspacePath
from explorer.cli.reporting import console, follow
from explorer.config import ExplorerError
from explorer.data.cub import format_category
from explorer.data.names import count_words
from explorer.explaining.atlas import describe_atlas
from explorer.explaining.atlas_files import make_json, make_table
from explorer.explaining.names_exchange import OtherNames, load_other_names, take_names
from explorer.storage.writing import write_bytes
from explorer.workspace.files import WorkspaceFiles


def atlas(
    workspace: WorkspacePath,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; see docs/atlas.md.")] = False,
    csv: Annotated[
        Path | None, typer.Option(help="Write a table with a row per x-feature.")
    ] = None,
    names_file: Annotated[
        Path | None,
        typer.Option("--import", help="Take names and notes from somebody else's JSON."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Let them replace your own where both differ.")
    ] = False,
) -> None:
    """Export all x-features with names, notes and measures, or import names and notes."""
    opened = WorkspaceFiles(workspace)
    if names_file is not None:
        if as_json or csv:
            raise ExplorerError("Import names first, then write files in a second call.")
        import_names(load_other_names(opened, names_file), replace=replace)
        return
    if not (as_json or csv):
        raise ExplorerError("Say what to do: --json, --csv FILE or --import FILE.")
    found = describe_atlas(opened, opened.list_modules())
    if csv is not None:
        write_bytes(csv, make_table(found))
    if as_json:
        sys.stdout.write(make_json(found).decode())


def import_names(names: OtherNames, *, replace: bool) -> None:
    """Store names and notes, and print what was kept, already there or of other modules."""
    different = names.select("different")
    stored = follow(take_names(names, replace=replace))
    console.print(
        f"{count_words(stored, 'note')} stored, {len(names.select('same'))} already there, "
        f"{names.foreign} of other modules.",
        highlight=False,
    )
    if different and not replace:
        console.print(f"{count_words(len(different), 'note')} of yours kept; they differ:")
        for one in different:
            place = f"{format_category(one.entry.category)}, x-feature {one.feature + 1}"
            console.print(
                f"  {place}: yours “{one.mine.name}”, theirs “{one.theirs.name}”",
                markup=False,
                highlight=False,
            )
        console.print("--replace puts theirs in their place.")
