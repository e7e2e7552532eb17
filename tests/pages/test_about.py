from collections.abc import Callable
from pathlib import Path

from app_pages import read_texts
from streamlit.testing.v1 import AppTest

from explorer.ui.shared.words import GLOSSARY, HELP


def test_every_term_is_explained(tiny_workspace: Path, open_app: Callable[..., AppTest]) -> None:
    app = open_app(tiny_workspace, "about")
    assert not app.exception
    assert app.header[0].value == "Glossary"
    texts = read_texts(app)
    for term, words in GLOSSARY.items():
        assert f"- **{term}**: {words}" in texts
    # What is explained where it is first met says the same.
    shared = set(HELP.values()) & set(GLOSSARY.values())
    assert {HELP[name] for name in ("x-feature", "contribution", "f_reg", "locality")} <= shared
