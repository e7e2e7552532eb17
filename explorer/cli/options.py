"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

WorkspacePath = Annotated[Path, typer.Argument(metavar="WORKSPACE", help="The workspace folder.")]
Device = Annotated[str, typer.Option(help="Where to compute: auto, cpu, cuda, cuda:1, mps.")]
