"""Holds the layers that the package is built in, by reading imports without running them."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

from explorer.config import REPOSITORY_ROOT

PACKAGE = REPOSITORY_ROOT / "explorer"
PAGES = REPOSITORY_ROOT / "pages"
FILES = sorted([*PACKAGE.rglob("*.py"), *PAGES.rglob("*.py")])
MOST_LINES = 400

# What each part may import from the others. Whatever is not listed may not be imported.
BASE = {"config", "files", "layout", "reading"}
ARRAYS = {"analysis", "render"}
ALLOWED: dict[str, set[str]] = {
    "config": set(),
    "files": {"config"},
    "reading": set(),
    "layout": {"config", "files", "reading"},
    "data": BASE,
    "nn": BASE | {"data"},
    "attribution": BASE | {"data", "nn"},
    "training": BASE | {"data", "nn"},
    "analysis": {"config"},
    "render": {"config"},
    "parts": {"analysis", "data"},
    "module_training": BASE | {"data", "nn", "training", "workspace"},
    "maps_cache": BASE | {"data", "attribution", "workspace"},
    "map_drawing": BASE | {"data", "attribution", "maps_cache", "workspace"},
    "measured": {"layout"},
    "workspace_files": BASE | {"data", "nn", "parts", "measured"},
    "workspace": BASE
    | ARRAYS
    | {"data", "nn", "attribution", "training", "measures", "module_training"}
    | {"maps_cache", "workspace_files"},
    "read_only": BASE | {"training", "workspace"},
    "measures": BASE | ARRAYS | {"data", "nn", "attribution", "workspace"},
    "scores": BASE | ARRAYS | {"data", "nn", "training", "workspace"},
    "notes": BASE | {"data"},
    "quiz": set(),
    "demo": BASE | ARRAYS | {"data", "nn", "attribution", "training", "workspace"},
    "worker": BASE | {"nn", "training", "workspace"},
    "methods": {"config", "nn", "training"},
    "evaluation": BASE
    | ARRAYS
    | {"data", "nn", "attribution", "training", "parts", "workspace", "methods"},
    "doctor": BASE
    | ARRAYS
    | {"data", "nn", "attribution", "training", "workspace", "notes", "maps_cache"}
    | {"evaluation", "methods"},
    "sweep": BASE | {"nn", "training", "workspace", "methods", "module_training"},
    "sweep_ray": {"config", "sweep", "workspace"},
    "cli": BASE
    | {"data", "nn", "attribution", "training", "workspace", "methods", "sweep", "sweep_ray"}
    | {"map_drawing", "doctor"},
    "__main__": BASE
    | ARRAYS
    | {"data", "nn", "attribution", "training", "workspace", "demo", "methods", "evaluation"}
    | {"module_training", "cli"},
    "ui": BASE
    | ARRAYS
    | {"data", "nn", "attribution", "training", "parts", "workspace", "evaluation"}
    | {"scores", "notes", "quiz", "read_only"},
    "app": {"config", "ui"},
    "pages": BASE | ARRAYS | {"data", "attribution", "workspace", "ui"},
    "__init__": set(),
}
MAY_IMPORT = {
    "torch": {"nn", "attribution", "training", "workspace"},
    "torchvision": {"nn"},
    "streamlit": {"app", "ui", "pages"},
    "typer": {"__main__", "cli"},
    "rich": {"__main__", "cli"},
    "plotly": {"render", "ui"},
    "requests": {"data"},
    "filelock": {"data", "training", "worker"},
    "platformdirs": {"cli", "training"},
    "ray": {"sweep_ray"},
}


class Import(NamedTuple):
    """One import: the module's full name, and whether only type checkers see it."""

    name: str
    for_types: bool


def get_part(file: Path) -> str:
    if file.is_relative_to(PAGES):
        return "pages"
    first = file.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def get_module_name(file: Path) -> str:
    parts = file.relative_to(REPOSITORY_ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def read_imports(file: Path) -> tuple[Import, ...]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return tuple(_find_imports(tree, for_types=False))


def _find_imports(node: ast.AST, *, for_types: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, for_types) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are absolute"
            yield from (Import(f"{child.module}.{alias.name}", for_types) for alias in child.names)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            yield from _find_imports(child, for_types=True)
        else:
            yield from _find_imports(child, for_types=for_types)


def name_file(file: Path) -> str:
    return str(file.relative_to(REPOSITORY_ROOT))


def test_all_files_are_found() -> None:
    assert len(FILES) > 40
    assert {get_part(file) for file in FILES} <= set(ALLOWED)
    assert {"torch.nn", "torch.Tensor"} <= {
        found.name for found in read_imports(PACKAGE / "nn" / "srae.py")
    }


@pytest.mark.parametrize("file", FILES, ids=name_file)
def test_imports_go_one_way(file: Path) -> None:
    part = get_part(file)
    for found in read_imports(file):
        names = found.name.split(".")
        if names[0] != "explorer" or names[1:] == ["__version__"]:
            continue
        other = names[1]
        assert other == part or other in ALLOWED[part], f"{part} may not import {found.name}"


@pytest.mark.parametrize("file", FILES, ids=name_file)
def test_libraries_stay_in_their_places(file: Path) -> None:
    for found in read_imports(file):
        allowed = MAY_IMPORT.get(found.name.split(".")[0])
        assert allowed is None or get_part(file) in allowed, f"{found.name} does not belong here"


@pytest.mark.parametrize("file", FILES, ids=name_file)
def test_every_module_is_short_and_says_what_it_is(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    assert ast.get_docstring(ast.parse(text)), "a module begins with a docstring"


def test_no_module_imports_itself_in_a_circle() -> None:
    modules = {get_module_name(file): file for file in FILES}
    graph: dict[str, set[str]] = {name: set() for name in modules}
    for name, file in modules.items():
        for found in read_imports(file):
            if found.for_types:
                continue
            # `from a.b import c` names a module a.b.c or something inside a.b.
            target = found.name if found.name in modules else found.name.rpartition(".")[0]
            if target in modules and target != name:
                graph[name].add(target)
    assert graph["explorer.nn.checkpoint"] >= {"explorer.nn.srae", "explorer.files"}
    TopologicalSorter(graph).prepare()  # raises CycleError


def test_private_names_stay_private() -> None:
    for file in FILES:
        for found in read_imports(file):
            last = found.name.rpartition(".")[2]
            if found.name.startswith("explorer.") and not last.startswith("__"):
                assert not last.startswith("_"), f"{name_file(file)} imports {found.name}"


def test_no_pickle_and_no_print() -> None:
    for file in FILES:
        names = {found.name.split(".")[0] for found in read_imports(file)}
        assert not names & {"pickle", "joblib", "dill", "cloudpickle"}, name_file(file)
