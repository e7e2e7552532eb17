from collections.abc import Callable
from pathlib import Path

import numpy as np
from app_pages import read_texts, select, unfold
from streamlit.testing.v1 import AppTest

from explorer.data.cub import format_category
from explorer.ui.shared.training_request import make_key
from explorer.ui.why_not.side_by_side import RIVAL, SECTION, list_rivals
from explorer.workspace.workspace import Workspace

OpenApp = Callable[..., AppTest]


def test_rivals_are_the_highest_others_and_the_photo_s_own_category() -> None:
    categories = tuple("abcdefgh")
    logits = np.array([9, 8, 7, 6, 5, 4, 3, 2], np.float32)
    assert list_rivals(categories, logits, "b", None) == ["a", "c", "d", "e", "f"]
    assert list_rivals(categories, logits, "a", "h") == ["b", "c", "d", "e", "h"]
    assert list_rivals(categories, logits, "a", "a") == ["b", "c", "d", "e", "f"]


def test_a_rival_without_a_module_can_be_trained(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = unfold(open_app(tiny_workspace), SECTION)
    explained = {entry.category for entry in Workspace(tiny_workspace).list_modules()}
    rival = next(box for box in app.selectbox if box.key == RIVAL)
    names = {format_category(name) for name in explained}
    for name in rival.options:
        select(app, "Why not …?").select(name).run()
        assert not app.exception
        is_offered = f"No module explains {name} yet" in read_texts(app)
        assert is_offered == (name not in names)
        assert is_offered == any(one.key == make_key("start-main") for one in app.button)
        shown = any(one.value.startswith(f"**{name}**") for one in app.markdown)
        assert shown == (name in names)


def test_a_closed_section_computes_nothing(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace)
    assert not any(box.key == RIVAL for box in app.selectbox)
