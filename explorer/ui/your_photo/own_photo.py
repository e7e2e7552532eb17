"""A visitor's photo and everything computed of it, held in the visitor's session alone.

Nothing here is written to disk or put in a cache that sessions share, such as those of
`explorer.ui.shared.cached`: both would outlast the visit. A photo that is forgotten is freed with
the last reference to it.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar, cast

import numpy as np
import streamlit as st
from numpy.typing import ArrayLike, NDArray

from explorer.data.cub import format_category
from explorer.measuring.parts import PhotoParts
from explorer.nn.explanation import Explanation
from explorer.storage import packing
from explorer.ui.shared import caching, figures
from explorer.ui.shared.caching import Key
from explorer.ui.shared.figures import Draw
from explorer.ui.your_photo.marks import Marks
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

T = TypeVar("T")

FILE, CAMERA, SAMPLE = "a file", "the camera", "a sample"
SOURCES = (FILE, CAMERA, SAMPLE)

_SLOTS = "your_photo_slots"
_MOST_COMPUTED = 36  # with the arrays of explanations among them
_MOST_DRAWN = 192  # single pictures


class Memory:
    """The results that were used last, at most a given number of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._results: OrderedDict[Key, object] = OrderedDict()

    @property
    def is_empty(self) -> bool:
        """Whether there are no results."""
        return not self._results

    def __contains__(self, key: Key) -> bool:
        return key in self._results

    def get(self, key: Key, compute: Callable[[], T]) -> T:
        """Return the result under `key`, computing it if it is not there."""
        if key not in self._results:
            self._results[key] = compute()
            while len(self._results) > self._most:
                self._results.popitem(last=False)
        self._results.move_to_end(key)
        return cast("T", self._results[key])


@dataclass(eq=False)
class OwnPhoto:
    """A photo in a visitor's session; a `explorer.ui.shared.shown_photo.ShownPhoto`.

    Attributes
    ----------
    image : NDArray of uint8
        (H, W, 3), RGB, as `explorer.data.uploads.decoding.read_upload` decodes it.
    digest : str
        SHA-256 of the file's bytes, or of a sample's pixels; identifies the photo.
    name : str
        Name of the photo on the page.
    source : str
        One of `SOURCES`.
    marks : Marks
        Box and parts, as found, as placed by the visitor, or as annotated in a sample.
    truth : str
        Category of a sample, as in ``classes.txt``; empty if unknown.
    notes : tuple of str
        What the photo may lack because of its file.
    found : PhotoParts or None
        Box and parts that the network finds, as long as none is placed.
    """

    image: NDArray[np.uint8]
    digest: str
    name: str
    source: str
    marks: Marks
    truth: str = ""
    notes: tuple[str, ...] = ()
    found: PhotoParts | None = None
    _computed: Memory = field(default_factory=partial(Memory, _MOST_COMPUTED))
    _drawn: Memory = field(default_factory=partial(Memory, _MOST_DRAWN))

    @property
    def is_new(self) -> bool:
        """Whether nothing has been computed of the photo yet."""
        return self._computed.is_empty

    @property
    def parts(self) -> PhotoParts | None:
        """The photo with box and parts as they are placed now, or None before any part is."""
        if not self.marks.points:
            return None
        points = np.full((len(self.marks.names), 2), np.nan)
        for part, place in self.marks.points.items():
            points[part] = place
        return PhotoParts(self.image, self.marks.box, points, np.isfinite(points).all(axis=1))

    @property
    def likely_parts(self) -> PhotoParts | None:
        """The photo with box and parts as they are placed now, or else as they were found."""
        return self.parts or self.found

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """Box of the bird as it is placed now, or else as it was found; None if it is unknown."""
        if self.marks.points:
            return self.marks.box
        return None if self.found is None else self.found.box

    @property
    def draw(self) -> Draw:
        """Draws figures of the photo, which this session alone keeps."""
        return figures.draw_own

    def explain(self, workspace: Workspace, entry: ModuleEntry, layer: str) -> Explanation:
        """Explain the photo by a module; the network runs once for a module and a layer."""

        def explain() -> Explanation:
            with workspace.networks.take_turn():
                return workspace.networks.explain(entry, self.image, layer)

        return self.remember(_make_explanation_key(workspace, entry, layer), explain)

    def is_explained(self, workspace: Workspace, entry: ModuleEntry, layer: str) -> bool:
        """Whether `explain` has run for a module and a layer."""
        return _make_explanation_key(workspace, entry, layer) in self._computed

    def explain_score(self, workspace: Workspace, category: str, layer: str) -> NDArray[np.float32]:
        """Compute ExcitationBP of the network's score of a category, (h, w), >= 0."""

        def explain() -> NDArray[np.float32]:
            with workspace.networks.take_turn():
                return workspace.networks.explain_score(category, self.image, layer)

        key = ("score", *caching.make_workspace_key(workspace), category, layer)
        return self.remember(key, explain)

    def remember(self, key: Key, compute: Callable[[], T]) -> T:
        """Return what was computed of this photo under `key`, computing it the first time."""
        return self._computed.get(key, compute)

    def remember_drawing(self, key: Key, draw: Callable[[], T]) -> T:
        """Return what was drawn of this photo under `key`, drawing it the first time."""
        return self._drawn.get(key, draw)

    def make_stem(self, category: str, explained_by: str) -> str:
        """Name files after the photo, the explained category and what explains it."""
        name = self.name.rpartition(".")[0] or self.name
        what = "sample" if self.source == SAMPLE else "your-photo"
        return packing.make_stem(what, name, format_category(category), explained_by)

    def list_facts(self) -> Mapping[str, ArrayLike]:
        """List ``photo_name``, ``photo_sha256`` and, for found parts, ``part_confidence``.

        That is (P,), in [0, 1], and NaN for parts that were placed or annotated.
        """
        facts: dict[str, ArrayLike] = {"photo_name": self.name, "photo_sha256": self.digest}
        if self.marks.found:
            parts = range(len(self.marks.names))
            facts["part_confidence"] = [self.marks.found.get(part, np.nan) for part in parts]
        return facts


def _make_explanation_key(workspace: Workspace, entry: ModuleEntry, layer: str) -> Key:
    return ("explanation", *caching.make_module_key(workspace, entry), layer)


def make_digest(data: bytes) -> str:
    """Return the SHA-256 of bytes in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def keep(photo: OwnPhoto) -> None:
    """Keep a photo in this session, replacing an earlier one from the same source."""
    _get_slots()[photo.source] = photo


def find(source: str) -> OwnPhoto | None:
    """Return this session's photo from a source, if any."""
    return _get_slots().get(source)


def forget(source: str) -> None:
    """Drop the photo of a source and everything computed of it."""
    _get_slots().pop(source, None)
    figures.forget_own()


def _get_slots() -> dict[str, OwnPhoto]:
    slots: dict[str, OwnPhoto] = st.session_state.setdefault(_SLOTS, {})
    return slots
