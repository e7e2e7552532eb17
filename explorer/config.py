"""Paths, environment and the few types that every room shares (standard library only)."""

import os
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

REPOSITORY_ROOT = Path(__file__).resolve().parents[1]
_BUNDLED = Path(__file__).resolve().parent / "bundled"
APP_ROOT = _BUNDLED if _BUNDLED.is_dir() else REPOSITORY_ROOT
"""Where pages, assets and Streamlit's settings are: in a wheel they travel inside the package."""
APP_SCRIPT = Path(__file__).resolve().parent / "app.py"
PAGES_DIR = APP_ROOT / "pages"
ASSETS_DIR = APP_ROOT / "assets"
DEMO_WORKSPACE = ASSETS_DIR / "demo"

WORKSPACE_VARIABLE = "SRAE_WORKSPACE"
CUB_ROOT_VARIABLE = "CUB_ROOT"
STATE_VARIABLE = "SRAE_STATE"
PRECISION_VARIABLE = "SRAE_PRECISION"
PUBLIC_VARIABLE = "SRAE_PUBLIC"

T = TypeVar("T")
S = TypeVar("S")
MOST_SEED = 2**63 - 1
"""The largest that every random generator in use takes."""


class ExplorerError(Exception):
    """An expected failure whose message tells the user what is wrong and how to mend it."""


class PublicError(ExplorerError):
    """Something was asked for that a public server does not do for its visitors."""


@dataclass(frozen=True)
class Progress:
    """One step of a long computation, the same for the command line and the page.

    Attributes
    ----------
    stage : str
        What is being done, in words for the user, such as ``"Painting birds"``.
    done, total : int
        Steps finished and steps in all; ``0 <= done <= total``.
    values : Mapping[str, float]
        Named measurements so far, such as ``{"loss": 0.12}``.
    """

    stage: str
    done: int
    total: int
    values: Mapping[str, float] = field(default_factory=dict)


Steps = Generator[Progress, None, T]
"""A long computation that yields how far it is and returns what it found."""


def run(steps: Generator[S, None, T], on_progress: Callable[[S], object] = lambda _: None) -> T:
    """Run a computation to its end, telling `on_progress` of every step, and return its result."""
    with closing(steps):
        while True:
            try:
                step = next(steps)
            except StopIteration as stop:
                result: T = stop.value
                return result
            on_progress(step)


def map_steps(
    steps: Generator[Progress, None, T], change: Callable[[Progress], S]
) -> Generator[S, None, T]:
    """Yield what `change` makes of every step, and return the result of the computation."""
    with closing(steps):
        while True:
            try:
                step = next(steps)
            except StopIteration as stop:
                result: T = stop.value
                return result
            yield change(step)


def check_seed(seed: int) -> None:
    """Raise `ExplorerError` where a random generator would refuse `seed`."""
    if not 0 <= seed <= MOST_SEED:
        raise ExplorerError(f"A seed must lie between 0 and {MOST_SEED}, unlike {seed}.")


def list_workspaces() -> tuple[Path, ...]:
    """Return the workspaces named by ``SRAE_WORKSPACE``, or the demo that ships.

    Several are written like folders in ``PATH``: with ``:`` between them, on Windows with ``;``.
    A public server has only the first.
    """
    named = os.environ.get(WORKSPACE_VARIABLE, "").split(os.pathsep)
    paths = [Path(path).resolve() for path in named if path]
    found = tuple(dict.fromkeys(paths)) or (DEMO_WORKSPACE.resolve(),)
    return found[:1] if is_public() else found


def is_public() -> bool:
    """Return whether visitors may look but change nothing: ``SRAE_PUBLIC=1``.

    Any value switches it on but nothing, ``0``, ``false``, ``no`` and ``off``: a misspelt one must
    not open a server.
    """
    named = os.environ.get(PUBLIC_VARIABLE, "").strip().lower()
    return named not in ("", "0", "false", "no", "off")


def get_precision() -> str:
    """Return the number format of heatmaps; see `explorer.attribution.engine`."""
    return os.environ.get(PRECISION_VARIABLE) or "float32"
