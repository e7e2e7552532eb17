"""Style sheets and the script that act on the whole document."""

from pathlib import Path

import streamlit as st

from explorer.config import ASSETS_DIR


def load_style() -> None:
    """Apply the style sheet of the app."""
    st.html(Path(ASSETS_DIR / "app.css"))


def keep_one_entry_a_page() -> None:
    """Let the browser's history have one entry for each page that is opened; see the script."""
    script = (ASSETS_DIR / "history.js").read_text(encoding="utf-8")
    with st.container(key="history"):
        st.html(f"<script>{script}</script>", unsafe_allow_javascript=True)


def load_page_style(page: str) -> None:
    """Apply the style sheet of one page, ``assets/pages/<page>.css``."""
    st.html(Path(ASSETS_DIR / "pages" / f"{page}.css"))
