import numpy as np
import pytest

from explorer.render.density import render_density

EDGES, SHARES, INACTIVE = [0, 1, 3], [[0.25, 0.5], [0, 0.1]], [0.25, 0.9]
NAMES = ("Finch", "other birds")


def test_bars_hold_the_shares() -> None:
    figure = render_density(EDGES, SHARES, INACTIVE, NAMES, text_colour="#123456")
    inactive = [trace for trace in figure.data if trace.xaxis == "x"]
    active = [trace for trace in figure.data if trace.xaxis == "x2"]
    assert [trace.y[0] for trace in inactive] == INACTIVE
    assert [trace.text[0] for trace in inactive] == ["25%", "90%"]
    for trace, name, shares in zip(active, NAMES, SHARES, strict=True):
        assert trace.name == name
        assert list(trace.y) == shares
        assert list(trace.x) == [0.5, 2]
        assert list(trace.width) == [1, 2]
    assert len({trace.marker.color for trace in active}) == 2
    assert figure.layout.font.color == "#123456"
    assert figure.layout.xaxis2.range == (0, 3)


def test_no_photo_of_a_kind_has_no_share() -> None:
    figure = render_density(EDGES, [[1, 0], [0, 0]], [0, np.nan], NAMES)
    assert [trace.text[0] for trace in figure.data if trace.xaxis == "x"] == ["0%", "–"]


@pytest.mark.parametrize(
    ("edges", "shares", "inactive"),
    [
        ([0, 1], SHARES, INACTIVE),
        (EDGES, SHARES[:1], INACTIVE),
        (EDGES, SHARES, [0.5]),
        (EDGES, [[0, 1.5], [0, 0]], INACTIVE),
        (EDGES, SHARES, [-0.1, 0]),
        (EDGES, [[np.nan, 0], [0, 0]], INACTIVE),
    ],
)
def test_invalid_shares_are_refused(edges: list, shares: list, inactive: list) -> None:
    with pytest.raises(ValueError, match="shares"):
        render_density(edges, shares, inactive, NAMES)
