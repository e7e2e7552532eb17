"""A method's maps for a photo, and where they are on the bird."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.locality import PartHistogram
from explorer.analysis.pointing import compute_pointing
from explorer.data.photo import Photo
from explorer.measuring.parts import PhotoParts, load_parts
from explorer.measuring.records import LocalityMeasures
from explorer.measuring.summaries import measure_locality
from explorer.methods.base import Draw
from explorer.workspace.workspace import Workspace


@dataclass(frozen=True, eq=False)
class PhotoHeat:
    """A method's maps for a photo.

    Attributes
    ----------
    parts : PhotoParts
        The photo.
    maps : NDArray of float32
        (K, h, w), >= 0.
    histogram : PartHistogram
        Part histogram of the K maps.
    pointing : NDArray of int64
        (K,), the part with the maximum of each map; -1 outside the box or for a zero map.
    """

    parts: PhotoParts
    maps: NDArray[np.float32]
    histogram: PartHistogram
    pointing: NDArray[np.int64]


def draw_heat(workspace: Workspace, draw: Draw, photo: Photo, stop: str) -> PhotoHeat:
    """Draw a method's maps for a photo at a layer, and measure them on its parts."""
    parts = load_parts(photo)
    maps = draw(workspace.networks.prepare_image(parts.image), stop)
    labels = parts.label((maps.shape[1], maps.shape[2]))
    return PhotoHeat(parts, maps, parts.measure(maps), compute_pointing(maps, labels))


def find_nonzero_maps(heats: Sequence[PhotoHeat]) -> NDArray[np.bool_]:
    """Return which of K maps are nonzero inside the box on at least one photo, (K,)."""
    every = np.ones(len(heats[0].maps), dtype=bool)
    return np.array(summarise_heat(heats, every).is_defined)


def summarise_heat(heats: Sequence[PhotoHeat], live: NDArray[np.bool_]) -> LocalityMeasures:
    """Measure locality over photos; see `explorer.measuring.summaries.measure_locality`."""
    return measure_locality([heat.histogram for heat in heats], live)
