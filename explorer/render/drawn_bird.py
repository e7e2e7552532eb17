"""A drawn songbird whose parts are coloured by their shares, as a part histogram gives them.

The geometry is in ``assets/drawn_bird.svg``: one path for each part of CUB-200-2011, with the
part's name as its id. The bird is seen from its left; of its right side, the wing, the leg and the
rim of the eye peek out.
"""

import math
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from functools import cache

import numpy as np

from explorer.config import ASSETS_DIR
from explorer.render.colour_maps import DEFAULT_COLOUR_MAP, apply_colours

_SVG = "{http://www.w3.org/2000/svg}"
_NAMED = 3
# Otherwise elements are written with a prefix, which browsers do not understand within HTML.
ET.register_namespace("", _SVG.strip("{}"))


@cache
def _read_drawing() -> str:
    return (ASSETS_DIR / "drawn_bird.svg").read_text(encoding="utf-8")


def draw_bird(
    shares: Mapping[str, float] | None,
    title: str,
    *,
    colour_map: str = DEFAULT_COLOUR_MAP,
    ink: str = "",
) -> str:
    """Draw the bird, each part coloured by its share.

    Parameters
    ----------
    shares : Mapping of str to float, or None
        Part name to share in [0, 1]. The largest share has the hottest colour, 0 the coldest. A
        part without a share is not filled; with None, no part is. Names of parts that the bird
        does not have are only described.
    title : str
        What is shown; the name of the picture for screen readers.
    colour_map : str
        One of `explorer.render.colour_maps.COLOUR_MAPS`.
    ink : str
        CSS colour of the outlines; by default that of the surrounding text.

    Returns
    -------
    str
        SVG with a transparent ground. It has a title, a description with the largest shares, and a
        tooltip for each part.

    Raises
    ------
    ValueError
        When a share is not in [0, 1], or the colour map is unknown.
    """
    shares = shares or {}
    colours = _choose_colours(shares, colour_map) if shares else {}
    bird = ET.fromstring(_read_drawing())
    for part in bird.iterfind(f"{_SVG}g[@id='parts']/{_SVG}path"):
        name = part.attrib["id"].replace("-", " ")
        if name in colours:
            part.set("fill", colours[name])
        part.set("pointer-events", "all")  # or an unfilled part has a tooltip on its line alone
        tooltip = f"{name}: {shares[name]:.1%}" if name in shares else name
        ET.SubElement(part, f"{_SVG}title").text = tooltip
    for number, (tag, text) in enumerate((("title", title), ("desc", describe_shares(shares)))):
        element = ET.Element(f"{_SVG}{tag}")
        element.text = text
        bird.insert(number, element)
    for element in bird.iter():
        element.attrib.pop("id", None)  # a page may show several birds
    bird.set("aria-label", title)
    if ink:
        bird.set("color", ink)
    return ET.tostring(bird, encoding="unicode")


def _choose_colours(shares: Mapping[str, float], colour_map: str) -> dict[str, str]:
    if not all(math.isfinite(share) and 0 <= share <= 1 for share in shares.values()):
        raise ValueError("shares of parts must lie in [0, 1]")
    levels = np.array([list(shares.values())], dtype=np.float32)
    levels /= max(levels.max(), np.finfo(np.float32).tiny)
    (row,) = apply_colours(levels, colour_map)
    return {name: f"#{colour.tobytes().hex()}" for name, colour in zip(shares, row, strict=True)}


def describe_shares(shares: Mapping[str, float]) -> str:
    """Name the parts with the largest shares, and the side that the bird is seen from."""
    order = sorted(shares, key=lambda name: -shares[name])[:_NAMED]
    named = ", ".join(f"{name} {shares[name]:.0%}" for name in order)
    largest = f"Largest shares: {named}. " if named else ""
    return (
        f"{largest}The bird is seen from its left; the right wing, the right leg and the rim of "
        "the right eye peek out behind."
    )
