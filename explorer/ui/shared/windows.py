"""The part of a photo that its pictures show: the bird, the place of the heat, or all of it."""

import numpy as np

from explorer.render.window import WHOLE, Window, find_box_window, find_heat_window
from explorer.ui.shared import caching
from explorer.ui.shared.shown_photo import ShownPhoto
from explorer.ui.shared.state import MapStyle
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace


def find_window(
    workspace: Workspace, entry: ModuleEntry, photo: ShownPhoto, style: MapStyle
) -> Window:
    """Find the window around a photo's box, or else around the heat of its x-features."""
    if not style.is_cropped or photo.box is not None:
        return find_known_window(photo, is_cropped=style.is_cropped)

    def find() -> Window:
        explanation = photo.explain(workspace, entry, style.layer)
        weights = np.abs(explanation.contributions)
        return find_heat_window(explanation.maps, weights, _get_size(photo))

    module = caching.make_module_key(workspace, entry)
    return photo.remember_drawing(("window", *module, style.layer), find)


def find_score_window(
    workspace: Workspace, category: str, photo: ShownPhoto, style: MapStyle
) -> Window:
    """Find the window around a photo's box, or else around the heat of a category's score."""
    if not style.is_cropped or photo.box is not None:
        return find_known_window(photo, is_cropped=style.is_cropped)
    heat = photo.explain_score(workspace, category, style.layer)
    return find_heat_window(heat[np.newaxis], [1.0], _get_size(photo))


def find_known_window(photo: ShownPhoto, *, is_cropped: bool) -> Window:
    """Find the window around a photo's box; the whole photo where no box is known."""
    if not is_cropped or photo.box is None:
        return WHOLE
    return find_box_window(photo.box, _get_size(photo))


def _get_size(photo: ShownPhoto) -> tuple[int, int]:
    return photo.image.shape[0], photo.image.shape[1]
