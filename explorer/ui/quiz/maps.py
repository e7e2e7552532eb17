"""What the network's answer rests on, as small maps over the photo of a question."""

import numpy as np
import streamlit as st

from explorer.data.names import name_categories
from explorer.nn.explanation import Explanation
from explorer.render.numbers import format_signed
from explorer.ui.quiz.attempt import QuizSession
from explorer.ui.shared import cached, drawings
from explorer.ui.shared.markdown import format_contribution, format_small
from explorer.ui.shared.shown_photo import DatasetPhoto
from explorer.workspace.workspace import Workspace

MOST_MAPS = 6


def name_category(workspace: Workspace, category: int) -> str:
    """Return the name of a category, by its index in ``classes.txt``."""
    return name_categories(workspace.dataset.categories)[workspace.dataset.categories[category]]


def show_maps(workspace: Workspace, session: QuizSession, image_id: int, category: int) -> None:
    """Show the x-features of a category on a photo, those that contribute most first.

    Nothing is shown in a quiz without maps, or for a category without a module.
    """
    entry = session.modules.get(category)
    if session.style is None or entry is None:
        return
    photo = workspace.dataset.get_photo(image_id)
    explanation = cached.explain(workspace, entry, photo, session.style.layer)
    overlays = drawings.draw_tiles(workspace, entry, DatasetPhoto(photo), session.style)
    strongest = _list_strongest(explanation)
    with st.container(key=f"quiz-maps-{category}"):
        for feature in strongest:
            with st.container(key=f"quiz-map-{category}-{feature}", gap="xxsmall"):
                contribution = float(explanation.contributions[feature])
                st.image(
                    overlays.images[feature],
                    width="stretch",
                    alt=f"The photo with the heat of x-feature {feature + 1} of "
                    f"{name_category(workspace, category)}, contribution "
                    f"{format_signed(contribution)}",
                )
                rest = format_small(overlays.describe_rest(feature))
                st.markdown(f"{format_contribution(contribution, 1.0)}{rest}")
    st.caption(
        "Each picture shows where one x-feature looks. A blue number raises the score, an orange "
        "one lowers it."
        if strongest
        else "No x-feature is active on this photo, so there is no map to show."
    )


def _list_strongest(explanation: Explanation) -> list[int]:
    """List the x-features that are active on a photo, by decreasing contribution."""
    order = np.argsort(-np.abs(explanation.contributions), kind="stable")
    active = [int(feature) for feature in order if explanation.x_features[feature] > 0]
    return active[:MOST_MAPS]
