"""Reads what a page says, and does on it what a visitor does."""

from collections.abc import Iterable
from typing import Any

from streamlit.testing.v1 import AppTest


def read_texts(app: AppTest) -> str:
    """Join all words on the page and in the sidebar."""
    kinds = (app.title, app.header, app.subheader, app.markdown, app.caption, app.text)
    kinds += (app.info, app.success, app.warning, app.error)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def list_captions(app: AppTest) -> list[str]:
    return [caption.value for caption in app.caption]


def show_commands(app: AppTest) -> str:
    return "\n".join(block.value for block in app.code)


def find(elements: Iterable[Any], label: str) -> Any:
    return next(element for element in elements if element.label == label)


def select(app: AppTest, label: str) -> Any:
    return find(app.selectbox, label)


def upload(app: AppTest, data: bytes, name: str = "robin.jpg") -> AppTest:
    return app.file_uploader[0].set_value((name, data, "application/octet-stream")).run()


def unfold(app: AppTest, section: str) -> AppTest:
    """Open a section that is computed once it is open."""
    app.session_state[section] = True
    return app.run()
