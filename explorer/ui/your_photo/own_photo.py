"""A visitor's photo and all that is computed of it: in their own session, and nowhere else.

Nothing here is written to disk or put in a cache that sessions share, such as those of
`explorer.ui.shared.cached`: both would outlive the visit. What is forgotten is gone with the last
reference to it.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, cast

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.ui.shared.caching import Key
from explorer.ui.your_photo.marks import Marks

T = TypeVar("T")

FILE, CAMERA, SAMPLE = "a file", "the camera", "a sample"
SOURCES = (FILE, CAMERA, SAMPLE)

_SLOTS = "your_photo_slots"
_MOST_KEPT = 24


@dataclass(eq=False)
class OwnPhoto:
    """One photo in a visitor's session.

    Attributes
    ----------
    image : NDArray of uint8
        (H, W, 3), RGB, as `explorer.data.uploads.decoding.read_upload` returns it.
    digest : str
        SHA-256 of the file's bytes, or of a sample's pixels; tells one photo from another.
    name : str
        What the photo is called on the page.
    source : str
        One of `SOURCES`.
    truth : str
        The category that a sample shows, as in ``classes.txt``; empty where nobody knows.
    marks : Marks
        Box and parts, as placed by the visitor or annotated in a sample.
    """

    image: NDArray[np.uint8]
    digest: str
    name: str
    source: str
    marks: Marks
    truth: str = ""
    _computed: OrderedDict[Key, object] = field(default_factory=OrderedDict)

    def remember(self, key: Key, compute: Callable[[], T]) -> T:
        """Return what was computed of this photo under `key`, computing it the first time."""
        if key not in self._computed:
            self._computed[key] = compute()
            while len(self._computed) > _MOST_KEPT:
                self._computed.popitem(last=False)
        self._computed.move_to_end(key)
        return cast("T", self._computed[key])


def make_digest(data: bytes) -> str:
    """Return the SHA-256 of bytes in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def keep(photo: OwnPhoto) -> None:
    """Keep a photo in this session, in the place of an earlier one from the same source."""
    _get_slots()[photo.source] = photo


def find(source: str) -> OwnPhoto | None:
    """Return the photo that this session has from a source, if any."""
    return _get_slots().get(source)


def forget(source: str) -> None:
    """Drop the photo of a source with all that was computed of it."""
    _get_slots().pop(source, None)


def _get_slots() -> dict[str, OwnPhoto]:
    slots: dict[str, OwnPhoto] = st.session_state.setdefault(_SLOTS, {})
    return slots
