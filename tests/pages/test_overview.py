import csv
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from app_pages import read_texts, show_commands
from streamlit.testing.v1 import AppTest

from explorer.data.bird_names import spell_name
from explorer.explaining.sentence import describe_contributions
from explorer.measuring.classifier import measure_classifier
from explorer.measuring.parts import load_parts
from explorer.measuring.records import load_module_measures
from explorer.storage.packing import make_csv
from explorer.ui.overview import categories as overview_categories
from explorer.ui.overview import example
from explorer.ui.overview.categories import describe_category, make_columns
from explorer.ui.overview.summaries import LIVE, CategorySummary, find_categories
from explorer.ui.shared.state import Selection
from explorer.workspace.layout import CLASSIFIER_FILE
from explorer.workspace.settings import WorkspaceSettings, save_settings
from explorer.workspace.workspace import Workspace

OpenApp = Callable[..., AppTest]
MEASURED, UNMEASURED = "Ember-capped Finch", "Harebell-capped Finch"


@pytest.fixture
def open_page(open_app: OpenApp) -> OpenApp:
    return lambda workspace, **params: open_app(workspace, "overview", **params)


def list_tiles(app: AppTest) -> list[str]:
    """Return the text below every category's picture, in the order of the page."""
    return [element.value for element in app.markdown if "accuracy " in element.value]


def list_links(app: AppTest) -> list[str]:
    return [link.proto.label for link in app.main.get("page_link")]


def make_summary(name: str, **figures: object) -> CategorySummary:
    entry = object() if figures.pop("has_module", True) else None
    return CategorySummary(name, name, entry, **{"accuracy": None, **figures})


def test_example_categories_and_links_are_shown(tiny_workspace: Path, open_page: OpenApp) -> None:
    app = open_page(tiny_workspace)
    assert not app.exception
    assert not app.error
    assert not app.warning
    assert app.title[0].value == "Why this bird?"
    assert len(list_tiles(app)) == 12
    assert {MEASURED, UNMEASURED, "The quiz", "A photo of your own"} <= set(list_links(app))
    assert "All birds are painted, and all categories invented." in read_texts(app)
    assert "10 of them without a module" in read_texts(app)
    # The photo with its five maps, and one picture a category.
    assert len(app.image) == 6 + 12
    assert all(image.proto.imgs[0].alt for image in app.image)


def test_the_example_adds_up(tiny_workspace: Path, open_page: OpenApp) -> None:
    app = open_page(tiny_workspace)
    text = next(e.value for e in app.caption if "the module's score" in e.value)
    terms, total = re.split(" [=≈] ", text)
    values = [
        float(term) for term in terms.replace("− ", "-").replace("−", "-").replace("+ ", "").split()
    ]
    assert sum(values) == pytest.approx(float(total.split(",")[0].replace("−", "-")), abs=0.03)


def test_the_example_answers_first_and_its_tiles_lead_to_the_photo(
    tiny_workspace: Path, open_page: OpenApp
) -> None:
    app = open_page(tiny_workspace)
    workspace = Workspace(tiny_workspace)
    entry = workspace.list_modules()[0]
    photo = example.choose_example(workspace, Selection(workspace.path, entry, MEASURED))
    explanation = workspace.networks.explain(entry, load_parts(photo).image)
    main = [element.value for element in app.main.markdown]
    sentence = describe_contributions(
        explanation.contributions, explanation.y_hat, {}, lambda words: f"*{words}*"
    )
    assert sentence in main[:3]
    tiles = [link for link in app.get("page_link") if link.proto.label.startswith("x-feature")]
    order = np.argsort(-np.abs(explanation.contributions), kind="stable")
    assert [link.proto.label for link in tiles] == [f"x-feature {n + 1}" for n in order]
    asked = [parse_qs(link.proto.query_string) for link in tiles]
    assert [one["feature"] for one in asked] == [[f"x-feature {n + 1}"] for n in order]
    assert all(one["photo"] == [spell_name(photo.name)] for one in asked)


def test_figures_are_those_of_the_files(tiny_workspace: Path, open_page: OpenApp) -> None:
    app = open_page(tiny_workspace)
    workspace = Workspace(tiny_workspace)
    entry = workspace.list_modules()[0]
    metrics = load_module_measures(workspace, entry)
    assert metrics is not None
    tile = list_tiles(app)[0]
    assert f"error {metrics.test.faithfulness.relative_f_reg:.1%}" in tile
    assert "locality" not in tile
    assert "live" not in tile
    assert tile.startswith(":gray["), "none of its x-features has a name"
    app = open_page(tiny_workspace, order="live x-features")
    (tile,) = [one for one in list_tiles(app) if "x-features live" in one]
    assert f"{sum(metrics.live)} of {len(metrics.live)} x-features live" in tile
    assert "not measured yet" in list_tiles(app)[1]
    assert "no module yet" in list_tiles(app)[2]


def test_accuracy_of_every_category_is_shown(
    own_workspace: Path, open_page: OpenApp, open_app: OpenApp
) -> None:
    steps = measure_classifier(Workspace(own_workspace))
    for _ in steps:
        pass
    measured = json.loads((own_workspace / "metrics.json").read_text())["category_accuracies"]
    app = open_page(own_workspace)
    first = Workspace(own_workspace).dataset.categories.index("001.Ember_capped_Finch")
    assert f"accuracy {measured[first]:.0%}]" in list_tiles(app)[0]
    # Measures of earlier versions do not contain it.
    damaged = json.loads((own_workspace / "metrics.json").read_text())
    del damaged["category_accuracies"]
    (own_workspace / "metrics.json").write_text(json.dumps(damaged))
    app = open_page(own_workspace)
    assert not app.error
    assert list_tiles(app)[0].startswith(":gray[accuracy –]")
    # Another page has loaded what the network says of all photos.
    assert not open_app(own_workspace, "category").error
    assert list_tiles(open_page(own_workspace))[0].startswith(
        f":gray[accuracy {measured[first]:.0%}]"
    )


def test_search_and_order_are_in_the_address(tiny_workspace: Path, open_page: OpenApp) -> None:
    app = open_page(tiny_workspace, find="CAPPED finch", order="error")
    assert len(list_tiles(app)) == 2
    assert "2 found" in read_texts(app)
    address = parse_qs(urlsplit(app.code[-1].value).query)
    assert address["find"] == ["CAPPED finch"]
    assert address["order"] == ["error"]
    app = open_page(tiny_workspace, find="dodo", order="weight")
    assert "No category has a name like this" in read_texts(app)
    assert "“weight”, which is not here" in read_texts(app)
    assert not app.error


def test_categories_are_split_into_pages(
    tiny_workspace: Path, open_page: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview_categories, "TILES_A_PAGE", 5)
    app = open_page(tiny_workspace, overview_page="3")
    assert len(list_tiles(app)) == 2
    app = open_page(tiny_workspace, overview_page="9")
    assert len(list_tiles(app)) == 5
    assert "page of categories “9”" in read_texts(app)


def test_a_search_begins_on_its_first_page(
    tiny_workspace: Path, open_page: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview_categories, "TILES_A_PAGE", 1)
    app = open_page(tiny_workspace, overview_page="2")
    app.text_input[0].set_value("capped finch").run()
    assert "2 found" in read_texts(app)
    assert app.session_state[overview_categories.PAGE] == 1
    app.text_input[0].set_value("ember-capped").run()
    assert "1 found" in read_texts(app)
    # One page has no number, which the next link would ask for.
    assert "overview_page" not in parse_qs(urlsplit(app.code[-1].value).query)
    assert not app.warning


def test_the_best_come_first_and_unknown_figures_last() -> None:
    some = [
        make_summary("bee", accuracy=0.5, relative_f_reg=0.2, live=3),
        make_summary("ant", accuracy=0.9, relative_f_reg=0.3, live=5),
        make_summary("cat", has_module=False, accuracy=1.0),
        make_summary("dog"),
    ]
    names = {
        order: [one.name for one in find_categories(some, "", order)]
        for order in ("name", "accuracy", "error", "live x-features")
    }
    assert names == {
        "name": ["ant", "bee", "dog", "cat"],
        "accuracy": ["ant", "bee", "dog", "cat"],
        "error": ["bee", "ant", "dog", "cat"],
        "live x-features": ["ant", "bee", "dog", "cat"],
    }
    assert [one.name for one in find_categories(some, " A  t ", "name")] == ["ant", "cat"]


def test_unknown_figures_are_dashes_and_empty_cells() -> None:
    assert describe_category(make_summary("a", problem="broken")).endswith(
        ":orange[measures cannot be read]"
    )
    known = make_summary("a", accuracy=1.0, f_reg=0.25, relative_f_reg=0.02, live=4, x_features=5)
    assert describe_category(known) == ":gray[accuracy 100%]  \n:gray[error 2.0% of range]"
    named = replace(known, concepts=("red *crown*", "tail"))
    assert describe_category(named, "locality").split("  \n") == [
        "red \\*crown\\*, tail",
        ":gray[accuracy 100%]",
        ":gray[error 2.0% of range]",
        ":gray[locality –]",
    ]
    assert describe_category(known, LIVE).endswith(":gray[4 of 5 x-features live]")
    columns = make_columns([make_summary("a", has_module=False)])
    rows = list(csv.DictReader(make_csv(columns).decode().splitlines()))
    assert rows == [{**dict.fromkeys(columns, ""), "category": "a"}]


def test_no_workspace(tmp_path: Path, open_page: OpenApp) -> None:
    app = open_page(tmp_path / "nowhere")
    assert app.title[0].value == "Why this bird?"
    assert app.header[0].value == "No workspace yet"
    assert len(app.error) == 1
    assert "python -m explorer demo" in show_commands(app)


def test_no_classifier_still_shows_the_birds(own_workspace: Path, open_page: OpenApp) -> None:
    for path in (own_workspace / "modules").glob("*/*/*"):
        path.unlink()
    (own_workspace / CLASSIFIER_FILE).unlink()
    save_settings(own_workspace, WorkspaceSettings(dataset="birds"))
    app = open_page(own_workspace)
    assert not app.error
    assert app.header[0].value == "No network yet"
    assert len(list_tiles(app)) == 12


def test_no_modules_still_shows_the_birds(own_workspace: Path, open_page: OpenApp) -> None:
    for path in (own_workspace / "modules").glob("*/*/*"):
        path.unlink()
    app = open_page(own_workspace)
    assert not app.error
    assert app.header[0].value == "No module yet"
    assert "python -m explorer train" in show_commands(app)
    assert len(list_tiles(app)) == 12


def test_damaged_files_do_not_affect_the_rest(own_workspace: Path, open_page: OpenApp) -> None:
    module = Workspace(own_workspace).list_modules()[0]
    module.metrics_path.write_text("{")
    assert "measures cannot be read" in list_tiles(open_page(own_workspace))[0]
    module.path.write_bytes(module.path.read_bytes()[:100])
    app = open_page(own_workspace)
    assert not app.exception
    assert [error.value for error in app.error if "module.safetensors" in error.value]
    assert len(list_tiles(app)) == 12
    assert "module cannot be read" in list_tiles(app)[0]


def test_a_missing_photo_does_not_affect_the_others(
    own_workspace: Path, open_page: OpenApp
) -> None:
    app = open_page(own_workspace)
    Workspace(own_workspace).dataset.photos_of("012.Lantern_bellied_Shrike")[0].path.unlink()
    app.run()
    assert len(app.error) == 1
    assert "cannot be read" in app.error[0].value
    assert len(list_tiles(app)) == 11
