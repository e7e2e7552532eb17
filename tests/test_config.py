import os
from pathlib import Path

import pytest

from explorer.config import (
    DEMO_WORKSPACE,
    PUBLIC_VARIABLE,
    WORKSPACE_VARIABLE,
    PublicError,
    is_public,
    list_workspaces,
)
from explorer.storage.writing import refuse_if_public


@pytest.mark.parametrize("value", [None, "", os.pathsep])
def test_the_demo_is_opened_where_nothing_is_named(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv(WORKSPACE_VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(WORKSPACE_VARIABLE, value)
    assert list_workspaces() == (DEMO_WORKSPACE.resolve(),)


def test_several_workspaces_are_named_in_order_and_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first, second = tmp_path / "b", tmp_path / "a"
    named = [first, second, first / ".." / "b"]
    monkeypatch.setenv(WORKSPACE_VARIABLE, os.pathsep.join(map(str, named)))
    assert list_workspaces() == (first, second)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [("1", True), ("true", True), ("yes!", True), ("", False), ("0", False), (" No ", False)],
)
def test_any_word_but_a_plain_no_makes_a_server_public(
    monkeypatch: pytest.MonkeyPatch, value: str, wanted: bool
) -> None:
    monkeypatch.setenv(PUBLIC_VARIABLE, value)
    assert is_public() is wanted
    if wanted:
        with pytest.raises(PublicError, match="public server: nothing can be trained, written"):
            refuse_if_public()
    else:
        refuse_if_public()


def test_a_public_server_offers_one_workspace(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(WORKSPACE_VARIABLE, f"{tmp_path / 'a'}{os.pathsep}{tmp_path / 'b'}")
    monkeypatch.setenv(PUBLIC_VARIABLE, "1")
    assert list_workspaces() == (tmp_path / "a",)
