"""The x-features of a module: which one is shown, which are switched off, what each adds."""

from collections.abc import Iterable, Mapping

import numpy as np
import streamlit as st

from explorer.explaining.sentence import describe_contributions
from explorer.measuring.records import ModuleMeasures
from explorer.nn.explanation import Explanation
from explorer.render.figures import render_contributions
from explorer.ui.shared import state
from explorer.ui.shared.figures import show_figure
from explorer.ui.shared.names import name_feature
from explorer.ui.shared.subject import escape_words, name_in_figure
from explorer.ui.shared.words import HELP


def choose_feature(count: int, measures: ModuleMeasures | None, label: str = "x-feature") -> int:
    """Let the user choose one of `count` x-features, and return it, counted from 0.

    The default is the one that adds most to the category's test photos, or the first one where
    that is unknown.
    """
    _follow_link()
    features = list(range(count))
    usual = 0
    if measures is not None and len(measures.test.mean_contribution) == count:
        usual = int(np.argmax(measures.test.mean_contribution))
    state.check_param(state.FEATURE, map(name_feature, features), "x-feature")
    state.discard_unknown_choice(state.FEATURE, features)
    # The address uses this label rather than the names that users give, which may change.
    chosen = st.segmented_control(
        label,
        features,
        default=usual,
        required=True,
        format_func=name_feature,
        key=state.FEATURE,
        bind=state.BIND,
        help=HELP["x-feature"],
        wrap=True,
    )
    return usual if chosen is None else chosen


def _follow_link() -> None:
    """Apply the x-feature of a link from a page with such a choice of its own.

    Streamlit takes what a page's own widgets hold out of its links to other pages.
    """
    number = st.query_params.get(state.LINKED_FEATURE, "").removeprefix("x-feature ")
    if number.isascii() and number.isdigit():
        st.session_state[state.FEATURE] = int(number) - 1
    state.drop_param(state.LINKED_FEATURE)


def choose_off(explanation: Explanation) -> frozenset[int]:
    """Let the user switch x-features off, and return those that are off, counted from 0."""
    features = list(range(len(explanation.x_features)))
    state.check_param(state.OFF, map(name_feature, features), "x-feature")
    chosen = st.pills(
        "Switch off",
        features,
        selection_mode="multi",
        format_func=name_feature,
        key=state.OFF,
        bind=state.BIND,
        help=HELP["off"],
        wrap=True,
    )
    return frozenset(chosen)


def show_sentence(explanation: Explanation, names: Mapping[int, str]) -> None:
    """Say in one sentence what the score is made of."""
    st.markdown(
        describe_contributions(
            explanation.contributions,
            explanation.y_hat,
            names,
            lambda words: f"*{escape_words(words)}*",
        )
    )


def show_contributions(
    explanation: Explanation, found: Mapping[int, str], off: frozenset[int] = frozenset()
) -> None:
    """Show how the contributions add up to ȳ, next to ŷ, without those switched off.

    Parameters
    ----------
    explanation : Explanation
        Of the photo.
    found : Mapping of int to str
        Names of x-features; see `cached.load_names`.
    off : frozenset of int
        X-features that are switched off.
    """
    contributions = explanation.contributions + 0.0  # turns −0.0 of inactive ones into 0.0
    names = [name_feature(feature) for feature in range(len(contributions))]
    labels = [name_in_figure(n, found) + (" (off)" if n in off else "") for n in range(len(names))]
    if off:
        contributions[sorted(off)] = 0
    y_bar = float(contributions.sum()) if off else explanation.y_bar
    difference = abs(y_bar - explanation.y_hat)
    figure = render_contributions(
        contributions, labels, y_bar, explanation.y_hat, text_colour=state.get_text_colour()
    )
    show_figure(
        figure,
        f"Contributions of {len(names)} x-features adding up to {y_bar:.2f}, beside "
        f"the network's score {explanation.y_hat:.2f}; they differ by {difference:.2f}",
        key="figure-contributions",
        numbers={
            "x-feature": [*names, "y_bar", "y_hat"],
            "name": [*(found.get(n, "") for n in range(len(names))), "", ""],
            "activation": [*explanation.x_features.tolist(), "", ""],
            "contribution": [*contributions.tolist(), y_bar, explanation.y_hat],
        },
    )
    if off:
        st.markdown(
            f"Without {_join(names[n] for n in sorted(off))}, ȳ is **{y_bar:.2f}** in the place "
            f"of {explanation.y_bar:.2f}. The network's own score ŷ stays as it is."
        )


def _join(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
