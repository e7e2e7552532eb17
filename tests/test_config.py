import os
from pathlib import Path

import pytest

from explorer.config import DEMO_WORKSPACE, WORKSPACE_VARIABLE, list_workspaces


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
