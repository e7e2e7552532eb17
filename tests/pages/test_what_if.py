from collections.abc import Callable
from pathlib import Path

from app_pages import select, unfold
from streamlit.testing.v1 import AppTest

from explorer.data.paint_out import GREY, paint_out
from explorer.explaining.what_if import compute_outcome
from explorer.measuring.parts import load_parts
from explorer.ui.what_if.change import SECTION
from explorer.ui.what_if.region import FREE, PART, PREFIX
from explorer.workspace.workspace import Workspace

OpenApp = Callable[..., AppTest]


def choose(app: AppTest, key: str, value: object) -> None:
    next(box for box in app.segmented_control if box.key == f"{PREFIX}{key}").set_value(value).run()
    assert not app.exception


def find_sentence(app: AppTest) -> str:
    return next((one.value for one in app.markdown if one.value.startswith("Without it")), "")


def test_scores_without_a_part_are_those_of_the_photo_without_it(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = unfold(open_app(tiny_workspace), SECTION)
    choose(app, "region", PART)
    choose(app, "way", GREY)
    part = next(box for box in app.selectbox if box.key == f"{PREFIX}part")
    workspace = Workspace(tiny_workspace)
    entry = workspace.list_modules()[0]
    photo_id = select(app, "Photo").value
    parts = load_parts(workspace.dataset.get_photo(photo_id))
    shown = workspace.dataset.part_names.index(part.options[0])
    changed = paint_out(parts.image, parts.label() == shown, GREY)
    after = compute_outcome(workspace, entry, changed)
    assert f"{after.y_hat:.1f}".replace("-", "−") in find_sentence(app)


def test_the_region_follows_the_x_feature_of_the_page(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = unfold(open_app(tiny_workspace), SECTION)
    for feature in (1, 2):
        app.button(key=f"show-x-feature-{feature + 1}").click().run()
        (region,) = (box for box in app.selectbox if box.label == "X-feature")
        assert region.value == feature


def test_nothing_drawn_is_said(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = unfold(open_app(tiny_workspace), SECTION)
    choose(app, "region", FREE)
    assert any("Nothing is painted out yet" in info.value for info in app.info)
    assert not find_sentence(app)
