"""Introduction, one worked example, and links to other pages."""

from collections.abc import Sequence

import streamlit as st

from explorer.config import PAGES_DIR
from explorer.data.photo import Photo
from explorer.nn.explanation import Explanation
from explorer.render.colour_maps import DEFAULT_COLOUR_MAP
from explorer.render.heatmap import DEFAULT_OPACITY
from explorer.ui.shared import cached, drawings, links, pictures
from explorer.ui.shared.markdown import escape_markdown, format_contribution, format_signed
from explorer.ui.shared.names import name_photo
from explorer.ui.shared.shown_photo import DatasetPhoto
from explorer.ui.shared.splits import sort_photos
from explorer.ui.shared.state import MapStyle, Selection
from explorer.ui.shared.subject import name_in_markdown, name_in_text
from explorer.ui.shared.words import HELP
from explorer.workspace.workspace import Workspace


def show_introduction() -> None:
    """Introduce the explorer in three sentences."""
    st.title("Why this bird?", anchor=False)
    st.markdown(
        "A network gives every photo a score for each kind of bird, but no reason. Here a small "
        "module rebuilds that score from five **x-features**, each of which a heatmap draws on the "
        "bird. And everything is measured: how **faithful** the module is to the network, and how "
        "**local** each heatmap is on the bird's parts."
    )


def choose_example(workspace: Workspace, selection: Selection) -> Photo:
    """Return the first test photo of the chosen category."""
    entry = selection.entry
    split = cached.load_split(workspace, entry)
    return sort_photos(workspace.dataset.photos_of(entry.category), split)[0]


def show_example(workspace: Workspace, selection: Selection, photo: Photo) -> None:
    """Show how one photo's score is composed: the photo, its maps by size, and their sum."""
    entry, name = selection.entry, escape_markdown(selection.category_name)
    with st.spinner("Loading the network and explaining one photo …"):
        layer = next(iter(workspace.networks.backbone.stops))
        style = MapStyle(layer, DEFAULT_COLOUR_MAP, round(100 * DEFAULT_OPACITY), False, True)
        explanation = cached.explain(workspace, entry, photo, layer)
        overlays = drawings.draw_tiles(workspace, entry, DatasetPhoto(photo), style)
    names = cached.load_names(workspace, entry)
    order = sorted(
        range(len(overlays.images)), key=lambda n: -abs(float(explanation.contributions[n]))
    )
    kind = name_photo(workspace, photo)
    with st.container(key="worked-example"):
        with st.container(key="worked-photo", gap="xxsmall"):
            st.image(
                cached.load_boxed_photo(photo, pictures.TILE_SIDE),
                width="stretch",
                alt=f"{kind}, a {selection.category_name}, with a box around the bird",
            )
            st.markdown(f"The network's score  \n**ŷ = {explanation.y_hat:.2f}**")
        for feature in order:
            activation = float(explanation.x_features[feature])
            contribution = float(explanation.contributions[feature])
            looks = "inactive" if activation == 0 else "active"
            with st.container(key=f"worked-{looks}-{feature}", gap="xxsmall"):
                st.image(
                    overlays.images[feature],
                    width="stretch",
                    alt=f"Heatmap of {name_in_text(feature, names)} over {kind.lower()}; "
                    f"contribution {format_signed(contribution)}",
                )
                words = format_contribution(contribution, activation)
                words += overlays.describe_heat(feature)
                st.markdown(f"{name_in_markdown(feature, names)}  \n{words}")
    st.markdown(
        f"Why **{name}**? {_write_sum(explanation, order)} and the network says "
        f"**{explanation.y_hat:.2f}**.",
        help=f"{HELP['contribution']}\n\n{HELP['y_bar']}",
    )


def _write_sum(explanation: Explanation, order: Sequence[int]) -> str:
    active = [n for n in order if explanation.x_features[n] > 0] or order[:1]
    terms = [format_signed(float(explanation.contributions[n]) + 0.0) for n in active]
    spaced = [f"{term[0]} {term[1:]}" for term in terms]
    first = terms[0].removeprefix("+")
    return f"{' '.join([first, *spaced[1:]])} = **{explanation.y_bar:.2f}**, the module's ȳ,"


def show_next_pages(workspace: Workspace, selection: Selection, photo: Photo) -> None:
    """Show links to four other pages."""
    chosen = links.make_module_params(workspace, selection.entry)
    ways = (
        ("photo", "photo", "This photo, in full", "Its parts and pixels, x-features on and off."),
        ("category", "category", "All photos of it", "What matters most, and how true it is."),
        ("your_photo", "upload", "A photo of your own", "What is it taken for, and why?"),
        ("quiz", "quiz", "The quiz", "Do explanations help you name a bird?"),
    )
    params = {
        "photo": links.make_photo_params(workspace, selection.entry, photo),
        "category": chosen,
        "your_photo": links.name_workspace(),
        "quiz": links.name_workspace(),
    }
    with st.container(key="ways"):
        for page, icon, label, words in ways:
            with st.container(key=f"way-{page}", border=True, gap="xxsmall"):
                st.page_link(
                    PAGES_DIR / f"{page}.py",
                    label=label,
                    icon=f":material/{icon}:",
                    query_params=params[page],
                )
                st.caption(words)
