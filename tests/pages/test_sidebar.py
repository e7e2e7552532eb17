import os
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from app_pages import select
from streamlit.testing.v1 import AppTest

from explorer.workspace import networks

OpenApp = Callable[..., AppTest]
OTHER = "002.Harebell_capped_Finch"


@pytest.fixture
def two_workspaces(tiny_workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the variable that names two workspaces; the second has only one module."""
    second = tmp_path / "second"
    shutil.copytree(tiny_workspace, second)
    shutil.rmtree(second / "modules" / "001.Ember_capped_Finch")
    return Path(f"{tiny_workspace}{os.pathsep}{second}")


def list_labels(app: AppTest) -> list[str]:
    return [box.label for box in app.selectbox]


def test_a_single_workspace_and_device_are_shown_without_a_choice(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(tiny_workspace)
    assert not {"Workspace", "Device"} & set(list_labels(app))
    assert "**tiny**" in [element.value for element in app.sidebar.markdown]
    assert any("It runs on the CPU." in item.value for item in app.sidebar.caption)


def test_another_workspace_has_its_own_categories(two_workspaces: Path, open_app: OpenApp) -> None:
    app = open_app(two_workspaces, photo="Ember-capped Finch 0002")
    assert select(app, "Workspace").value == "tiny"
    assert app.title[0].value == "Why “Ember-capped Finch”?"
    select(app, "Workspace").set_value("second").run()
    assert not app.error
    assert [w.value for w in app.warning] == []
    assert app.title[0].value == "Why “Harebell-capped Finch”?"
    assert select(app, "Category").options == ["Harebell-capped Finch"]

    link = app.code[-1].value
    params = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    assert params["workspace"] == "second"
    other = open_app(two_workspaces, **params)
    assert not other.warning
    assert other.code[-1].value == link


def test_a_workspace_that_is_not_offered_is_not_opened(
    tiny_workspace: Path, own_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(Path(f"{tiny_workspace}{os.pathsep}{own_workspace}"), workspace="/etc")
    (warning,) = app.warning
    assert "asks for the workspace" in warning.value
    assert select(app, "Workspace").value == "tiny"


def test_a_device_can_be_chosen_if_there_are_several(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "list_devices", lambda: {"meta": "Toy", "cpu": "CPU"})
    app = open_app(tiny_workspace)
    assert select(app, "Device").options == ["the fastest", "Toy", "CPU"]
    select(app, "Device").set_value("cpu").run()
    assert not app.error
    assert any("It runs on the CPU." in item.value for item in app.sidebar.caption)


def test_a_link_within_the_app_overrules_what_was_chosen(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(tiny_workspace)
    select(app, "Photo").set_value(3).run()
    app.query_params.clear()  # as a link does
    app.query_params["category"] = "Harebell-capped Finch"
    app.run()
    assert not app.warning
    assert app.title[0].value == "Why “Harebell-capped Finch”?"
    assert select(app, "Photos of").value == OTHER
    app.query_params.clear()  # as the way back does
    app.run()
    assert app.title[0].value == "Why “Ember-capped Finch”?"


def test_a_choice_is_not_overruled_by_the_address_it_is_written_to(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(tiny_workspace, colours="magma", photo="Ember-capped Finch 0002")
    select(app, "Colour map").set_value("viridis")
    app.query_params["colours"] = "viridis"
    app.query_params["opacity"] = "85"
    app.run()
    assert select(app, "Colour map").value == "viridis"
    assert select(app, "Photo").value == 2
    select(app, "Category").set_value(OTHER).run()
    assert select(app, "Photos of").value == OTHER
    assert not app.warning
