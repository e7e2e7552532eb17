"""The names and notes that people gave a module's x-features, read for a page."""

import streamlit as st

from explorer.config import is_public
from explorer.ui.shared.errors import explain_error
from explorer.ui.shared.markdown import escape_markdown
from explorer.workspace import notes
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.notes import ModuleNotes
from explorer.workspace.notes_file import DamagedNotesError, NotesError


def load_notes(entry: ModuleEntry) -> ModuleNotes | None:
    """Load the notes of a module; if that fails, show the reason and return None."""
    try:
        return notes.load_notes(entry)
    except DamagedNotesError as error:
        st.warning(explain_error(error), icon=":material/edit_off:")
        if not is_public() and st.button(
            "Set the damaged file aside", icon=":material/drive_file_move:"
        ):
            aside = notes.set_aside(entry)
            st.toast(escape_markdown(f"The damaged notes are now in `{aside.name}`."))
            st.rerun()
    except NotesError as error:
        st.warning(explain_error(error), icon=":material/edit_off:")
    return None
