"""Placing the box and the parts of the bird on a visitor's photo."""

import base64
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from explorer.config import ASSETS_DIR
from explorer.data.names import count_words
from explorer.render.figures import get_part_colours
from explorer.render.labels import place_labels
from explorer.ui.shared import exports, pictures, state
from explorer.ui.shared.words import HELP
from explorer.ui.your_photo import finding
from explorer.ui.your_photo.marks import Marks, Point
from explorer.ui.your_photo.own_photo import OwnPhoto
from explorer.workspace.workspace import Workspace

MEASURE = "parts"
_PART = "your_photo_part"
_PLACER = "your_photo_placer"
_TABLE_BASE = "your_photo_table"
# Size of a photo on the screen, in pixels: width on a phone, height of a tall one on a low window.
_PHONE_WIDTH, _SHORTEST_SHOWN = 358, 560


def choose_parts(workspace: Workspace) -> bool:
    """Let the user choose whether heat is counted part by part."""
    state.check_param(MEASURE, ("true", "false"), "measuring against parts")
    is_wanted = st.toggle(
        "Measure it against parts", key=MEASURE, bind=state.BIND, help=HELP["partition"]
    )
    if not is_wanted:
        how = (
            "The network looks for the bird and its parts, and you can move them"
            if workspace.has_part_finder
            else "Say where the bird and its parts are"
        )
        st.caption(
            f"On which parts of the bird does the heat lie? {how}; then it is counted part by part."
        )
    return is_wanted


def show_marks(workspace: Workspace, photo: OwnPhoto) -> None:
    """Show the photo to place box and parts on, next to controls for the keyboard."""
    names = workspace.dataset.part_names
    state.discard_unknown_choice(_PART, range(len(names)))
    left, right = st.columns([6, 5], gap="large")
    with left:
        chosen = int(st.session_state.get(_PART, 0))
        verb = "move" if chosen in photo.marks.points else "place"
        st.markdown(f"A click or a tap will {verb}: **{names[chosen]}**")
        _show_placer(photo, names)
    with right:
        _show_controls(workspace, photo)


def _show_placer(photo: OwnPhoto, names: tuple[str, ...]) -> None:
    marks, colours = photo.marks, get_part_colours(names)
    x, y, width, height = marks.box
    chosen = st.session_state.get(_PART, 0)
    shifts = _compute_label_shifts(marks, names)
    data = {
        "photo": photo.remember(("data-url",), lambda: _make_data_url(photo)),
        "alt": _describe_marks(marks),
        "width": marks.width,
        "height": marks.height,
        "box": [x, y, x + width, y + height],
        "chosen": names[chosen],
        "parts": [
            {
                **{"index": part, "name": names[part], "colour": colours[part]},
                **{"x": px, "y": py},
                "found": part in marks.found,
                **shifts.get(part, {}),
            }
            for part, (px, py) in sorted(marks.points.items())
        ],
    }
    files = ASSETS_DIR / "pages"
    show = st.components.v2.component(
        "srae_part_placer",
        html="<svg role='img'></svg>",
        css=(files / "part_placer.css").read_text(encoding="utf-8"),
        js=(files / "part_placer.js").read_text(encoding="utf-8"),
    )
    show(
        key=_PLACER,
        data=data,
        on_click_change=partial(_on_click, marks, len(names)),
        on_move_change=partial(_on_move, marks, len(names)),
        on_box_change=partial(_on_box_change, marks),
    )


def _describe_marks(marks: Marks) -> str:
    found = f", {len(marks.found)} of them found by the network" if marks.found else ""
    parts = count_words(len(marks.points), "part")
    return f"The photo with its box and {parts}{found}; places can be typed instead"


def _compute_label_shifts(marks: Marks, names: tuple[str, ...]) -> dict[int, dict[str, float]]:
    """Compute offsets of names from their points, in pixels of a phone's screen."""
    parts = sorted(marks.points)
    scale = min(_PHONE_WIDTH / marks.width, _SHORTEST_SHOWN / marks.height)
    points = np.array([marks.points[part] for part in parts]).reshape(-1, 2) * scale
    size = (marks.height * scale, marks.width * scale)
    labels = place_labels(points, [names[part] for part in parts], size)
    return {parts[label.index]: {"dx": label.shift[0], "dy": label.shift[1]} for label in labels}


def _make_data_url(photo: OwnPhoto) -> str:
    shown = pictures.encode_jpeg(pictures.fit_for_display(photo.image))
    return "data:image/jpeg;base64," + base64.b64encode(shown).decode()


def _on_click(marks: Marks, part_count: int) -> None:
    place_chosen(marks, st.session_state[_PLACER].get("click"), part_count)


def _on_move(marks: Marks, part_count: int) -> None:
    move_part(marks, st.session_state[_PLACER].get("move"), part_count)


def move_part(marks: Marks, move: object, part_count: int) -> None:
    """Place the part that was dragged, (index, x, y), where it was dropped."""
    numbers = _read_numbers(move, 3)
    if numbers is not None and int(numbers[0]) in range(part_count):
        marks.place(int(numbers[0]), *numbers[1:])


def place_chosen(marks: Marks, place: object, part_count: int) -> None:
    """Place the chosen part at a click, (x, y), and choose the next part without a place."""
    numbers = _read_numbers(place, 2)
    if numbers is None:
        return
    chosen = int(st.session_state.get(_PART, 0))
    marks.place(chosen, *numbers)
    following = [*range(chosen + 1, part_count), *range(chosen)]
    free = [part for part in following if part not in marks.points]
    st.session_state[_PART] = free[0] if free else chosen


def _on_box_change(marks: Marks) -> None:
    numbers = _read_numbers(st.session_state[_PLACER].get("box"), 4)
    if numbers is not None:
        marks.set_box(*numbers)


def _read_numbers(value: object, count: int) -> list[float] | None:
    """Return what the browser sent if it is `count` numbers, and None otherwise."""
    if not isinstance(value, list | tuple) or len(value) != count:
        return None
    return [float(v) for v in value] if all(isinstance(v, int | float) for v in value) else None


def _show_controls(workspace: Workspace, photo: OwnPhoto) -> None:
    marks, names = photo.marks, workspace.dataset.part_names
    st.markdown("**1. Draw the box around the bird**: drag its corners, or move these.")
    _show_box_slider(marks, "Left to right", 0)
    _show_box_slider(marks, "Top to bottom", 1)
    st.markdown(
        "**2. Click the photo where each part is**, or drag it there. Skip what cannot be seen."
    )
    st.pills(
        "Part to place next",
        range(len(names)),
        default=None if _PART in st.session_state else 0,
        required=True,
        format_func=names.__getitem__,
        key=_PART,
        wrap=True,
    )
    chosen = int(st.session_state[_PART])
    with st.container(horizontal=True, gap="small"):
        st.button("Undo", icon=":material/undo:", on_click=marks.undo, disabled=not marks.can_undo)
        st.button(
            f"Remove {names[chosen]}",
            icon=":material/visibility_off:",
            on_click=marks.hide,
            args=(chosen,),
            disabled=chosen not in marks.points,
            key="hide-part",
        )
        st.button(
            "Clear",
            icon=":material/clear_all:",
            on_click=marks.clear,
            disabled=not marks.points,
            help="Removes all parts.",
        )
        finding.show_find_button(workspace, photo)
    st.caption(f"{len(marks.points)} of {len(names)} parts have a place.")
    finding.show_confidence(marks, names)
    with st.expander("Type the places instead"):
        _show_table(photo, names)


def _show_box_slider(marks: Marks, label: str, axis: int) -> None:
    key, full = f"your_photo_box_{axis}", (marks.width, marks.height)[axis]
    start, length = marks.box[axis], marks.box[axis + 2]
    # The slider shows the box, which may have been dragged, in whole per cent.
    st.session_state[key] = (round(100 * start / full), round(100 * (start + length) / full))
    st.slider(
        f"{label}, % of the photo",
        0,
        100,
        key=key,
        on_change=_on_slider_change,
        args=(marks, axis, key),
    )


def _on_slider_change(marks: Marks, axis: int, key: str) -> None:
    low, high = st.session_state[key]
    x, y, width, height = marks.box
    edges = [x, y, x + width, y + height]
    full = (marks.width, marks.height)[axis]
    edges[axis], edges[axis + 2] = low / 100 * full, high / 100 * full
    marks.set_box(*edges)


def _get_per_cent(marks: Marks, index: int) -> float | None:
    return 100 * marks.found[index] if index in marks.found else None


def _show_table(photo: OwnPhoto, names: tuple[str, ...]) -> None:
    marks = photo.marks
    # A new key redraws the table and loses its focus: only for changes made elsewhere.
    tag = f"{photo.digest[:12]}-{marks.version}"
    if st.session_state.get(_TABLE_BASE, ("",))[0] != tag:
        st.session_state[_TABLE_BASE] = (tag, dict(marks.points))
    base: dict[int, Point] = st.session_state[_TABLE_BASE][1]
    rows = [
        {
            "part": name,
            "seen": index in base,
            "x": round(base[index][0], 1) if index in base else None,
            "y": round(base[index][1], 1) if index in base else None,
            **({"found": _get_per_cent(marks, index)} if marks.found else {}),
        }
        for index, name in enumerate(names)
    ]
    key = f"your_photo_table_{tag}"
    st.data_editor(
        rows,
        key=key,
        width="stretch",
        hide_index=True,
        on_change=_on_table_change,
        args=(marks, base, key),
        column_config={
            "part": st.column_config.TextColumn("Part", disabled=True),
            "seen": st.column_config.CheckboxColumn("Visible"),
            "x": st.column_config.NumberColumn("x", min_value=0, max_value=marks.width),
            "y": st.column_config.NumberColumn("y", min_value=0, max_value=marks.height),
            "found": st.column_config.NumberColumn("Found with", format="%.0f%%", disabled=True),
        },
    )
    st.caption(
        f"In pixels of the photo, from its left and top edge: {marks.width} × {marks.height}."
    )
    x, y, width, height = marks.box
    places = {
        "box, left and top": (x, y),
        "box, right and bottom": (x + width, y + height),
        **{name: marks.points.get(index, ("", "")) for index, name in enumerate(names)},
    }
    confidence = [marks.found.get(index, "") for index in range(len(names))]
    exports.show_numbers(
        {
            "what": list(places),
            "x": [place[0] for place in places.values()],
            "y": [place[1] for place in places.values()],
            **({"confidence of what was found": ["", "", *confidence]} if marks.found else {}),
        },
        "srae-your-photo-places",
    )


def _on_table_change(marks: Marks, base: Mapping[int, Point], key: str) -> None:
    edits: Mapping[int, Mapping[str, Any]] = st.session_state[key]["edited_rows"]
    marks.apply_table(base, edits)
