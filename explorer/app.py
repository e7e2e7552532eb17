"""Entry of ``streamlit run explorer/app.py``: a router over the scripts in ``pages/``."""

import streamlit as st

from explorer.config import ASSETS_DIR, PAGES_DIR
from explorer.ui.shared import mirrored
from explorer.ui.shared.errors import error_boundary
from explorer.ui.shared.garbage import collect_garbage
from explorer.ui.shared.origins import disable_external_ip_lookup
from explorer.ui.shared.state import apply_address, open_notes, remember_address
from explorer.ui.shared.styles import keep_one_entry_a_page, load_style
from explorer.ui.shared.upload_store import limit_upload_memory
from explorer.ui.sidebar.network import show_network
from explorer.ui.sidebar.selection import show_sidebar

# Before the pages are named: otherwise the browser asks a server elsewhere for their icons.
st.set_page_config(
    page_title="SRAE explorer", page_icon=str(ASSETS_DIR / "icon.svg"), layout="wide"
)
st.logo(str(ASSETS_DIR / "logo.svg"), size="large", icon_image=str(ASSETS_DIR / "icon.svg"))
# Without sections, whose headings break the list for screen readers; the style sheet sets gaps.
page = st.navigation(
    [
        st.Page(PAGES_DIR / "overview.py", title="Overview", icon=":material/home:", default=True),
        st.Page(PAGES_DIR / "category.py", title="Category", icon=":material/category:"),
        st.Page(PAGES_DIR / "x_feature.py", title="X-feature", icon=":material/search:"),
        st.Page(PAGES_DIR / "atlas.py", title="Atlas", icon=":material/menu_book:"),
        st.Page(PAGES_DIR / "photo_map.py", title="Map of photos", icon=":material/scatter_plot:"),
        st.Page(PAGES_DIR / "photo.py", title="Photo", icon=":material/photo:"),
        st.Page(PAGES_DIR / "your_photo.py", title="Your photo", icon=":material/upload:"),
        st.Page(PAGES_DIR / "compare.py", title="Compare", icon=":material/compare:"),
        st.Page(PAGES_DIR / "results.py", title="Results", icon=":material/leaderboard:"),
        st.Page(PAGES_DIR / "quiz.py", title="Quiz", icon=":material/quiz:"),
        st.Page(PAGES_DIR / "training.py", title="Training", icon=":material/model_training:"),
        st.Page(PAGES_DIR / "about.py", title="About", icon=":material/info:"),
    ],
    expanded=True,
)
st.set_page_config(page_title=f"{page.title} – SRAE explorer")
load_style()
keep_one_entry_a_page()
limit_upload_memory()
disable_external_ip_lookup()
mirrored.follow_address(apply_address())
open_notes()
try:
    network_slot = show_sidebar()
    with error_boundary():
        page.run()
        show_network(network_slot)
finally:  # also where a click cuts the run short
    remember_address()
    collect_garbage()
