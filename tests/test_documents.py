"""Files, folders and headings named in documents exist."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from explorer.config import DEMO_WORKSPACE, REPOSITORY_ROOT

DOCUMENTS = [
    *sorted(REPOSITORY_ROOT.glob("*.md")),
    *sorted((REPOSITORY_ROOT / "docs").glob("*.md")),
    REPOSITORY_ROOT / "benchmarks" / "README.md",
]
ROOTS = (REPOSITORY_ROOT, REPOSITORY_ROOT / "explorer", DEMO_WORKSPACE)
PATH = re.compile(r"`([a-z_]+/[\w/*{},.-]+)`")
LINK = re.compile(r"\]\((?!https?:|#)([^)\s#]*)(?:#([^)]*))?\)")


def name_document(path: Path) -> str:
    return str(path.relative_to(REPOSITORY_ROOT))


def read_headings(path: Path) -> set[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    titles = [line.lstrip("#").strip().lower() for line in lines if line.startswith("#")]
    return {re.sub(r"[^\w -]", "", title).replace(" ", "-") for title in titles}


def list_patterns(path: str) -> Iterator[str]:
    """Expand ``a/{b,c}.py``."""
    before, brace, rest = path.partition("{")
    inside, _, after = rest.partition("}")
    yield from (before + part + after for part in inside.split(",")) if brace else (path,)


def test_all_documents_are_found() -> None:
    names = {name_document(path) for path in DOCUMENTS}
    assert {"README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/architecture.md"} <= names


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_document)
def test_named_files_exist(document: Path) -> None:
    missing = [
        path
        for path in PATH.findall(document.read_text(encoding="utf-8"))
        for pattern in list_patterns(path)
        if not any(found for root in ROOTS for found in root.glob(pattern.rstrip("/")))
    ]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_document)
def test_links_have_targets(document: Path) -> None:
    for target, heading in LINK.findall(document.read_text(encoding="utf-8")):
        file = (document.parent / target) if target else document
        assert file.exists(), target
        assert not heading or heading in read_headings(file), f"{target}#{heading}"
