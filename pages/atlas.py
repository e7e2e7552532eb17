"""All x-features of all categories: search, filters, and a card with its own address for each."""

import streamlit as st

from explorer.explaining.atlas import Atlas
from explorer.explaining.atlas_search import find_features
from explorer.ui.atlas import cards, choosing, exchange, listing
from explorer.ui.shared import choices, links
from explorer.ui.shared.empty import show_workspace_command
from explorer.ui.shared.errors import error_boundary
from explorer.ui.shared.opening import open_selection_or_say_why
from explorer.ui.shared.styles import load_page_style
from explorer.ui.shared.words import HELP
from explorer.workspace.workspace import Workspace

CARDS_A_PAGE = 20  # full rows of five, four and two


def show_page() -> None:
    """Show what is asked of the atlas, and one page of the x-features that fit."""
    opened = open_selection_or_say_why()
    if opened is None:
        return
    workspace, _ = opened
    load_page_style("atlas")
    st.title("Atlas of x-features", anchor=False)
    st.markdown(
        "All the concepts that explain this network's scores. A card shows where an x-feature "
        "looks, and opens its page."
    )
    whole = listing.load_atlas(workspace)
    usual = listing.choose_usual(workspace, whole)
    query = choosing.choose_query(whole)
    has_several = len(usual.modules) < len(whole.modules)
    modules = choosing.choose_modules(has_several=has_several)
    atlas = whole if modules == choosing.EVERY else usual
    found = find_features(atlas, query)
    if found:
        describe_listing(workspace, atlas, len(found))
    else:
        st.info("No x-feature fits. Shorten the search, or choose fewer filters.")
    shown = choices.choose_page(choosing.PAGE, len(found), CARDS_A_PAGE, "page of x-features")
    progress = st.container()
    on_view = found[shown.start : shown.stop]
    places = cards.show_cards(workspace, on_view)
    show_unmeasured(workspace, atlas)
    st.header("Download and share", anchor=False)
    exchange.show_downloads(whole)
    exchange.show_import(workspace)
    links.show_link({**links.name_workspace(), **choosing.make_params()})
    with progress:  # last, as the network may have to run for each photo
        cards.draw_pictures(workspace, on_view, places)


def describe_listing(workspace: Workspace, atlas: Atlas, count: int) -> None:
    """Say how many x-features are listed, and what the figures on their cards are."""
    total = sum(len(module.x_features) for module in atlas.modules)
    categories = len({module.category for module in atlas.modules})
    shown = f"{count:,} of {total:,}" if count < total else f"{total:,}"
    pictures = (
        "Pictures are close-ups of the test photos on which it fires most."
        if workspace.dataset.has_photos
        else "The photos are not on this computer; a drawn bird shows the parts with most heat."
    )
    birds = f"{categories} {'category' if categories == 1 else 'categories'}"
    st.caption(
        f"{shown} x-features of {birds}. Figures are of test photos. {pictures}",
        help="\n\n".join(HELP[word] for word in ("contribution", "auc", "locality")),
    )


def show_unmeasured(workspace: Workspace, atlas: Atlas) -> None:
    """Say that figures are missing, and show the command that measures them."""
    features = [one for module in atlas.modules for one in module.x_features]
    lacking = sum(one.found is None or one.live is None for one in features)
    if lacking:
        st.caption(
            f"{lacking:,} of {len(features):,} x-features have no names or figures yet, or those "
            "of an earlier version. Measure the modules, then reload this page:"
        )
        show_workspace_command("evaluate", workspace)


with error_boundary("Reload the page.", repair="Or repair the workspace."):
    show_page()
