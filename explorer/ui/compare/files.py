"""Files of a comparison for download: the numbers, and the maps as drawn."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import streamlit as st

from explorer.analysis.pairing import Pair
from explorer.data.cub import format_category
from explorer.data.names import count_words
from explorer.data.photo import Photo
from explorer.storage import packing
from explorer.ui.compare import sources
from explorer.ui.compare.numbers import SideNumbers
from explorer.ui.compare.pairs import Both, get_index, name_pair
from explorer.ui.compare.sides import RIGHT
from explorer.ui.shared import drawings
from explorer.ui.shared.shown_photo import DatasetPhoto
from explorer.ui.shared.state import MapStyle
from explorer.ui.shared.windows import find_known_window
from explorer.workspace.workspace import Workspace

_NOTHING: Mapping[str, object] = {
    "y_bar": "",
    "x_feature": "",
    "map": "",
    "pair": "",
    "activation": "",
    "contribution": "",
}


def show_files(
    workspace: Workspace,
    both: Both,
    pairs: Sequence[Pair],
    *,
    photos: Sequence[Photo],
    shown: Sequence[Photo],
    style: MapStyle,
) -> None:
    """Offer the numbers of all photos of the category, and the maps of those on this page."""
    pieces = [
        piece
        for numbers in both
        for piece in (format_category(numbers.side.category), numbers.side.by)
    ]
    stem = packing.make_stem("compare", *pieces)
    with st.container(horizontal=True):
        st.download_button(
            f"Numbers of {count_words(len(photos), 'photo')} (CSV)",
            data=partial(packing.make_csv, make_columns(both, pairs, photos)),
            file_name=f"{stem}.csv",
            mime="text/csv",
            icon=":material/table:",
            on_click="ignore",
            key="compare-csv",
        )
        if not shown:
            return
        st.download_button(
            f"Maps of the {count_words(len(shown), 'photo')} above (ZIP)",
            data=partial(make_pictures, workspace, both, shown, style),
            file_name=f"{stem}_{style.layer}_{style.colours}.zip",
            mime="application/zip",
            icon=":material/folder_zip:",
            on_click="ignore",
            key="compare-zip",
        )


def make_columns(
    both: Both, pairs: Sequence[Pair], photos: Sequence[Photo]
) -> Mapping[str, Sequence[object]]:
    """Arrange numbers as columns, with a row for each photo, side and map.

    A score as a whole has one row per photo, with ŷ alone. Photos whose files were missing when the
    network read them have no rows.
    """
    rows: list[dict[str, object]] = []
    for numbers in both:
        letters = _name_pairs(numbers, pairs)
        for photo in photos:
            if photo.image_id in numbers.rows:
                rows += _list_rows(numbers, photo, letters)
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def _name_pairs(numbers: SideNumbers, pairs: Sequence[Pair]) -> dict[int, str]:
    indices = [get_index(pair, numbers.side.place) for pair in pairs]
    return {
        index: name_pair(pairs, slot) for slot, index in enumerate(indices) if index is not None
    }


def _list_rows(
    numbers: SideNumbers, photo: Photo, letters: Mapping[int, str]
) -> list[dict[str, object]]:
    side, outputs, row = numbers.side, numbers.outputs, numbers.get_row(photo.image_id)
    common: dict[str, object] = {
        "image_id": photo.image_id,
        "photo_category": photo.category,
        "split": numbers.split.name_side(photo.image_id),
        "side": side.place,
        "category": side.category,
        "explained_by": side.by,
        "y_hat": float(numbers.y_hat[row]),
        **_NOTHING,
    }
    if outputs is None:
        return [common]
    if outputs.y_bar is not None:
        common["y_bar"] = float(outputs.y_bar[row])
    contributions = outputs.contributions
    return [
        common
        | {
            "x_feature": index + 1 if side.entry is not None else "",
            "map": name,
            "pair": letters.get(index, ""),
            "activation": float(outputs.activations[row, index]),
            "contribution": "" if contributions is None else float(contributions[row, index]),
        }
        for index, name in enumerate(outputs.names)
    ]


def make_pictures(
    workspace: Workspace, both: Both, photos: Sequence[Photo], style: MapStyle
) -> bytes:
    """Pack the maps of both sides over the photos as lossless PNGs."""
    files = {}
    for photo in photos:
        shown = DatasetPhoto(photo)
        window = find_known_window(shown, is_cropped=style.is_cropped)
        frame = drawings.Frame(shown.image, window)
        for numbers in both:
            side = numbers.side
            maps = sources.load_maps(workspace, side, photo, style.layer)
            tops = sources.draw_tiles(workspace, side, photo, style).tops
            names = [side.by] if numbers.outputs is None else numbers.outputs.names
            number = 2 if side.place == RIGHT else 1
            for name, heat, top in zip(names, maps, tops, strict=True):
                stem = f"id{photo.image_id}_{number}-{side.place}_{name.replace(' ', '-')}"
                files[f"{stem}.png"] = drawings.draw_map_png(frame, np.asarray(heat), style, top)
    return packing.make_zip(files)
