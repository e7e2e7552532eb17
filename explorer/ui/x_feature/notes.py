"""Name and note of an x-feature: shown, and edited in a dialog."""

from collections.abc import Mapping

import streamlit as st

from explorer.config import ExplorerError, is_public
from explorer.explaining.naming import name_feature
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.subject import escape_words, name_in_markdown
from explorer.workspace import notes
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.notes import ConflictError, ModuleNotes
from explorer.workspace.notes_file import (
    MAX_NAME_LENGTH,
    MAX_TEXT_LENGTH,
    Note,
)

_OPENED = "note_opened"
_BASE = "note_base"
_FAILURE = "note_failure"


def show_note(entry: ModuleEntry, found: ModuleNotes, feature: int) -> None:
    """Show the note of an x-feature, and the button that edits it."""
    note = found.get(feature)
    if note.text:
        with st.container(key="x-feature-note"):
            st.text(note.text)
    if is_public():
        _show_earlier(found)
        return
    has_note = note != Note()
    is_asked = st.button(
        "Edit name and note" if has_note else "Give it a name",
        icon=":material/edit:",
        help=(
            "Kept in the workspace beside the module, and seen by everybody who opens it. It "
            "belongs to this very module: one that is trained again starts without names."
        ),
    )
    if is_asked:
        st.session_state[_OPENED] = st.session_state.get(_OPENED, 0) + 1
        st.session_state[_BASE] = note
    if is_asked or _FAILURE in st.session_state:
        _edit(entry, feature, found.module_sha256)
    _show_earlier(found)


def show_others(names: Mapping[int, str], feature: int) -> None:
    """List the other x-features that have a name."""
    others = [name_in_markdown(n, names) for n in sorted(names) if n != feature]
    if others:
        st.caption("The others of this module: " + ", ".join(others))


@st.dialog("Name and note")
def _edit(entry: ModuleEntry, feature: int, module_sha256: str) -> None:
    base: Note = st.session_state[_BASE]
    name_key, text_key = _name_keys()
    st.caption(f"What does {name_feature(feature)} look for? Say it in your own words.")
    st.text_input(
        "Name",
        base.name,
        max_chars=MAX_NAME_LENGTH,
        key=name_key,
        placeholder="e.g. red cap",
    )
    st.text_area("Note", base.text, max_chars=MAX_TEXT_LENGTH, key=text_key, height=160)
    is_saved = st.button(
        "Save",
        type="primary",
        icon=":material/save:",
        key="note-save",
        on_click=_save,
        args=(entry, feature, module_sha256),
    )
    failure = st.session_state.pop(_FAILURE, None)
    if isinstance(failure, ConflictError):
        st.warning(
            f"{failure} The name is now “{escape_words(failure.theirs.name)}”, and the note is as "
            "below. Press Save again to put yours in their place, or close this to keep theirs.",
            icon=":material/group:",
        )
        st.text(failure.theirs.text or "(no note)")
    elif failure is not None:
        st.error(escape_markdown(str(failure)), icon=":material/error:")
    elif is_saved:
        st.rerun()


def _name_keys() -> tuple[str, str]:
    """Return widget keys of this dialog; a dialog opened later starts empty."""
    opened = st.session_state[_OPENED]
    return f"note-name-{opened}", f"note-text-{opened}"


def _save(entry: ModuleEntry, feature: int, module_sha256: str) -> None:
    """Store the typed text, or keep the error for the dialog to show."""
    typed = Note(*(st.session_state[key] for key in _name_keys()))
    base: Note = st.session_state[_BASE]
    try:
        notes.save_note(entry, feature, typed, base=base, module_sha256=module_sha256)
    except ExplorerError as error:
        st.session_state[_FAILURE] = error
        if isinstance(error, ConflictError):
            st.session_state[_BASE] = error.theirs


def _show_earlier(found: ModuleNotes) -> None:
    if not found.earlier:
        return
    count = sum(map(len, found.earlier))
    what = "note" if count == 1 else "notes"
    with st.expander(f":material/history: {count} {what} written for an earlier module"):
        st.caption(
            "This module has been trained again since. Its x-features are others, so these words "
            "name nothing any more; they are kept for you to read."
        )
        for group in found.earlier:
            for feature, note in sorted(group.items()):
                st.markdown(f"**{name_in_markdown(feature, {feature: note.name})}**")
                if note.text:
                    st.text(note.text)
