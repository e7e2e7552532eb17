"""Choosing a photo of the data set: by name, step by step, or from a sheet of thumbnails."""

from collections.abc import Sequence

import streamlit as st

from explorer.data.names import name_categories
from explorer.data.photo import Photo
from explorer.ui.shared import cached, state
from explorer.ui.shared.errors import error_boundary
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.names import name_photos
from explorer.ui.shared.pictures import THUMBNAIL_SIDE
from explorer.ui.shared.splits import SIDES, SplitSides, sort_photos
from explorer.ui.shared.words import HELP
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

_NEXT = "next_photo"
_HEADINGS = {
    "test": "Test photos: the module has not learnt from them",
    "train": "Training photos: the module has learnt from them",
    "unused": "Photos that the module's draw left out",
}


def show_photo_picker(workspace: Workspace, entry: ModuleEntry, split: SplitSides) -> Photo:
    """Let the user choose a photo, of the explained category or another, and return it."""
    row = st.container(horizontal=True, vertical_alignment="bottom", key="picker")
    with row:
        category = _choose_category(workspace, entry)
        photos = sort_photos(workspace.dataset.photos_of(category), split)
        names = name_photos(photos)
        ids = list(names)
        state.check_param(state.PHOTO, names.values(), "photo")
        _keep_choice_among(ids)
        image_id = st.selectbox(
            "Photo",
            ids,
            format_func=lambda image_id: names.get(image_id, str(image_id)),
            key=state.PHOTO,
            bind=state.BIND,
            help=HELP["photo"],
            width=300,
        )
        with st.container(horizontal=True, width="content", gap="xsmall"):
            st.button(
                "Previous",
                icon=":material/chevron_left:",
                on_click=_step,
                args=(ids, image_id, -1),
            )
            st.button(
                "Next",
                icon=":material/chevron_right:",
                icon_position="right",
                on_click=_step,
                args=(ids, image_id, 1),
            )
            if st.button("All photos", icon=":material/grid_view:"):
                _show_thumbnails(photos, split, image_id)
    return workspace.dataset.get_photo(image_id)


def _choose_category(workspace: Workspace, entry: ModuleEntry) -> str:
    names = name_categories(workspace.dataset.categories)
    others = [name for name in workspace.dataset.categories if name != entry.category]
    state.check_param(state.PHOTOS_OF, names.values(), "category of photos")
    return st.selectbox(
        "Photos of",
        [entry.category, *others],
        format_func=lambda name: names.get(name, name),
        key=state.PHOTOS_OF,
        bind=state.BIND,
        help=HELP["photos_of"],
        width=240,
    )


def _keep_choice_among(ids: Sequence[int]) -> None:
    """Apply a choice made by a button, and replace a photo of another category."""
    chosen = st.session_state.pop(_NEXT, st.session_state.get(state.PHOTO))
    if chosen is not None:
        st.session_state[state.PHOTO] = chosen if chosen in ids else ids[0]


def _step(ids: Sequence[int], image_id: int, step: int) -> None:
    _choose(ids[(ids.index(image_id) + step) % len(ids)])


def _choose(image_id: int) -> None:
    # Not the widget's own key: when the dialog alone reruns, the browser's old value overwrites it.
    st.session_state[_NEXT] = image_id


@st.dialog("Choose a photo", width="large")
def _show_thumbnails(photos: Sequence[Photo], split: SplitSides, current: int) -> None:
    for side in SIDES:
        group = [photo for photo in photos if split.name_side(photo.image_id) == side]
        if not group:
            continue
        st.caption(f"{_HEADINGS[side]} ({len(group)})")
        with st.container(horizontal=True, gap="xsmall"):
            for photo in group:
                _show_thumbnail(photo, photo.image_id == current)


def _show_thumbnail(photo: Photo, is_current: bool) -> None:
    with st.container(width=THUMBNAIL_SIDE, gap="xxsmall"):
        with error_boundary():
            st.image(cached.load_thumbnail(photo), width=THUMBNAIL_SIDE, alt="")
        if st.button(
            f"{photo.image_id}",
            key=f"choose-{photo.image_id}",
            help=escape_markdown(photo.name),
            type="primary" if is_current else "secondary",
            width="stretch",
            on_click=_choose,
            args=(photo.image_id,),
        ):
            st.rerun()
