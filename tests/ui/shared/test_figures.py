from typing import Any

import pytest

from explorer.ui.shared import figures


def test_a_click_is_told_with_the_data_of_its_point(monkeypatch: pytest.MonkeyPatch) -> None:
    points: list[dict[str, Any]] = [{"customdata": [7]}]
    monkeypatch.setattr(figures.st, "session_state", {"figure": {"selection": {"points": points}}})
    told: list[int] = []
    figures._tell_clicked("figure", told.append)
    points[0] = {"customdata": 8}
    figures._tell_clicked("figure", told.append)
    points.clear()  # a click beside all points takes the choice away
    figures._tell_clicked("figure", told.append)
    assert told == [7, 8]
