"""A map of photos: those with like x-features, or like scores, lie together."""

import streamlit as st

from explorer.explaining.naming import name_feature
from explorer.ui.photo_map import choosing
from explorer.ui.photo_map.choosing import ACTIVATION
from explorer.ui.photo_map.showing import show_map
from explorer.ui.shared import cached, empty, links, scores, state
from explorer.ui.shared.errors import REPAIR, error_boundary
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.opening import open_selection_or_say_why
from explorer.ui.shared.subject import Subject
from explorer.ui.shared.x_features import choose_feature

_OPENING = (
    " A click on a point opens its photo. On a touch screen, the first tap shows its name, and the "
    "second opens it."
)


def show_page() -> None:
    """Show the choices, then the map."""
    opened = open_selection_or_say_why()
    if opened is None:
        return
    workspace, selection = opened
    entry = selection.entry
    category = escape_markdown(selection.category_name)
    st.title("Map of photos", anchor=False)
    st.markdown(
        f"Every point is a photo. Photos that the module of **{category}** explains alike, or that "
        "the network scores alike, lie together."
        + (_OPENING if workspace.dataset.has_photos else "")
    )
    empty.show_no_photos(workspace)
    with st.spinner("Loading the network …"):
        module_scores = scores.score_module(workspace, entry)
    choice = choosing.choose_map()
    feature = 0
    if choice.colours == ACTIVATION:
        metrics = cached.load_measures_or_none(workspace, entry)
        feature = choose_feature(entry, module_scores.x_features.shape[1], metrics)
    subject = Subject(
        workspace,
        entry,
        module_scores,
        cached.load_split(workspace, entry).name_sides(module_scores.image_ids),
        cached.load_names(workspace, entry),
        feature,
    )
    show_map(subject, choice)
    st.header("Download and share", anchor=False)
    chosen = {state.FEATURE: name_feature(feature)} if choice.colours == ACTIVATION else {}
    links.show_link({**links.make_module_params(workspace, entry), **choice.params, **chosen})


with error_boundary("Choose another category or module.", repair=REPAIR):
    show_page()
