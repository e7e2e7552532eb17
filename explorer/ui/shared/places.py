"""Where x-features look on the photo of a page, where that is not what their names say."""

from collections.abc import Mapping

from explorer.explaining.naming import load_own_names
from explorer.explaining.places import describe_places
from explorer.measuring.name_records import FeatureName
from explorer.ui.shared import cached, caching
from explorer.ui.shared.shown_photo import ShownPhoto
from explorer.ui.shared.state import MapStyle
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

_UNNAMED = FeatureName("unclear", "unclear")


def find_places(
    workspace: Workspace, entry: ModuleEntry, photo: ShownPhoto, style: MapStyle
) -> Mapping[int, str]:
    """Say where x-features look on a photo; see `describe_places`. Nothing without parts."""
    parts, measures = photo.likely_parts, cached.load_measures_or_none(workspace, entry)
    if parts is None or measures is None or not measures.names:
        return {}
    own = load_own_names(entry)  # nobody knows what parts they are about
    names = [_UNNAMED if n in own else name for n, name in enumerate(measures.names)]

    def find() -> dict[int, str]:
        maps = photo.explain(workspace, entry, style.layer).maps
        if len(maps) != len(names):
            return {}
        return describe_places(names, parts, maps, workspace.dataset.part_names)

    placed = (str(parts.box), parts.points.tobytes(), str(sorted(own)))
    key = ("places", *caching.make_module_key(workspace, entry), style.layer, *placed)
    return photo.remember_drawing(key, find)
