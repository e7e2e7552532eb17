"""Options that choose how the tasks of a command run: in this process or with Ray."""

from enum import StrEnum
from typing import Annotated

import typer

from explorer.config import ExplorerError
from explorer.engines.tasks import Engine


class EngineName(StrEnum):
    """How tasks run."""

    LOCAL = "local"
    RAY = "ray"


EngineOption = Annotated[
    EngineName, typer.Option(help="Compute one by one on this machine, or in parallel with Ray.")
]
Address = Annotated[
    str,
    typer.Option(help="Ray cluster with access to the workspace; by default, Ray is started here."),
]
Workers = Annotated[
    int, typer.Option(help="Parallel tasks if Ray is started here; 0 for one per core.")
]


def choose_engine(name: EngineName, address: str, workers: int) -> Engine | None:
    """Return the engine that the options name; None to compute in this process.

    Raises
    ------
    ExplorerError
        When options do not fit each other, or Ray is not installed.
    """
    if name == EngineName.RAY:
        # Ray is an optional dependency that only this engine needs.
        from explorer.engines.ray_engine import make_engine  # noqa: PLC0415

        return make_engine(address, workers)
    if address or workers:
        raise ExplorerError("--address and --workers need --engine ray.")
    return None
