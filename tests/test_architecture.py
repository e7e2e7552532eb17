"""Holds the rooms that the package is built of, by reading imports without running them.

Every import counts: at the top of a file, inside a function, and for type checkers alone.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

from explorer.config import REPOSITORY_ROOT

PACKAGE = REPOSITORY_ROOT / "explorer"
PAGES = REPOSITORY_ROOT / "pages"
UI = PACKAGE / "ui"
SHARED = "shared"
FILES = sorted([*PACKAGE.rglob("*.py"), *PAGES.rglob("*.py")])
MOST_LINES = 300
MOST_LINES_OF_A_FUNCTION = 60  # without its docstring
LOOSE = {"__init__", "__main__", "app", "config", "demo"}

# A room may import from those on lower floors, and from none beside it.
FLOORS: tuple[frozenset[str], ...] = tuple(
    frozenset(floor.split())
    for floor in (
        "config",
        "storage settings analysis render quiz",
        "data",
        "nn",
        "attribution",
        "workspace",
        "training maps measuring engines",
        "methods",
        "shipping",
        "evaluation jobs demo explaining serving",
        "doctor",
        "cli ui",
        "__main__ app pages",
    )
)
FLOOR_OF = {room: number for number, floor in enumerate(FLOORS) for room in floor}
# These know arrays and nothing of what they mean to the explorer.
ARRAYS_ONLY = {"analysis", "render", "quiz"}
MAY_IMPORT = {
    "torch": {"nn", "attribution", "training", "workspace", "methods"},
    "torchvision": {"nn"},
    "streamlit": {"app", "ui", "pages"},
    "typer": {"__main__", "cli"},
    "rich": {"__main__", "cli"},
    "plotly": {"render", "ui"},
    "requests": {"data"},
    "filelock": {"data", "storage", "jobs"},
    "platformdirs": {"storage"},
    "ray": {"engines"},
}
# Whatever changes the disk is done in `explorer.storage`, which refuses it on a public server.
WRITING_METHODS = {
    *("write_text", "write_bytes", "mkdir", "unlink", "rmdir", "rename", "touch", "symlink_to"),
    *("chmod", "rmtree", "copyfile", "copytree", "move", "makedirs", "remove", "mkdtemp"),
    *("mkstemp", "NamedTemporaryFile", "TemporaryDirectory", "Popen"),
}
MAY_WRITE = {"storage"}
STARTS_PROCESSES = {
    "explorer/data/uploads/forks.py",  # to decode what visitors bring
    "explorer/jobs/control.py",  # after it has written down what they do
    "explorer/serving/workers.py",  # of the app itself, and the proxy before them
}


class Import(NamedTuple):
    """One import: the module's full name, and whether only type checkers see it."""

    name: str
    for_types: bool


def get_room(file: Path) -> str:
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


def test_every_file_has_a_room() -> None:
    assert len(FILES) > 40
    assert {get_room(file) for file in FILES} == set(FLOOR_OF) | {"__init__"}
    assert {file.stem for file in PACKAGE.glob("*.py")} == LOOSE
    for folder in {file.parent for file in PACKAGE.rglob("*.py")}:
        assert (folder / "__init__.py").is_file(), name_file(folder)


def test_all_imports_are_found() -> None:
    assert {"torch.nn", "torch.Tensor"} <= {
        found.name for found in read_imports(PACKAGE / "nn" / "srae.py")
    }
    hidden = ast.parse(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import explorer.a\n"
        "def f():\n    from explorer import b\n"
    )
    assert set(_find_imports(hidden, for_types=False)) >= {
        Import("explorer.a", for_types=True),
        Import("explorer.b", for_types=False),
    }


@pytest.mark.parametrize("file", FILES, ids=name_file)
def test_imports_go_one_way(file: Path) -> None:
    room = get_room(file)
    for found in read_imports(file):
        names = found.name.split(".")
        if names[0] != "explorer" or names[1:] == ["__version__"] or names[1] == room:
            continue
        assert room not in ARRAYS_ONLY or names[1] == "config", f"{room} may not know {found.name}"
        assert FLOOR_OF[names[1]] < FLOOR_OF[room], (
            f"{room} may not import {found.name}, which does not lie below it"
        )


def get_ui_folder(module: str) -> str | None:
    """Return the folder of `explorer.ui` that a module is in; None for other modules."""
    names = module.split(".")
    return names[2] if names[:2] == ["explorer", "ui"] and len(names) > 2 else None


def test_pages_share_through_one_folder() -> None:
    """A page's own folder is imported by itself and by ``pages/``; what pages share, by all."""
    folders = {folder.name for folder in UI.iterdir() if (folder / "__init__.py").is_file()}
    assert SHARED in folders
    for file in UI.rglob("*.py"):
        own = get_ui_folder(get_module_name(file))
        if own is None:
            continue
        used = {get_ui_folder(found.name) for found in read_imports(file)} - {None}
        allowed = {own, SHARED}
        assert used <= allowed, f"{name_file(file)} may not import {used - allowed}"
        assert own not in (file.stem, file.stem.rpartition("_")[0]), (
            f"{name_file(file)} repeats the name of its folder"
        )


@pytest.mark.parametrize("file", FILES, ids=name_file)
def test_libraries_stay_in_their_places(file: Path) -> None:
    for found in read_imports(file):
        allowed = MAY_IMPORT.get(found.name.split(".")[0])
        assert allowed is None or get_room(file) in allowed, f"{found.name} does not belong here"


def test_methods_are_listed_without_torch() -> None:
    for file in (PACKAGE / "methods").glob("*.py"):
        names = {found.name.split(".")[0] for found in read_imports(file) if not found.for_types}
        assert not names & {"torch", "torchvision"}, name_file(file)


@pytest.mark.parametrize("file", FILES, ids=name_file)
def test_every_module_is_short_and_says_what_it_is(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    assert ast.get_docstring(ast.parse(text)), "a module begins with a docstring"


@pytest.mark.parametrize("file", FILES, ids=name_file)
def test_every_function_is_short(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            count = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            assert count <= MOST_LINES_OF_A_FUNCTION, node.name


def test_no_module_imports_itself_in_a_circle() -> None:
    modules = {get_module_name(file): file for file in FILES}
    graph: dict[str, set[str]] = {name: set() for name in modules}
    for name, file in modules.items():
        for found in read_imports(file):
            # `from a.b import c` names a module a.b.c or something inside a.b.
            target = found.name if found.name in modules else found.name.rpartition(".")[0]
            if target in modules and target != name:
                graph[name].add(target)
    assert graph["explorer.nn.checkpoint"] >= {"explorer.nn.srae", "explorer.storage.writing"}
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


def _find_writes(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        if isinstance(function, ast.Attribute):
            if function.attr in WRITING_METHODS:
                yield ast.unparse(node)
            if function.attr == "replace" and len(node.args) == 1 and not node.keywords:
                yield ast.unparse(node)  # of a path; that of a text takes two
        if (getattr(function, "id", "") or getattr(function, "attr", "")) == "open":
            modes = [a.value for a in node.args[:2] if isinstance(a, ast.Constant)]
            modes += [k.value.value for k in node.keywords if isinstance(k.value, ast.Constant)]
            if any(
                isinstance(mode, str) and re.fullmatch("[rwaxbt+]*[wax+][bt+]*", mode)
                for mode in modes
            ):
                yield ast.unparse(node)


@pytest.mark.parametrize("file", FILES, ids=name_file)
def test_the_disk_is_changed_in_one_room(file: Path) -> None:
    found = list(_find_writes(ast.parse(file.read_text(encoding="utf-8"))))
    if name_file(file) in STARTS_PROCESSES:
        found = [call for call in found if not call.startswith("subprocess.Popen(")]
    assert get_room(file) in MAY_WRITE or not found, "use explorer.storage.writing"


def test_all_ways_to_change_the_disk_are_found() -> None:
    code = """
path.write_text("x"); path.open("w"); open(path, mode="ab"); path.replace(other); os.remove(path)
path.open("rb"); "text".replace("a", "b"); replace(settings, a=1); open(path)
"""
    assert len(list(_find_writes(ast.parse(code)))) == 5


def test_whatever_changes_the_disk_asks_whether_it_may() -> None:
    """Every function of `explorer.storage.writing` refuses by itself or by one that it calls."""
    tree = ast.parse((PACKAGE / "storage" / "writing.py").read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    refusing = {"refuse_if_public"}
    for _ in functions:
        refusing |= {
            function.name
            for function in functions
            if any(
                isinstance(node, ast.Call) and getattr(node.func, "id", "") in refusing
                for node in ast.walk(function)
            )
        }
    public = {function.name for function in functions}
    assert public - refusing == {"name_in_errors"}


def read_room_imports() -> dict[str, set[str]]:
    """Return which rooms each room imports."""
    rooms: dict[str, set[str]] = {room: set() for room in FLOOR_OF}
    for file in FILES:
        for found in read_imports(file):
            top, *rest = found.name.split(".")
            if top == "explorer" and rest and rest[0] in rooms.keys() - {get_room(file)}:
                rooms[get_room(file)].add(rest[0])
    return rooms


def find_below(room: str, rooms: dict[str, set[str]]) -> set[str]:
    below = set(rooms[room])
    return below.union(*(find_below(one, rooms) for one in below))


def test_the_picture_of_the_rooms_is_true() -> None:
    rooms = read_room_imports()
    direct = {
        f"{room} --> {one}"
        for room, imported in rooms.items()
        for one in imported
        if not any(one in find_below(other, rooms) for other in imported - {one})
    }
    text = (REPOSITORY_ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    (graph,) = re.findall(r"```mermaid\n(.*?)```", text, re.DOTALL)
    drawn = [line.strip() for line in graph.splitlines() if "-->" in line]
    assert sorted(drawn) == sorted(direct)


def test_every_room_is_described() -> None:
    text = (REPOSITORY_ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = {
        name
        for line in text.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    assert named == set(FLOOR_OF) - {"__main__", "app"}
