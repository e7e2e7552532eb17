"""Paths, environment variables and the types that every room uses; standard library only."""

import os
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import TypeVar

REPOSITORY_ROOT = Path(__file__).resolve().parents[1]
_BUNDLED = Path(__file__).resolve().parent / "bundled"
APP_ROOT = _BUNDLED if _BUNDLED.is_dir() else REPOSITORY_ROOT
"""The folder of pages, assets and Streamlit's settings; a wheel has them inside the package."""
APP_SCRIPT = Path(__file__).resolve().parent / "app.py"
PAGES_DIR = APP_ROOT / "pages"
ASSETS_DIR = APP_ROOT / "assets"
DEMO_WORKSPACE = ASSETS_DIR / "demo"
BIRDS_WORKSPACE = ASSETS_DIR / "birds"

WORKSPACE_VARIABLE = "SRAE_WORKSPACE"
CUB_ROOT_VARIABLE = "CUB_ROOT"
STATE_VARIABLE = "SRAE_STATE"
PRECISION_VARIABLE = "SRAE_PRECISION"
PUBLIC_VARIABLE = "SRAE_PUBLIC"

T = TypeVar("T")
S = TypeVar("S")
MAX_SEED = 2**63 - 1
"""The largest seed that every random generator in use accepts."""


class ExplorerError(Exception):
    """An expected failure whose message says what is wrong and how to fix it."""


class PublicError(ExplorerError):
    """A public server does not allow this to its visitors."""


@dataclass(frozen=True)
class Progress:
    """How far a long computation is; the command line and the pages show it alike.

    Attributes
    ----------
    stage : str
        What is being done, as shown to the user, such as ``"Painting birds"``.
    done, total : int
        Finished steps and all steps; ``0 <= done <= total``.
    values : Mapping[str, float]
        Current measurements by name, such as ``{"loss": 0.12}``.
    detail : str
        Where in the stage this is, if `done` does not say it: ``"epoch 12 of 60"``.
    """

    stage: str
    done: int
    total: int
    values: Mapping[str, float] = field(default_factory=dict)
    detail: str = ""


Steps = Generator[Progress, None, T]
"""A long computation that yields its progress and returns its result."""


def run(steps: Generator[S, None, T], on_progress: Callable[[S], object] = lambda _: None) -> T:
    """Run a computation, call `on_progress` with everything it yields, and return its result."""
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
    """Apply `change` to everything a computation yields, and return its result."""
    with closing(steps):
        while True:
            try:
                step = next(steps)
            except StopIteration as stop:
                result: T = stop.value
                return result
            yield change(step)


def check_seed(seed: int) -> None:
    """Raise `ExplorerError` if a random generator would refuse `seed`."""
    if not 0 <= seed <= MAX_SEED:
        raise ExplorerError(f"A seed must be from 0 to {MAX_SEED}, not {seed}.")


def list_shipped_workspaces() -> tuple[Path, ...]:
    """Return the workspaces that come with the explorer, the one opened at the first start first.

    They are that of real birds, where it is there, and the demo of painted birds.
    """
    return _resolve_present(BIRDS_WORKSPACE, DEMO_WORKSPACE)


@cache  # pages ask for them hundreds of times, and they do not come and go
def _resolve_present(*shipped: Path) -> tuple[Path, ...]:
    """Return the folders that exist, or else the last one."""
    found = tuple(path for path in shipped if path.is_dir())
    return tuple(path.resolve() for path in found or shipped[-1:])


def list_workspaces() -> tuple[Path, ...]:
    """Return the workspaces in ``SRAE_WORKSPACE``, or else those that come with the explorer.

    Several are separated like folders in ``PATH``: by ``:``, or by ``;`` on Windows. A public
    server opens only the first.
    """
    named = os.environ.get(WORKSPACE_VARIABLE, "").split(os.pathsep)
    found = _resolve(tuple(filter(None, named)), Path.cwd()) or list_shipped_workspaces()
    return found[:1] if is_public() else found


@lru_cache(16)
def _resolve(names: tuple[str, ...], folder: Path) -> tuple[Path, ...]:
    """Return folders named relative to another one, each once."""
    return tuple(dict.fromkeys((folder / name).resolve() for name in names))


def is_public() -> bool:
    """Return whether this is a public server, whose visitors cannot change anything.

    ``SRAE_PUBLIC=1`` makes it one, and so does every value except an empty one, ``0``, ``false``,
    ``no`` and ``off``: a misspelt value must not give visitors the right to change things.
    """
    named = os.environ.get(PUBLIC_VARIABLE, "").strip().lower()
    return named not in ("", "0", "false", "no", "off")


def get_precision() -> str:
    """Return the number format of heatmaps; see `explorer.attribution.engine`."""
    return os.environ.get(PRECISION_VARIABLE) or "float32"
