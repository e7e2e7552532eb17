"""Runs the app and records what it computes and reads; started by the other benchmarks.

The arguments are a file for events and a port. Each line of the file is an event in JSON: its time,
kind and details. Apart from recording events, the app is unchanged, except that it releases free
memory on SIGUSR1.
"""

import ctypes
import gc
import importlib.abc
import importlib.machinery
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

REPOSITORY_ROOT = Path(__file__).parents[1]

_FILE, _PORT = Path(sys.argv[1]), sys.argv[2]
_LOCK = threading.Lock()
_OUTPUT = _FILE.open("a", encoding="utf-8", buffering=1)
_KINDS = {".jpg": "photo", ".npy": "features", ".safetensors": "weights", ".json": "measures"}
_KINDS |= {".txt": "annotations", ".csv": "results", ".css": "style"}


def write_event(kind: str, what: str) -> None:
    """Append an event to the file."""
    with _LOCK:
        _OUTPUT.write(json.dumps([time.time(), kind, what]) + "\n")


# Functions whose calls are recorded, by module: owner, name, kind of event.
WATCHED: dict[str, Sequence[tuple[str, str, str]]] = {
    "explorer.workspace.networks": (
        ("Networks", "explain", "c-MWP of x-features"),
        ("Networks", "explain_score", "c-MWP of the score"),
        ("Networks", "compute_scores", "scores alone"),
        ("Networks", "_load_classifier", "network loaded"),
    ),
    "explorer.evaluation.case": (("Case", "draw_grad_cam", "Grad-CAM"),),
    "explorer.nn.backbones.backbone": (("Backbone", "compute_features", "feature passes"),),
    "explorer.measuring.scores": (("", "score_photos", "module over all Z"),),
    "explorer.render.heatmap": (("", "render_overlay", "maps drawn"),),
    "explorer.render.scatter": (("", "render_scatter", "scatters laid out"),),
}


class CountingFinder(importlib.abc.MetaPathFinder):
    """Finds the watched modules as usual, and records calls of their functions."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name == "torch":
            write_event("torch", "imported")
        if name not in WATCHED:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return None
        run: Callable[[ModuleType], None] = spec.loader.exec_module

        def run_and_watch(module: ModuleType) -> None:
            run(module)
            for owner, attribute, kind in WATCHED[name]:
                watch(getattr(module, owner) if owner else module, attribute, kind)

        spec.loader.exec_module = run_and_watch  # type: ignore[method-assign]
        return spec


def watch(owner: Any, name: str, kind: str) -> None:
    """Record each call of a function."""
    function = getattr(owner, name)

    def record(*args: Any, **options: Any) -> Any:
        write_event(kind, name)
        return function(*args, **options)

    setattr(owner, name, record)


def watch_files(folders: tuple[str, ...]) -> None:
    """Record each file in the folders that is opened for reading."""

    def record(event: str, args: tuple[Any, ...]) -> None:
        if event != "open" or not isinstance(args[0], str | Path):
            return
        path, mode = str(args[0]), str(args[1] or "r")
        kind = _KINDS.get(Path(path).suffix)
        if kind and path.startswith(folders) and "r" in mode:
            write_event("read", f"{kind} {path}")

    sys.addaudithook(record)


def watch_weights() -> None:
    """Record each file of weights that is opened; these are memory-mapped, not read."""
    import safetensors  # noqa: PLC0415 (does not import torch)

    open_file = safetensors.safe_open

    def record(path: Any, *args: Any, **options: Any) -> Any:
        write_event("read", f"weights {path}")
        return open_file(path, *args, **options)

    safetensors.safe_open = record


def release_memory_on_signal() -> None:
    """On SIGUSR1, collect garbage and release free memory, so that the rest is in use."""

    def release(*_: object) -> None:
        gc.collect()
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # only in glibc
        if trim is not None:
            trim(0)

    signal.signal(signal.SIGUSR1, release)


def main() -> None:
    """Serve the app on the loopback interface until the process is terminated."""
    sys.meta_path.insert(0, CountingFinder())
    release_memory_on_signal()
    watch_weights()
    watch_files((os.environ["SRAE_WORKSPACE"], str(REPOSITORY_ROOT / "assets")))
    from streamlit.web import cli  # noqa: PLC0415 (imported after the hooks are installed)

    options = ["--server.headless=true", "--server.address=127.0.0.1", f"--server.port={_PORT}"]
    options += ["--server.fileWatcherType=none", "--browser.gatherUsageStats=false"]
    sys.argv = ["streamlit", "run", str(REPOSITORY_ROOT / "explorer" / "app.py"), *options]
    cli.main()


if __name__ == "__main__":
    main()
