"""The photo that a page explains: one of the data set, or a visitor's own.

Its maps are drawn, measured and packed in the same way for both. The two differ in where results
are kept: those of a data-set photo in caches shared by all sessions, those of a visitor's photo in
the visitor's session alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.data.cub import format_category
from explorer.data.photo import Photo
from explorer.measuring.parts import PhotoParts
from explorer.nn.explanation import Explanation
from explorer.storage import packing
from explorer.ui.shared import cached, figures
from explorer.ui.shared.caching import Key, cache_data
from explorer.ui.shared.figures import Draw
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

T = TypeVar("T")


class ShownPhoto(Protocol):
    """A photo on a page, with what a workspace's networks compute of it."""

    @property
    def image(self) -> NDArray[np.uint8]:
        """(H, W, 3), RGB."""

    @property
    def parts(self) -> PhotoParts | None:
        """The photo with its box and parts, or None where no part has a place yet."""

    @property
    def likely_parts(self) -> PhotoParts | None:
        """The same, or else with the parts that the network finds; None where it finds none."""

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """Box of the bird, (x, y, width, height) in pixels, or None where it is not known."""

    @property
    def draw(self) -> Draw:
        """Draws figures of the photo, as `figures.draw` or `figures.draw_own`."""

    def explain(self, workspace: Workspace, entry: ModuleEntry, layer: str) -> Explanation:
        """Explain the photo by a module, with maps taken at a layer; computed once."""

    def is_explained(self, workspace: Workspace, entry: ModuleEntry, layer: str) -> bool:
        """Whether `explain` is likely to have its answer at hand; else coarse maps come first."""

    def explain_score(self, workspace: Workspace, category: str, layer: str) -> NDArray[np.float32]:
        """Compute ExcitationBP of the network's score of a category, (h, w), >= 0; once."""

    def remember_drawing(self, key: Key, draw: Callable[[], T]) -> T:
        """Return what was drawn of this photo under `key`, drawing it the first time."""

    def make_stem(self, category: str, explained_by: str) -> str:
        """Name files, without their ending, after the photo, a category and what explains it."""

    def list_facts(self) -> Mapping[str, ArrayLike]:
        """List what identifies the photo, by name, for files of numbers."""


@dataclass(frozen=True)
class DatasetPhoto:
    """A photo of the data set as a `ShownPhoto`; all sessions share what is computed of it."""

    photo: Photo

    @cached_property
    def parts(self) -> PhotoParts:
        """The photo with its annotated box and parts."""
        return cached.load_parts(self.photo)

    @property
    def likely_parts(self) -> PhotoParts:
        """The photo with its annotated box and parts."""
        return self.parts

    @property
    def image(self) -> NDArray[np.uint8]:
        """(H, W, 3), RGB."""
        return self.parts.image

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The annotated box of the bird."""
        return self.parts.box

    @property
    def draw(self) -> Draw:
        """Draws figures of the photo, which all sessions share."""
        return figures.draw

    def explain(self, workspace: Workspace, entry: ModuleEntry, layer: str) -> Explanation:
        """Explain the photo by a module; see `cached.explain`."""
        return cached.explain(workspace, entry, self.photo, layer)

    def is_explained(self, workspace: Workspace, entry: ModuleEntry, layer: str) -> bool:  # noqa: ARG002
        """Return True: its maps are often on the disk, or known from another session."""
        return True

    def explain_score(self, workspace: Workspace, category: str, layer: str) -> NDArray[np.float32]:
        """Compute ExcitationBP of the network's score of a category; see `cached`."""
        return cached.explain_score(workspace, category, self.photo, layer)

    def remember_drawing(self, key: Key, draw: Callable[[], T]) -> T:
        """Return what any session has drawn of this photo under `key`, or draw it."""
        return _remember_drawing(self.photo, key, draw)

    def make_stem(self, category: str, explained_by: str) -> str:
        """Name files after category, module and photo, in letters that every system accepts."""
        name = f"{self.photo.name}-id{self.photo.image_id}"
        return packing.make_stem(format_category(category), explained_by, name)

    def list_facts(self) -> Mapping[str, ArrayLike]:
        """List ``image_id``, ``photo_name`` and ``photo_category``."""
        return {
            "image_id": self.photo.image_id,
            "photo_name": self.photo.name,
            "photo_category": self.photo.category,
        }


# Many, because galleries draw single tiles of hundreds of photos.
@cache_data(4096)
def _remember_drawing(photo: Photo, key: Key, _draw: Callable[[], T]) -> T:  # noqa: ARG001
    return _draw()
