"""Names that were found for x-features, as pages show them."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from app_pages import read_texts
from streamlit.testing.v1 import AppTest

from explorer.measuring.name_records import FeatureName
from explorer.measuring.records import load_module_measures
from explorer.ui.shared import cached, x_features
from explorer.workspace import notes
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.notes_file import Note
from explorer.workspace.workspace import Workspace

OpenApp = Callable[..., AppTest]
RED = FeatureName(
    "attribute",
    "red [breast](x)",
    parts=("breast", "belly"),
    heat=0.31,
    correlation=0.87,
    low=0.61,
    high=0.95,
    elsewhere=0.72,
    also_on=("003.Moonbar_Warbler", "004.Plainsong_Warbler"),
)
NAMES = (
    RED,
    FeatureName("part", "crown", parts=("crown",), heat=0.4),
    FeatureName("background", "background", heat=0.8, also_on=("003.Moonbar_Warbler",)),
    FeatureName("unclear", "unclear"),
    FeatureName("attribute", "blue tail", is_against=True, parts=("tail",), heat=0.5),
)


@pytest.fixture
def named(own_workspace: Path) -> ModuleEntry:
    """Return the first module, whose x-features get the names above."""
    entry = Workspace(own_workspace).list_modules()[0]
    metrics = json.loads(entry.metrics_path.read_text())
    metrics["names"] = [asdict(name) for name in NAMES]
    entry.metrics_path.write_text(json.dumps(metrics))
    return entry


def test_a_found_name_is_shown_with_its_evidence(
    own_workspace: Path, named: ModuleEntry, open_app: OpenApp
) -> None:
    app = open_app(own_workspace, "x_feature", feature="x-feature 1")
    assert not app.exception
    assert not app.error
    assert app.title[0].value == r"x-feature 1 “red \[breast\](x)”"
    texts = read_texts(app)
    interval = "(95% interval 0.61 to 0.95; 0.72 on other species alone)"
    assert rf"It fires on species that have this\: correlation 0.87 {interval}" in texts
    assert (
        "On training photos, 31% of the heat on the bird lies on the breast and the belly" in texts
    )
    assert "It also fires on Moonbar Warbler and Plainsong Warbler, which have it." in texts
    assert "The others of this module: x-feature 2 “crown”, x-feature 3 “background”" in texts


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        (2, "**crown**. On training photos, 40% of the heat on the bird lies on the crown, but no"),
        (
            3,
            "**background**. 80% of its heat lies outside the bird's box, more than by area. It "
            "also fires on Moonbar Warbler.",
        ),
        (4, "Found by its activations: no name. Its heat lies on no part in particular"),
        (5, "**blue tail**, a mark of other birds. On training photos, 50% of the heat"),
    ],
)
def test_every_kind_is_explained(
    own_workspace: Path, named: ModuleEntry, open_app: OpenApp, feature: int, words: str
) -> None:
    app = open_app(own_workspace, "x_feature", feature=f"x-feature {feature}")
    assert words in read_texts(app)
    assert app.title[0].value.startswith(f"x-feature {feature}")


def test_a_persons_own_name_goes_first(
    own_workspace: Path, named: ModuleEntry, open_app: OpenApp
) -> None:
    sha256 = notes.load_notes(named).module_sha256
    notes.save_note(named, 0, Note("my cap", ""), base=Note(), module_sha256=sha256)
    app = open_app(own_workspace, "x_feature", feature="x-feature 1")
    assert app.title[0].value == "x-feature 1 “my cap”"
    assert r"Found by its activations: **red \[breast\](x)**" in read_texts(app)
    names = cached.load_names(Workspace(own_workspace), named)
    assert names == {0: "my cap", 1: "crown", 2: "background", 4: "blue tail"}


def test_the_photo_page_says_what_the_score_is_made_of(
    own_workspace: Path, named: ModuleEntry, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables: list[dict[str, object]] = []
    show = x_features.show_figure

    def keep(*args: object, numbers: dict[str, object], **kwargs: object) -> object:
        tables.append(numbers)
        return show(*args, numbers=numbers, **kwargs)

    monkeypatch.setattr(x_features, "show_figure", keep)
    app = open_app(own_workspace)
    assert not app.exception
    texts = read_texts(app)
    labels = [button.label for button in app.button]
    assert {"x-feature 2 “crown”", "x-feature 4"} <= set(labels)
    assert any(words in texts for words in ("is not explained", "than the network says", "active:"))
    assert dict(zip(tables[0]["x-feature"], tables[0]["name"], strict=True)) == {
        "x-feature 1": "red [breast](x)",
        "x-feature 2": "crown",
        "x-feature 3": "background",
        "x-feature 4": "",
        "x-feature 5": "blue tail",
        "y_bar": "",
        "y_hat": "",
    }


def test_pages_without_measured_names_still_open(
    own_workspace: Path, named: ModuleEntry, open_app: OpenApp
) -> None:
    metrics = json.loads(named.metrics_path.read_text())
    del metrics["names"]
    named.metrics_path.write_text(json.dumps(metrics))
    app = open_app(own_workspace, "x_feature", feature="x-feature 1")
    assert not app.exception
    assert app.title[0].value == "x-feature 1"
    assert "Found by its activations" not in read_texts(app)
    assert load_module_measures(Workspace(own_workspace), named) is not None
