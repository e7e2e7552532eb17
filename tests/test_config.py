import os
from collections.abc import Generator
from pathlib import Path

import pytest

from explorer import config
from explorer.config import (
    DEMO_WORKSPACE,
    PUBLIC_VARIABLE,
    WORKSPACE_VARIABLE,
    Progress,
    PublicError,
    is_public,
    list_shipped_workspaces,
    list_workspaces,
    map_steps,
    run,
)
from explorer.storage.writing import refuse_if_public


@pytest.mark.parametrize("value", [None, "", os.pathsep])
def test_the_demo_is_opened_where_nothing_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str | None
) -> None:
    monkeypatch.delenv(WORKSPACE_VARIABLE, raising=False)
    monkeypatch.setattr(config, "BIRDS_WORKSPACE", tmp_path / "none")
    if value is not None:
        monkeypatch.setenv(WORKSPACE_VARIABLE, value)
    assert list_workspaces() == (DEMO_WORKSPACE.resolve(),)


def test_real_birds_are_opened_first_where_they_are_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(WORKSPACE_VARIABLE, raising=False)
    birds = tmp_path / "birds"
    birds.mkdir()
    monkeypatch.setattr(config, "BIRDS_WORKSPACE", birds)
    assert list_workspaces() == (birds, DEMO_WORKSPACE.resolve())
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(tmp_path))
    assert list_workspaces() == (tmp_path,)


def test_the_demo_is_named_even_if_nothing_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(config, "BIRDS_WORKSPACE", tmp_path / "birds")
    monkeypatch.setattr(config, "DEMO_WORKSPACE", tmp_path / "demo")
    assert list_shipped_workspaces() == (tmp_path / "demo",)


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


class Steps:
    """A computation of three steps that notes whether it was closed."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.is_closed = False
        self._fails_at = fails_at

    def __call__(self) -> Generator[Progress, None, str]:
        try:
            for done in range(1, 4):
                if done == self._fails_at:
                    raise ValueError("broken")
                yield Progress("Counting", done, 3)
        finally:
            self.is_closed = True
        return "the result"


def test_run_reports_every_step_and_returns_the_result() -> None:
    seen: list[int] = []
    assert run(Steps()(), lambda step: seen.append(step.done)) == "the result"
    assert seen == [1, 2, 3]


def test_run_closes_a_computation_whose_progress_cannot_be_shown() -> None:
    steps = Steps()

    def refuse(_: Progress) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run(steps(), refuse)
    assert steps.is_closed


def test_map_steps_changes_every_step_and_keeps_the_result() -> None:
    seen: list[str] = []
    assert run(map_steps(Steps()(), lambda step: f"{step.done}/3"), seen.append) == "the result"
    assert seen == ["1/3", "2/3", "3/3"]


def test_a_computation_is_closed_with_the_one_that_maps_it() -> None:
    steps = Steps()
    outer = map_steps(steps(), lambda step: step)
    next(outer)
    assert not steps.is_closed
    outer.close()
    assert steps.is_closed


def test_an_error_of_a_computation_passes_through() -> None:
    with pytest.raises(ValueError, match="broken"):
        run(map_steps(Steps(fails_at=2)(), lambda step: step))
