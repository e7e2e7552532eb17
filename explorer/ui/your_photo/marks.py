"""The box and the parts on a visitor's photo, found or placed by the visitor, with undo."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Box = tuple[float, float, float, float]
Point = tuple[float, float]

_MOST_STEPS = 100
_SMALLEST_BOX = 2.0
_USUAL_MARGIN = 0.05


@dataclass(frozen=True)
class _Step:
    """What there is to go back to."""

    box: Box
    points: dict[int, Point]
    found: dict[int, float]
    is_box_found: bool


@dataclass(eq=False)
class Marks:
    """A box and parts on a photo, in its pixels.

    Attributes
    ----------
    width, height : int
        Size of the photo.
    box : tuple of float
        (x, y, width, height), within the photo.
    points : dict
        Index of a part to its (x, y), within the photo; missing parts are not visible.
    version : int
        Increases with every change made outside the table, which is then redrawn.
    names : tuple of str
        Names of the parts, in the order of their indices; see `name_parts`.
    found : dict
        Index of a part to the confidence, in [0, 1], with which the network found it; a part that
        the visitor has placed or moved is no longer among them.
    is_box_found : bool
        Whether the network found the box, and the visitor has not changed it.
    """

    width: int
    height: int
    box: Box = (0.0, 0.0, 0.0, 0.0)
    points: dict[int, Point] = field(default_factory=dict)
    version: int = 0
    names: tuple[str, ...] = ()
    found: dict[int, float] = field(default_factory=dict)
    is_box_found: bool = False
    _history: list[_Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Set a box slightly smaller than the photo if none is given."""
        if not self.box[2] or not self.box[3]:
            x, y = _USUAL_MARGIN * self.width, _USUAL_MARGIN * self.height
            self.box = (x, y, self.width - 2 * x, self.height - 2 * y)

    def name_parts(self, names: tuple[str, ...]) -> None:
        """Set the names of the parts; parts placed under other names are removed, without undo."""
        if self.names and names != self.names:
            self.points, self.found = {}, {}
            self._history.clear()
            self.version += 1
        self.names = names

    def suggest(self, box: Box, points: Mapping[int, Point], found: Mapping[int, float]) -> None:
        """Replace box and parts by those that the network found, with its confidence in each."""
        self._remember()
        x, y, width, height = box
        self.box = self._make_box(x, y, x + width, y + height)
        self.points = {part: self._clip(*place) for part, place in points.items()}
        self.found, self.is_box_found = dict(found), True
        self.version += 1

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo."""
        return bool(self._history)

    def place(self, part: int, x: float, y: float) -> None:
        """Place a part on the photo, or move it; a point outside is moved to the border."""
        if math.isfinite(x) and math.isfinite(y):
            self._remember()
            self.points[part] = self._clip(x, y)
            self.found.pop(part, None)
            self.version += 1

    def hide(self, part: int) -> None:
        """Remove a part from the photo."""
        if part in self.points:
            self._remember()
            del self.points[part]
            self.found.pop(part, None)
            self.version += 1

    def set_box(self, left: float, top: float, right: float, bottom: float) -> None:
        """Set the box by its edges, in any order; width and height are at least two pixels."""
        if not all(map(math.isfinite, (left, top, right, bottom))):
            return
        self._remember()
        self.box = self._make_box(left, top, right, bottom)
        self.is_box_found = False
        self.version += 1

    def _make_box(self, left: float, top: float, right: float, bottom: float) -> Box:
        (left, top), (right, bottom) = (
            self._clip(min(left, right), min(top, bottom)),
            self._clip(max(left, right), max(top, bottom)),
        )
        left, top = min(left, self.width - _SMALLEST_BOX), min(top, self.height - _SMALLEST_BOX)
        return left, top, max(right - left, _SMALLEST_BOX), max(bottom - top, _SMALLEST_BOX)

    def apply_table(
        self, base: Mapping[int, Point], edits: Mapping[int, Mapping[str, Any]]
    ) -> None:
        """Apply the edits made in the table.

        Parameters
        ----------
        base : Mapping
            The points from which the table was drawn.
        edits : Mapping
            Row, which is the index of the part, to its changed cells: ``seen``, ``x``, ``y``.
        """
        points = dict(base)
        for part, cells in edits.items():
            x, y = points.get(part, (self.width / 2, self.height / 2))
            x, y = (
                float(old if cells.get(name) is None else cells[name])
                for name, old in (("x", x), ("y", y))
            )
            # A part with typed coordinates is visible, even if its box is not ticked.
            if not cells.get("seen", part in points or "x" in cells or "y" in cells):
                points.pop(part, None)
            elif math.isfinite(x) and math.isfinite(y):
                points[part] = self._clip(x, y)
        if points != self.points:
            self._remember()
            same = points.items() & self.points.items()
            self.found = {part: self.found[part] for part, _ in same if part in self.found}
            self.points = points

    def undo(self) -> None:
        """Undo the last step."""
        if self._history:
            step = self._history.pop()
            self.box, self.points = step.box, step.points
            self.found, self.is_box_found = step.found, step.is_box_found
            self.version += 1

    def clear(self) -> None:
        """Remove all parts from the photo; the box is kept."""
        if self.points:
            self._remember()
            self.points, self.found = {}, {}
            self.version += 1

    def _remember(self) -> None:
        step = _Step(self.box, dict(self.points), dict(self.found), self.is_box_found)
        self._history.append(step)
        del self._history[:-_MOST_STEPS]

    def _clip(self, x: float, y: float) -> Point:
        return min(max(x, 0.0), float(self.width)), min(max(y, 0.0), float(self.height))
