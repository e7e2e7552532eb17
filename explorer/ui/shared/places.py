"""Where x-features look on the photo of a page, where that is not what their names say."""

from collections.abc import Mapping

from explorer.explaining.places import describe_places
from explorer.measuring.name_records import FeatureName
from explorer.ui.shared import cached, caching
from explorer.ui.shared.shown_photo import ShownPhoto
from explorer.ui.shared.state import MapStyle
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

_UNNAMED = FeatureName("unclear", "unclear")


def find_places(
    workspace: Workspace,
    entry: ModuleEntry,
    photo: ShownPhoto,
    style: MapStyle,
    names: Mapping[int, str],
) -> Mapping[int, str]:
    """Say where x-features look on a photo; see `describe_places`. Nothing without parts.

    `names` are those of `cached.load_names`. What parts people's own names are about is unknown.
    """
    parts, measures = photo.likely_parts, cached.load_measures_or_none(workspace, entry)
    if parts is None or measures is None or not measures.names:
        return {}
    found = [
        name if name.words == names.get(n) else _UNNAMED for n, name in enumerate(measures.names)
    ]

    def find() -> dict[int, str]:
        maps = photo.explain(workspace, entry, style.layer).maps
        if len(maps) != len(found):
            return {}
        return describe_places(found, parts, maps, workspace.dataset.part_names)

    placed = (str(parts.box), parts.points.tobytes(), str([name.words for name in found]))
    key = ("places", *caching.make_module_key(workspace, entry), style.layer, *placed)
    return photo.remember_drawing(key, find)
