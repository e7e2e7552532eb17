"""Files of a comparison to take along: the numbers, and the maps as drawn."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import streamlit as st

from explorer.analysis.pairing import Pair
from explorer.data.cub import format_category
from explorer.data.photo import Photo
from explorer.ui.compare import compare_maps
from explorer.ui.compare.choosing import LEFT, RIGHT, Side, SideNumbers, load_sides_of_split
from explorer.ui.shared import cached, drawings, exports
from explorer.ui.shared.state import MapStyle
from explorer.workspace.workspace import Workspace


def show_files(
    workspace: Workspace,
    sides: tuple[Side, Side],
    *,
    numbers: tuple[SideNumbers, SideNumbers] | None,
    pairs: Sequence[Pair],
    photos: "Sequence[Photo]",
    shown: "Sequence[Photo]",
    style: MapStyle,
) -> None:
    """Offer the numbers of all photos of the category, and the maps of those on this page."""
    pieces = [piece for side in sides for piece in (format_category(side.category), side.method)]
    stem = exports.make_stem("compare", *pieces)
    with st.container(horizontal=True):
        if numbers is not None:
            columns = make_columns(workspace, sides, numbers, pairs, photos)
            st.download_button(
                f"Numbers of all {len(photos)} photos (CSV)",
                data=partial(exports.make_csv, columns),
                file_name=f"{stem}.csv",
                mime="text/csv",
                icon=":material/table:",
                on_click="ignore",
                key="compare-csv",
            )
        st.download_button(
            f"Maps of the {len(shown)} photos above (ZIP)",
            data=partial(make_pictures, workspace, sides, shown, style),
            file_name=f"{stem}_{style.layer}_{style.colours}.zip",
            mime="application/zip",
            icon=":material/folder_zip:",
            on_click="ignore",
            key="compare-zip",
        )


def make_columns(
    workspace: Workspace,
    sides: tuple[Side, Side],
    numbers: tuple[SideNumbers, SideNumbers],
    pairs: Sequence[Pair],
    photos: "Sequence[Photo]",
) -> Mapping[str, Sequence[object]]:
    """Lay out numbers as columns: a row for each photo, side and x-feature.

    A side without a module has one row a photo, with ŷ alone.
    """
    rows: list[dict[str, object]] = []
    for side, found in zip(sides, numbers, strict=True):
        split = load_sides_of_split(workspace, side)
        letters = _name_pairs(side, pairs)
        positions = {int(image_id): row for row, image_id in enumerate(found.image_ids)}
        for photo in photos:
            row = positions[photo.image_id]
            about = {
                "image_id": photo.image_id,
                "photo_category": photo.category,
                "split": split.name_side(photo.image_id),
            }
            rows += _list_rows(side, found, row, letters, about)
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def _list_rows(
    side: Side,
    found: SideNumbers,
    row: int,
    letters: Mapping[int, str],
    about: Mapping[str, object],
) -> list[dict[str, object]]:
    common: dict[str, object] = {
        **about,
        "side": side.place,
        "category": side.category,
        "explained_by": side.method,
        "y_hat": float(found.y_hat[row]),
    }
    nothing = {"y_bar": "", "x_feature": "", "pair": "", "activation": "", "contribution": ""}
    if found.y_bar is None or found.x_features is None or found.contributions is None:
        return [common | nothing]
    return [
        common
        | {
            "y_bar": float(found.y_bar[row]),
            "x_feature": feature + 1,
            "pair": letters.get(feature, ""),
            "activation": float(found.x_features[row, feature]),
            "contribution": float(found.contributions[row, feature]),
        }
        for feature in range(found.x_features.shape[1])
    ]


def _name_pairs(side: Side, pairs: Sequence[Pair]) -> dict[int, str]:
    letters = {}
    for slot, pair in enumerate(pairs):
        feature = pair.left if side.place == LEFT else pair.right
        if feature is not None:
            letters[feature] = compare_maps.name_pair(pairs, slot)
    return letters


def make_pictures(
    workspace: Workspace, sides: tuple[Side, Side], photos: "Sequence[Photo]", style: MapStyle
) -> bytes:
    """Pack the maps of both sides over the photos, as PNGs without loss."""
    files = {}
    for photo in photos:
        image = cached.load_parts(photo).image
        for side in sides:
            maps = compare_maps.load_maps(workspace, side, photo, style.layer)
            tops = compare_maps.draw_side(workspace, side, photo, style).tops
            for feature, (heat, top) in enumerate(zip(maps, tops, strict=True), start=1):
                what = f"x-feature-{feature}" if side.entry is not None else side.method
                number = 1 if side.place != RIGHT else 2
                name = f"id{photo.image_id}_{number}-{side.place}_{what}.png"
                files[name] = drawings.draw_map_png(image, np.asarray(heat), style, top)
    return exports.make_zip(files)
