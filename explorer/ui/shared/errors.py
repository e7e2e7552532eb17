"""Errors in words: what went wrong on a page and what to do about it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from explorer.config import ExplorerError, is_public
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.state import hide_folders

REPAIR = "Or repair it and reload the page."
"""What whoever has the files can do, as the last of the cures."""

_LOG = logging.getLogger(__name__)


@contextmanager
def error_boundary(cure: str = "", *, repair: str = "") -> Iterator[None]:
    """Show an error raised inside as a message, and let the rest of the page continue.

    Parameters
    ----------
    cure : str
        What the user can do on this page, beyond what the error itself says.
    repair : str
        What whoever has the files can do; visitors of a public server are not told.
    """
    try:
        yield
    except ExplorerError as error:
        cures = " ".join(filter(None, (cure, "" if is_public() else repair)))
        st.error(f"{explain_error(error)}\n\n{cures}", icon=":material/error:")
    except Exception:
        _LOG.exception("Unexpected error while the page was drawn")
        st.error(
            "This part of the page could not be drawn because of an unexpected error. Choose "
            "something else, or reload the page. The details are in the log of the program.",
            icon=":material/error:",
        )


def explain_error(error: ExplorerError) -> str:
    """Return the message of an error as Markdown; a public server hides its folders."""
    return explain_reason(str(error))


def explain_reason(reason: str) -> str:
    """Return a message as Markdown; a public server hides its folders."""
    return escape_markdown(hide_folders(reason))
