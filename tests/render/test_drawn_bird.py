"""The drawn bird: every part is a path of its own, coloured, named and described."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.render.colour_maps import apply_colours
from explorer.render.drawn_bird import describe_shares, draw_bird
from explorer.render.rasterising import rasterise
from explorer.render.style import PART_COLOURS

SVG = "{http://www.w3.org/2000/svg}"
PARTS = sorted(PART_COLOURS)


def read_parts(svg):
    """Return the path of each part by its tooltip."""
    paths = ET.fromstring(svg).iter(f"{SVG}path")
    return {title: path for path in paths if (title := path.findtext(f"{SVG}title"))}


def test_every_part_is_drawn_once():
    assert sorted(read_parts(draw_bird(None, "A bird"))) == PARTS


def test_colours_go_from_nothing_to_the_largest_share():
    shares = dict.fromkeys(PARTS, 0.0) | {"crown": 0.5, "tail": 0.25, "left eye": 0.25}
    parts = read_parts(draw_bird(shares, "A bird", colour_map="viridis"))
    levels = np.array([[1.0, 0.5, 0.0]], dtype=np.float32)
    hottest, half, coldest = (f"#{c.tobytes().hex()}" for c in apply_colours(levels, "viridis")[0])
    assert parts["crown: 50.0%"].get("fill") == hottest
    assert parts["tail: 25.0%"].get("fill") == parts["left eye: 25.0%"].get("fill") == half
    assert parts["beak: 0.0%"].get("fill") == coldest


def test_parts_without_a_share_are_not_filled():
    parts = read_parts(draw_bird({"crown": 1.0}, "A bird"))
    assert parts["crown: 100.0%"].get("fill")
    assert parts["belly"].get("fill") is None
    assert read_parts(draw_bird(None, "A bird"))["crown"].get("fill") is None


def test_shares_that_are_all_zero_are_coldest():
    parts = read_parts(draw_bird(dict.fromkeys(PARTS, 0.0), "A bird"))
    fills = {path.get("fill") for path in parts.values()}
    assert len(fills) == 1


def test_it_is_named_and_described():
    shares = {"crown": 0.5, "tail": 0.2, "beak": 0.2, "belly": 0.1}
    bird = ET.fromstring(draw_bird(shares, "Heat of <x-feature> 1"))
    assert bird.get("role") == "img"
    assert bird.get("aria-label") == bird.findtext(f"{SVG}title") == "Heat of <x-feature> 1"
    description = bird.findtext(f"{SVG}desc")
    assert description == describe_shares(shares)
    assert description.startswith("Largest shares: crown 50%, tail 20%, beak 20%. ")
    assert "belly" not in description
    assert describe_shares({}).startswith("The bird")


def test_a_page_may_show_several():
    assert not re.search(r"\bid=", draw_bird({"crown": 1.0}, "A bird"))
    assert "ns0:" not in draw_bird(None, "A bird")


def test_its_ink_can_be_chosen():
    assert ET.fromstring(draw_bird(None, "A bird")).get("color") is None
    assert ET.fromstring(draw_bird(None, "A bird", ink="#123456")).get("color") == "#123456"


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), float("inf")])
def test_impossible_shares_are_refused(share):
    with pytest.raises(ValueError, match="must lie in"):
        draw_bird({"crown": share}, "A bird")


def test_an_unknown_colour_map_is_refused():
    with pytest.raises(ValueError, match="unknown colour map"):
        draw_bird({"crown": 1.0}, "A bird", colour_map="jet")


@given(st.dictionaries(st.sampled_from([*PARTS, "left ear"]), st.floats(0, 1)))
def test_any_shares_can_be_drawn(shares):
    parts = read_parts(draw_bird(shares, "A bird")).values()
    # An eye without a share is dark.
    filled = [path for path in parts if path.get("fill", "currentColor") != "currentColor"]
    assert len(filled) == len(shares.keys() - {"left ear"})


def test_parts_lie_where_they_belong():
    """Each part alone: its middle, in a bird that looks to the left."""
    centres = {}
    for name in PARTS:
        shares = dict.fromkeys(PARTS, 0.0) | {name: 1.0}
        pixels = rasterise(draw_bird(shares, "", colour_map="viridis"), 280)
        hottest = apply_colours(np.ones((1, 1), np.float32), "viridis")[0, 0]
        is_hot = (np.abs(pixels[..., :3].astype(int) - hottest) <= 2).all(axis=2)
        assert is_hot.sum() >= 15, name
        y, x = np.nonzero(is_hot)
        centres[name] = float(x.mean()), float(y.mean())
    x, y = ({name: centre[axis] for name, centre in centres.items()} for axis in (0, 1))
    assert min(x, key=x.__getitem__) == "beak"
    assert max(x, key=x.__getitem__) == "tail"
    assert y["crown"] < y["left eye"] < y["throat"] < y["breast"] < y["belly"] < y["left leg"]
    assert x["forehead"] < x["crown"] < x["nape"] < x["back"] < x["right wing"] < x["tail"]
