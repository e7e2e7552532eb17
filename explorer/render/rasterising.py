"""Pixels of the explorer's own vector drawings, without a browser.

Only what those drawings use is supported: paths of one ``M``, then ``C``, and ``Z`` at the end,
with absolute coordinates; ``fill``, ``stroke`` and ``stroke-width`` of elements and groups; round
joins and caps; no transparency but that of the ground.
"""

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

_OVERSAMPLING = 4
_STEPS = 24  # straight pieces of each curve


def render_png(svg: str, width: int) -> bytes:
    """Draw one of the explorer's own SVG drawings as PNG; see `rasterise`."""
    file = io.BytesIO()
    Image.fromarray(rasterise(svg, width)).save(file, "PNG")
    return file.getvalue()


def rasterise(svg: str, width: int) -> NDArray[np.uint8]:
    """Draw one of the explorer's own SVG drawings.

    Parameters
    ----------
    svg : str
        With a ``viewBox``. ``currentColor`` is the ``color`` of its root, or else black.
    width : int
        In pixels; the height follows from the ``viewBox``.

    Returns
    -------
    ndarray, shape (height, width, 4), uint8
        RGBA; the ground is transparent.
    """
    root = ET.fromstring(svg)
    left, top, *size = (float(number) for number in root.attrib["viewBox"].split())
    factor = width * _OVERSAMPLING / size[0]
    height = round(width * size[1] / size[0])
    picture = Image.new("RGBA", (width * _OVERSAMPLING, height * _OVERSAMPLING))
    draw = ImageDraw.Draw(picture)
    for path in _find_paths(root, {"color": "black", "stroke-width": "1"}):
        points = (compute_points(path["d"]) - (left, top)) * factor
        corners = [(float(x), float(y)) for x, y in points]
        fill, stroke = (_find_colour(path, name) for name in ("fill", "stroke"))
        if fill:
            draw.polygon(corners, fill=fill)
        if stroke:
            _draw_line(draw, corners, stroke, float(path["stroke-width"]) * factor)
    return np.asarray(picture.resize((width, height), Image.Resampling.BOX))


def _find_paths(element: ET.Element, inherited: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """Yield the attributes of all paths in drawing order, with those of the groups around them."""
    attributes = {**inherited, **element.attrib}
    if element.tag.endswith("}path"):
        yield attributes
    for child in element:
        yield from _find_paths(child, attributes)


def compute_points(path: str) -> NDArray[np.float64]:
    """Return points along a path, (N, 2), close enough to look like its curves."""
    places = np.array(re.findall(r"-?\d+\.?\d*", path), dtype=np.float64).reshape(-1, 2)
    curves = places[1:].reshape(-1, 3, 2)
    starts = np.vstack([places[:1], curves[:-1, 2]])
    corners = np.concatenate([starts[:, np.newaxis], curves], axis=1)
    t = np.linspace(0, 1, _STEPS + 1)[1:, np.newaxis]
    bernstein = np.hstack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3])
    points = (bernstein @ corners).reshape(-1, 2)
    return np.vstack([places[:1], points, *([places[:1]] if path.endswith("Z") else [])])


def _find_colour(path: Mapping[str, str], name: str) -> str | None:
    colour = path.get(name, "none")
    return None if colour == "none" else path["color"] if colour == "currentColor" else colour


def _draw_line(
    draw: ImageDraw.ImageDraw, points: list[tuple[float, float]], colour: str, width: float
) -> None:
    draw.line(points, fill=colour, width=round(width), joint="curve")
    for end in (points[0], points[-1]):
        draw.circle(end, width / 2, fill=colour)
