"""Close-ups of the photos on which an x-feature fires most, joined to one picture."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from explorer.analysis.windows import find_square, widen_square
from explorer.data.photo import Photo
from explorer.nn.explanation import DEFAULT_STOP
from explorer.render.heatmap import compute_display_map, render_overlay
from explorer.ui.shared import cached, pictures
from explorer.ui.shared.caching import cache_data
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

_SIDE = 160  # pixels of each close-up
_GAP = 4
_EMPTY = (128, 128, 128)  # readable as empty on both themes
_OPACITY = 0.6  # so that what lies under the heat can be seen
_AROUND = 2  # the square with half of the heat alone would show too little of the bird
_LEAST = 0.4  # of the photo's shorter side


# Many, because the atlas of all species has a thousand.
@cache_data(2048)
def draw_strongest(
    workspace: Workspace, entry: ModuleEntry, feature: int, photos: tuple[Photo, ...]
) -> bytes:
    """Draw the map of an x-feature (counted from 0) over photos, cut out around its heat.

    Returns
    -------
    bytes
        JPEG: two close-ups in a row, or one alone.
    """
    layer = _choose_layer(workspace, entry)
    maps = [cached.explain(workspace, entry, photo, layer).maps[feature] for photo in photos]
    closeups = [_draw_closeup(photo, heat) for photo, heat in zip(photos, maps, strict=True)]
    columns = min(2, len(closeups))
    rows = -(-len(closeups) // columns)
    step = _SIDE + _GAP
    joined = Image.new("RGB", (columns * step - _GAP, rows * step - _GAP), _EMPTY)
    for place, closeup in enumerate(closeups):
        row, column = divmod(place, columns)
        joined.paste(closeup, (column * step, row * step))
    return pictures.encode_jpeg(np.asarray(joined))


def _draw_closeup(photo: Photo, heat: NDArray[np.float32]) -> Image.Image:
    shown = pictures.fit_for_display(cached.load_parts(photo).image, pictures.MIDDLE_SIDE)
    drawn = _cut_out(render_overlay(shown, heat, opacity=_OPACITY), heat)
    return Image.fromarray(drawn).resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)


def _choose_layer(workspace: Workspace, entry: ModuleEntry) -> str:
    """Return the usual layer if its maps are on the disk, else a coarse one: a page has eighty."""
    if entry.get_maps_path(DEFAULT_STOP).exists():
        return DEFAULT_STOP
    return workspace.networks.backbone.coarse_stop or DEFAULT_STOP


def _cut_out(picture: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    size = (picture.shape[0], picture.shape[1])
    square = find_square(compute_display_map(heat, size))
    side = round(max(_AROUND * square.side, _LEAST * min(size)))
    top, left, side = widen_square(square, side, size)
    return picture[top : top + side, left : left + side]
