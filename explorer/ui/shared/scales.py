"""How strongly maps are drawn beside each other, and which of their values is the hottest."""

import numpy as np
from numpy.typing import NDArray

from explorer.render.heatmap import compute_display_map, compute_shared_scale
from explorer.render.views import compute_strengths
from explorer.ui.shared import pictures
from explorer.ui.shared.state import FADED, SHARED_SCALE, MapStyle


def list_strengths(contributions: NDArray[np.floating], style: MapStyle) -> list[float]:
    """List how strongly the maps of x-features (K,) are drawn next to each other, in [0, 1]."""
    if style.scale != FADED:
        return [1.0] * len(contributions)
    strengths: list[float] = compute_strengths(contributions).tolist()
    return strengths


def find_tops(
    image: NDArray[np.uint8], maps: NDArray[np.float32], style: MapStyle
) -> tuple[float, ...]:
    """Find the value drawn as the hottest in each of the maps (K, h, w), 0 if it is all zero.

    Smoothing depends slightly on the size of the picture. The value of the whole photo, drawn
    large, is used for all sizes and windows.
    """
    size = pictures.compute_shown_size((image.shape[0], image.shape[1]))
    if style.scale == SHARED_SCALE:
        scale = compute_shared_scale(maps, size, smooth=style.smooth)
        return tuple(scale if heat.any() else 0.0 for heat in maps)
    return tuple(float(compute_display_map(m, size, smooth=style.smooth).max()) for m in maps)
