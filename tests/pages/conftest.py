import functools
import inspect
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest
from workspaces import forget_names, make_tiny_workspace

from explorer.config import REPOSITORY_ROOT, WORKSPACE_VARIABLE
from explorer.ui.shared import garbage
from explorer.workspace import networks
from explorer.workspace.networks import Networks


@pytest.fixture(scope="session")
def tiny_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small workspace, without names of x-features. Read only."""
    return forget_names(make_tiny_workspace(tmp_path_factory.mktemp("workspace") / "tiny"))


@pytest.fixture
def own_workspace(tiny_workspace: Path, tmp_path: Path) -> Path:
    """Return a copy of the small workspace that a test may damage."""
    return Path(shutil.copytree(tiny_workspace, tmp_path / "copy"))


@pytest.fixture(autouse=True, scope="session")
def _no_work_once_per_process() -> Iterator[None]:
    """Skip what Streamlit and the app do once per process, but would do in every test."""
    scan = functools.cache(manifest_scanner.scan_component_manifests)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", scan)
        patch.setattr(garbage, "collect_garbage", lambda: None)
        yield


def _clear_caches() -> None:
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture(autouse=True, scope="module")
def _cleared_caches() -> Iterator[None]:
    """Share caches among the tests of one file, as visitors of one server do."""
    _clear_caches()
    yield
    _clear_caches()


@pytest.fixture
def no_cache() -> Iterator[None]:
    """Clear the caches around a test that counts or changes computations."""
    _clear_caches()
    yield
    _clear_caches()


@pytest.fixture(autouse=True)
def _no_cache_with_patches(request: pytest.FixtureRequest) -> None:
    if "monkeypatch" in inspect.signature(request.function).parameters:
        request.getfixturevalue("no_cache")


@pytest.fixture
def open_app(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Return a function that runs one page on a workspace, with parameters of the address.

    The page is named as its script in ``pages/``; parameters of the address go by keyword.
    """

    def run(workspace: Path, page: str = "photo", /, **params: str) -> AppTest:
        monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace))
        app = AppTest.from_file(REPOSITORY_ROOT / "explorer" / "app.py", default_timeout=60)
        app.switch_page(f"../pages/{page}.py")
        for name, value in params.items():
            app.query_params[name] = value
        return app.run()

    return run


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, no_cache: None) -> list[str]:
    """Return a list to which every run of the network adds its purpose."""
    made: list[str] = []

    def watch(owner: object, name: str, word: Callable[[tuple], str]) -> None:
        compute = getattr(owner, name)

        def count(*args: object, **options: object) -> object:
            made.append(word(args))
            return compute(*args, **options)

        monkeypatch.setattr(owner, name, count)

    watch(Networks, "score_image", lambda _: "scores")
    watch(networks, "compute_explanation", lambda args: f"x-features, {args[-1]}")
    watch(Networks, "explain_score", lambda args: f"score, {args[-1]}")
    return made


_WRITTEN: list[str] | None = None
_HOOKED: list[bool] = []


def _watch_writing(event: str, args: tuple) -> None:
    if _WRITTEN is None or event not in ("open", "tempfile.mkstemp", "os.rename", "os.mkdir"):
        return
    if isinstance(args[0], int):  # a pipe that is open already
        return
    flags = args[2] if event == "open" else os.O_CREAT
    if isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        _WRITTEN.append(str(args[0]))


@pytest.fixture
def written() -> Iterator[list[str]]:
    """Return a list to which everything opened for writing adds its name."""
    global _WRITTEN  # noqa: PLW0603 (a hook cannot be taken off again)
    if not _HOOKED:
        sys.addaudithook(_watch_writing)
        _HOOKED.append(True)
    _WRITTEN = []
    yield _WRITTEN
    _WRITTEN = None
