"""Maps of a side; methods without a trained module are prepared once for all sessions."""

import logging
from dataclasses import astuple

import numpy as np
from numpy.typing import NDArray

from explorer.config import ExplorerError, run
from explorer.data.photo import Photo
from explorer.evaluation.case import Case
from explorer.methods.base import Source
from explorer.ui.compare.sides import UNTRAINED, Side
from explorer.ui.shared import cached, drawings, pictures, scores
from explorer.ui.shared.caching import Key, cache_data, cache_resource, make_workspace_key
from explorer.ui.shared.drawings import Overlays
from explorer.ui.shared.scales import list_strengths
from explorer.ui.shared.shown_photo import DatasetPhoto
from explorer.ui.shared.state import MapStyle
from explorer.ui.shared.windows import find_known_window
from explorer.workspace.features import Features
from explorer.workspace.workspace import Workspace

_LOG = logging.getLogger(__name__)
_SEED = 0


def get_first_layer(workspace: Workspace) -> str:
    """Return the layer at which maps are measured, whatever layer is shown."""
    return next(iter(workspace.networks.backbone.stops))


def make_case(workspace: Workspace, category: str) -> Case:
    """Make the case for which a method without a trained module is prepared."""
    return Case(workspace, scores.load_features(workspace), category, _SEED)


def prepare(workspace: Workspace, side: Side) -> Source:
    """Prepare the method of a side without a module.

    Raises
    ------
    ExplorerError
        When the method cannot be used for the category, or has no maps for it.
    """
    features = scores.load_features(workspace)
    source: Source = _prepare(workspace, features, side.category, side.by)
    return source


def _make_networks_key(workspace: Workspace) -> Key:
    return (*make_workspace_key(workspace), str(workspace.networks.device))


# Few, since each keeps its workspace's network in memory.
@cache_resource(8, also={Workspace: _make_networks_key})
def _prepare(workspace: Workspace, features: Features, category: str, by: str) -> Source:
    method = UNTRAINED[by]
    case = Case(workspace, features, category, _SEED)
    try:
        source = run(method.prepare(case))
        count = source.activate(features.z[:1], features.logits[:1]).shape[1]
    # Libraries raise all of these for numbers that they cannot factorise.
    except (ArithmeticError, RuntimeError, ValueError) as error:
        _LOG.exception("A method could not be prepared")
        raise ExplorerError(
            f"{method.title} cannot be fitted to what the network sees in this category."
        ) from error
    if not count:
        raise ExplorerError(f"{method.title} has no map for this category.")
    return source


def load_maps(workspace: Workspace, side: Side, photo: Photo, layer: str) -> NDArray[np.float32]:
    """Load or compute the maps of a side for a photo, (K, h, w), >= 0."""
    if side.entry is not None:
        return cached.explain(workspace, side.entry, photo, layer).maps
    return draw_maps(workspace, side.category, side.by, photo, layer)


def draw_maps(
    workspace: Workspace, category: str, by: str, photo: Photo, layer: str
) -> NDArray[np.float32]:
    """Load or compute the maps of a method without a module for a photo, (K, h, w), >= 0."""
    if UNTRAINED[by].has_stored_maps:
        return cached.explain_score(workspace, category, photo, layer)[np.newaxis]
    maps: NDArray[np.float32] = _draw(workspace, category, by, photo, layer)
    return maps


@cache_data(256)
def _draw(
    workspace: Workspace, category: str, by: str, photo: Photo, layer: str
) -> NDArray[np.float32]:
    # By what they depend on, not by sides: these swap places.
    source: Source = _prepare(workspace, scores.load_features(workspace), category, by)
    return source.draw(workspace.networks.prepare_image(cached.load_parts(photo).image), layer)


def draw_tiles(
    workspace: Workspace,
    side: Side,
    photo: Photo,
    style: MapStyle,
    contributions: NDArray[np.floating] | None = None,
) -> Overlays:
    """Draw all maps of a side over a photo, each as a tile.

    The maps of a side without a module may fade with their contributions, (K,), signed.
    """
    shown = DatasetPhoto(photo)
    if side.entry is not None:
        return drawings.draw_tiles(workspace, side.entry, shown, style)

    strengths = [] if contributions is None else list_strengths(contributions, style)

    def draw() -> Overlays:
        maps = load_maps(workspace, side, photo, style.layer)
        frame = drawings.Frame(shown.image, find_known_window(shown, is_cropped=style.is_cropped))
        return drawings.draw_maps(frame, maps, style, pictures.TILE_SIDE, strengths)

    # A probe is fitted to the photos that are present.
    photos = scores.load_features(workspace).image_ids.tobytes()
    key = (
        *make_workspace_key(workspace),
        photos,
        side.category,
        side.by,
        *astuple(style),
        *strengths,
    )
    return shown.remember_drawing(("side", *key), draw)
