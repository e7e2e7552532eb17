"""Runs the app and writes down what it computes and reads; started by the other benchmarks.

Called with a file for what is counted and a port. A line of the file is an event in JSON: when it
was, of which kind, and what. Nothing of the app is changed but for the counting, and for SIGUSR1,
on which it gives free memory back.
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
    """Append one event to the file."""
    with _LOCK:
        _OUTPUT.write(json.dumps([time.time(), kind, what]) + "\n")


# What is counted, once the module that holds it has been imported: owner, name, kind of event.
WATCHED: dict[str, Sequence[tuple[str, str, str]]] = {
    "explorer.workspace.networks": (
        ("Networks", "explain", "c-MWP of x-features"),
        ("Networks", "explain_score", "c-MWP of the score"),
        ("Networks", "explain_by_gradient", "Grad-CAM"),
        ("Networks", "compute_scores", "scores alone"),
        ("Networks", "_load_classifier", "network loaded"),
    ),
    "explorer.nn.backbones.backbone": (("Backbone", "compute_features", "feature passes"),),
    "explorer.measuring.scores": (("", "score_photos", "module over all Z"),),
    "explorer.render.heatmap": (("", "render_overlay", "maps drawn"),),
    "explorer.render.scatter": (("", "render_scatter", "scatters laid out"),),
}


class CountingFinder(importlib.abc.MetaPathFinder):
    """Finds the watched modules as usual, and counts calls of what is in them."""

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
    """Write down every call of a function."""
    compute = getattr(owner, name)

    def count(*args: Any, **options: Any) -> Any:
        write_event(kind, name)
        return compute(*args, **options)

    setattr(owner, name, count)


def watch_files(folders: tuple[str, ...]) -> None:
    """Write down every file below the folders that is opened to be read."""

    def note(event: str, args: tuple[Any, ...]) -> None:
        if event != "open" or not isinstance(args[0], str | Path):
            return
        path, mode = str(args[0]), str(args[1] or "r")
        kind = _KINDS.get(Path(path).suffix)
        if kind and path.startswith(folders) and "r" in mode:
            write_event("read", f"{kind} {path}")

    sys.addaudithook(note)


def watch_weights() -> None:
    """Write down every file of weights that is opened: these are mapped, not read."""
    import safetensors  # noqa: PLC0415 (brings no torch along)

    open_file = safetensors.safe_open

    def count(path: Any, *args: Any, **options: Any) -> Any:
        write_event("read", f"weights {path}")
        return open_file(path, *args, **options)

    safetensors.safe_open = count


def give_back_memory_when_asked() -> None:
    """On SIGUSR1, collect garbage and give the system what is free: the rest is in use."""

    def give_back(*_: object) -> None:
        gc.collect()
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone
        if trim is not None:
            trim(0)

    signal.signal(signal.SIGUSR1, give_back)


def main() -> None:
    """Serve the app on the loopback until the process is ended."""
    sys.meta_path.insert(0, CountingFinder())
    give_back_memory_when_asked()
    watch_weights()
    watch_files((os.environ["SRAE_WORKSPACE"], str(REPOSITORY_ROOT / "assets")))
    from streamlit.web import cli  # noqa: PLC0415 (nothing may be imported before it is watched)

    options = ["--server.headless=true", "--server.address=127.0.0.1", f"--server.port={_PORT}"]
    options += ["--server.fileWatcherType=none", "--browser.gatherUsageStats=false"]
    sys.argv = ["streamlit", "run", str(REPOSITORY_ROOT / "explorer" / "app.py"), *options]
    cli.main()


if __name__ == "__main__":
    main()
