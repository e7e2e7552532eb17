"""Hostile names in a data set: nothing in them is interpreted as Markdown or HTML."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from workspaces import HOSTILE, make_hostile_workspace

from explorer.data.cub import format_category
from explorer.storage import packing
from explorer.ui.shared.markdown import escape_markdown
from explorer.workspace.workspace import Workspace

OpenApp = Callable[..., AppTest]

# What must not become HTML, and what must be escaped in Markdown besides.
HTML_TELLTALES = (r"(?<!\\)<b>", r"(?<!\\)<img")
TELLTALES = (
    *HTML_TELLTALES,
    r"(?<!\\)\[link(?<!\\)\]",
    r"(?<!\\)\*\*strong",
    r"(?<!\\):red\[red",
    r"(?<!\\)\$x",
)
SHOWS_NO_NAME = ("results", "quiz", "your_photo")  # before anything is chosen there
PAGES = (
    "overview",
    "category",
    "x_feature",
    "atlas",
    "photo_map",
    "photo",
    "your_photo",
    "compare",
    "results",
    "quiz",
)
# The fields of Streamlit's messages that its browser's side takes for Markdown.
MARKDOWN_FIELDS = {"body", "label", "help", "text"}
PLAIN_ELEMENTS = {"code", "json"}


@pytest.fixture(scope="module")
def hostile_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_hostile_workspace(tmp_path_factory.mktemp("hostile") / "workspace")


def list_markdown(app: AppTest) -> Iterator[tuple[str, str]]:
    """List all texts of a page that are rendered as Markdown, with their kind of element."""
    for element in _walk(app._tree):
        proto = getattr(element, "proto", None)
        if proto is None or element.type in PLAIN_ELEMENTS:
            continue
        for field, value in _list_fields(proto):
            if field.name in MARKDOWN_FIELDS and isinstance(value, str):
                yield element.type, value


def _list_fields(proto: Any) -> Iterator[tuple[Any, Any]]:
    try:
        yield from proto.ListFields()
    except AttributeError:
        return


def _walk(block: Any) -> Iterator[Any]:
    yield block
    for child in getattr(block, "children", {}).values():
        yield from _walk(child)


@pytest.mark.parametrize("page", PAGES)
def test_names_stay_plain_text(hostile_workspace: Path, open_app: OpenApp, page: str) -> None:
    app = open_app(hostile_workspace, page)
    assert not app.exception
    assert [error.value for error in app.error] == []
    texts = list(list_markdown(app))
    assert len(texts) > 10
    caught = [
        (kind, text)
        for kind, text in texts
        for telltale in (HTML_TELLTALES if kind == "html" else TELLTALES)
        if re.search(telltale, re.sub(r"`[^`\n]+`", "", text))
    ]
    assert caught == []
    assert any("strong" in text or "Bold" in text for _, text in texts) or page in SHOWS_NO_NAME


@pytest.mark.parametrize(
    "page", ["category", "x_feature", "photo_map", "photo", "compare", "results"]
)
def test_names_in_figures_are_escaped(
    hostile_workspace: Path, open_app: OpenApp, page: str
) -> None:
    app = open_app(hostile_workspace, page)
    specs = [e.proto.spec for e in _walk(app._tree) if getattr(e, "type", "") == "plotly_chart"]
    assert specs
    assert not [spec for spec in specs if re.search("<b>Bold|<img", spec)]


def test_file_names_are_plain() -> None:
    stem = packing.make_stem(*map(format_category, HOSTILE), "🦜", "x" * 500)
    assert re.fullmatch("[a-z0-9_-]+", stem)
    assert len(stem) < 200
    assert packing.make_stem("🦜") == "srae"


@pytest.mark.parametrize(
    "text",
    [
        "`<b>``x [link](y)",
        "one ` lone [link](y)",
        "`` [link](y) `",
        "www.evil.com and a@b.c and http://x.y",
        "a_www.evil.com, (HTTPS://x.y) and mailto:a.b@c.org",
        "![link](http://tracker)",
        "&lt;b&gt;",
        "- no item",
        "1. no item",
        "===",
    ],
)
def test_no_part_of_a_name_is_markdown(text: str) -> None:
    escaped = escape_markdown(text)
    assert re.sub(r"\\([\W_])", r"\1", escaped).replace("\u2060", "") == text
    assert not re.search(r"(?<!\\)\[link|(?<!\\)<b|(?<!\\)@|(?<!\\):|(?<!\\)&", escaped)
    # What a browser turns into a link after unescaping.
    assert not re.search(r"(?i)www\.|https?:/|[-.\w+]@[-\w]+\.", escaped.replace("\\", ""))
    assert not re.match(r"- |\d+\. |===", escaped)


def test_a_path_can_be_copied_from_a_message() -> None:
    assert escape_markdown("/home/me@work/birds") == r"/home/me\@work/birds"


def find_damage(app: AppTest) -> Any:
    return next(box for box in app.expander if "damaged" in box.label)


def test_damaged_modules_are_listed_and_do_not_affect_the_others(
    own_workspace: Path, open_app: OpenApp
) -> None:
    first, second = sorted(own_workspace.glob("modules/*/*/module.safetensors"))
    second.write_bytes(b"no module at all")
    app = open_app(own_workspace, "overview")
    assert not app.error
    expander = find_damage(app)
    assert expander.label == ":material/warning: 1 file is damaged; all others can be used."
    assert "not a readable safetensors file" in expander.markdown[0].value
    assert "python -m explorer doctor" in expander.code[0].value
    assert any("module cannot be read" in text.value for text in (*app.caption, *app.markdown))
    shutil.copyfile(first, second)  # of another category
    app = open_app(own_workspace, "overview")
    assert "is in the folder of" in find_damage(app).markdown[0].value


def test_damaged_accuracy_does_not_affect_the_first_page(
    own_workspace: Path, open_app: OpenApp
) -> None:
    workspace = Workspace(own_workspace)
    sha256 = workspace.settings.classifier_sha256
    (own_workspace / "metrics.json").write_text(
        f'{{"classifier_sha256": "{sha256}", "category_accuracies": [null, "x"]}}'
    )
    app = open_app(own_workspace, "overview")
    assert not app.error
    assert "category" in find_damage(app).markdown[0].value
