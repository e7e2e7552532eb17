"""Style sheets of the app and of its pages."""

from pathlib import Path

import streamlit as st

from explorer.config import ASSETS_DIR


def load_style() -> None:
    """Apply the style sheet of the app."""
    st.html(Path(ASSETS_DIR / "app.css"))


def load_page_style(page: str) -> None:
    """Apply the style sheet of one page, ``assets/pages/<page>.css``."""
    st.html(Path(ASSETS_DIR / "pages" / f"{page}.css"))
