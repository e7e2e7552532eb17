"""The atlas as files to download, and names and notes from somebody else's."""

from functools import partial

import streamlit as st

from explorer.config import ExplorerError, is_public, run
from explorer.data.cub import format_category
from explorer.data.names import count_words
from explorer.explaining.atlas import Atlas
from explorer.explaining.atlas_files import make_json, make_table
from explorer.explaining.names_exchange import (
    MAX_BYTES,
    OtherNames,
    OtherNote,
    read_other_names,
    take_names,
)
from explorer.explaining.naming import name_feature
from explorer.storage import packing
from explorer.ui.shared.errors import explain_error
from explorer.ui.shared.subject import escape_words
from explorer.workspace.notes_file import Note
from explorer.workspace.workspace import Workspace

_ROUND, _DONE = "names_round", "names_done"
_KEEP, _REPLACE = "keep mine", "take theirs"


def show_downloads(atlas: Atlas) -> None:
    """Offer all x-features as JSON and as CSV."""
    stem = packing.make_stem(atlas.workspace, "x-features")
    with st.container(horizontal=True):
        st.download_button(
            "All of it as JSON",
            data=partial(make_json, atlas),
            file_name=f"{stem}.json",
            mime="application/json",
            icon=":material/data_object:",
            on_click="ignore",
        )
        st.download_button(
            "All of it as CSV",
            data=partial(make_table, atlas),
            file_name=f"{stem}.csv",
            mime="text/csv",
            icon=":material/table:",
            on_click="ignore",
        )
    st.caption(
        "Names, notes and numbers of all x-features. The JSON is for other programs, and for "
        "others who want your names; docs/atlas.md describes it."
    )


def show_import(workspace: Workspace) -> None:
    """Take names and notes from somebody else's JSON; visitors of a public server cannot."""
    if is_public():
        return
    with st.expander(":material/group_add: Names and notes from somebody else"):
        st.markdown(
            "Choose the JSON of their atlas. It must be of the same modules, such as those of a "
            "copy of this workspace. Your own words stay unless you say otherwise."
        )
        uploaded = st.file_uploader(
            "JSON of an atlas",
            type="json",
            max_upload_size=MAX_BYTES // 2**20,
            key=f"names-file-{st.session_state.get(_ROUND, 0)}",
        )
        if stored := st.session_state.pop(_DONE, ""):
            st.success(stored, icon=":material/check:")
        if uploaded is None:
            return
        try:
            names = read_other_names(workspace, uploaded.getvalue())
        except ExplorerError as error:
            st.error(explain_error(error), icon=":material/error:")
            return
        _show_names(names)


def _show_names(names: OtherNames) -> None:
    if not names.notes and not names.foreign:
        st.info("This atlas has no names or notes of its own, so that there is nothing to store.")
        return
    new, same, different = (names.select(kind) for kind in ("new", "same", "different"))
    st.markdown(
        f"**{len(new)}** new, **{len(same)}** that you have too, **{len(different)}** that differ "
        f"from yours, {names.foreign} of other modules."
    )
    replace = False
    if different:
        st.table([_compare(one) for one in different], border="horizontal")
        chosen = st.radio("Where they differ", [_KEEP, _REPLACE], horizontal=True)
        replace = chosen == _REPLACE
    count = len(new) + (len(different) if replace else 0)
    is_asked = st.button(
        f"Store {count_words(count, 'note')}",
        type="primary",
        icon=":material/save:",
        disabled=not count,
    )
    if is_asked:
        _store(names, replace=replace)


def _store(names: OtherNames, *, replace: bool) -> None:
    try:
        with st.spinner("Storing names …"):
            count = run(take_names(names, replace=replace))
    except ExplorerError as error:
        st.error(explain_error(error), icon=":material/error:")
        return
    st.session_state[_DONE] = f"{count_words(count, 'note')} stored."
    st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1  # takes the file away
    st.rerun()


def _compare(one: OtherNote) -> dict[str, str]:
    return {
        "x-feature": escape_words(
            f"{format_category(one.entry.category)}, {name_feature(one.feature)}"
        ),
        "yours": _write(one.mine),
        "theirs": _write(one.theirs),
    }


def _write(note: Note) -> str:
    words = " – ".join(filter(None, (note.name, note.text)))
    return escape_words(" ".join(words.split()))
