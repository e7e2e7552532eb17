"""The x-features of a module: which one is shown, which are switched off, what each adds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import ArrayLike

from explorer.data.names import join_words
from explorer.explaining.arrays import compute_y_bar, tabulate_sum
from explorer.explaining.naming import load_own_names, merge_names, name_feature
from explorer.explaining.places import describe_exceptions
from explorer.explaining.sentence import describe_contributions
from explorer.measuring.records import ModuleMeasures
from explorer.nn.explanation import Explanation
from explorer.render.figures import render_contributions
from explorer.render.numbers import format_number
from explorer.ui.shared import mirrored, state, verdicts
from explorer.ui.shared.figures import Draw, show_figure
from explorer.ui.shared.subject import escape_words, name_in_figure, name_in_markdown
from explorer.ui.shared.words import HELP
from explorer.workspace.layout import ModuleEntry

_WHAT = "x-feature"


@dataclass(frozen=True)
class Choice:
    """What is chosen among the x-features of a module on a photo, counted from 0.

    Attributes
    ----------
    order : tuple of int
        All x-features, the largest absolute contribution first.
    shown : int
        The one that is shown large.
    off : frozenset of int
        Those that are switched off.
    """

    order: tuple[int, ...]
    shown: int
    off: frozenset[int]


def choose_feature(entry: ModuleEntry, count: int, measures: ModuleMeasures | None) -> int:
    """Let the user choose one of `count` x-features, and return it, counted from 0.

    The default is the one that adds most to the category's test photos, or the first one where
    that is unknown.
    """
    usual = 0
    if measures is not None and len(measures.test.mean_contribution) == count:
        usual = int(np.argmax(measures.test.mean_contribution))
    names = merge_names(load_own_names(entry), measures)
    asked = _read(entry, state.FEATURE, count)
    st.session_state[state.FEATURE] = asked[-1] if asked else usual
    chosen = st.segmented_control(
        "x-feature",
        range(count),
        required=True,
        format_func=lambda feature: name_in_markdown(feature, names),
        key=state.FEATURE,
        on_change=_follow_control,
        help=HELP["x-feature"],
        wrap=True,
    )
    return usual if chosen is None else chosen


def _follow_control() -> None:
    show(st.session_state[state.FEATURE])


def read_choice(entry: ModuleEntry, explanation: Explanation) -> Choice:
    """Return what is chosen among the x-features of a photo.

    By default, the one with the largest absolute contribution on this photo is shown.
    """
    count = len(explanation.x_features)
    order = np.argsort(-np.abs(explanation.contributions), kind="stable").tolist()
    asked = _read(entry, state.FEATURE, count)
    off = _read(entry, state.OFF, count)
    return Choice(tuple(order), asked[-1] if asked else order[0], frozenset(off))


def _read(entry: ModuleEntry, key: str, count: int) -> list[int]:
    # The address uses numbers rather than the names that users give, which may change.
    names = [name_feature(feature) for feature in range(count)]
    mirrored.claim_x_features(str(entry.path))
    return [names.index(name) for name in mirrored.read(key, names, _WHAT)]


def show(feature: int) -> None:
    """Choose the x-feature that is shown."""
    mirrored.choose(state.FEATURE, [name_feature(feature)])


def switch(feature: int, *, is_on: bool) -> None:
    """Switch one x-feature on or off."""
    name = name_feature(feature)
    off = [other for other in mirrored.recall(state.OFF) if other != name]
    mirrored.choose(state.OFF, sorted(off if is_on else [*off, name]))


def show_sentence(
    explanation: Explanation,
    names: Mapping[int, str],
    question: str = "",
    places: Mapping[int, str] | None = None,
) -> None:
    """Say in one sentence what the score is made of, after a question in Markdown, if any.

    `places` are those of `describe_places`: a second sentence tells what looks elsewhere than its
    name says.
    """
    sentence = write_sentence(explanation.contributions, explanation.y_hat, names, explanation.base)
    others = describe_exceptions(places or {}, explanation.contributions, names, _mark)
    st.markdown(
        f"{question and f'**{question}** '}{sentence}{others and f' :gray[:small[{others}]]'}"
    )


def write_sentence(
    contributions: ArrayLike, y_hat: float, names: Mapping[int, str], base: float
) -> str:
    """Return the sentence of `describe_contributions` in Markdown."""
    return describe_contributions(contributions, y_hat, names, _mark, base=base)


def _mark(words: str) -> str:
    return f"*{escape_words(words)}*"


def show_contributions(
    explanation: Explanation, choice: Choice, found: Mapping[int, str], draw_of_photo: Draw
) -> None:
    """Show how the contributions add up to ȳ, next to ŷ, without those switched off.

    Parameters
    ----------
    explanation : Explanation
        Of the photo.
    choice : Choice
        Which x-features are switched off, and the order of the bars.
    found : Mapping of int to str
        Names of x-features; see `cached.load_names`.
    draw_of_photo : callable
        From `ShownPhoto.draw`.
    """
    contributions = explanation.contributions + 0.0  # turns −0.0 of inactive ones into 0.0
    contributions[sorted(choice.off)] = 0
    y_bar, order = compute_y_bar(explanation, choice.off), list(choice.order)
    base = explanation.base
    labels = [name_in_figure(n, found) + (" (off)" if n in choice.off else "") for n in order]
    figure = draw_of_photo(
        render_contributions, contributions[order], labels, y_bar, explanation.y_hat, base=base
    )
    show_figure(
        figure,
        f"Contributions of {len(order)} x-features adding up to {format_number(y_bar)}"
        f"{f' from a base of {format_number(base)}' if base else ''}, beside "
        f"the network's score {format_number(explanation.y_hat)}; they differ by "
        f"{format_number(abs(y_bar - explanation.y_hat))}",
        key="figure-contributions",
        numbers=tabulate_sum(explanation, found, order, choice.off),
    )


def show_switched_off(explanation: Explanation, off: frozenset[int]) -> None:
    """Say what the module's sum is without what is switched off, and that nothing else changes."""
    if off:
        y_bar, y_hat = compute_y_bar(explanation, off), explanation.y_hat
        st.markdown(
            f"Without {name_features(off)}, the module's score is **{format_number(y_bar)}** "
            f"instead of {format_number(explanation.y_bar)}. This changes the sum alone: the "
            f"network was not asked again, and its score stays {format_number(y_hat)}."
        )


def name_features(features: Iterable[int]) -> str:
    """Name x-features, as in "x-feature 1, x-feature 2 and x-feature 4"; empty for none."""
    names = [name_feature(feature) for feature in sorted(features)]
    return join_words(names) if names else ""


def show_scores(explanation: Explanation, off: frozenset[int]) -> None:
    """Show the scores of network and module, without what is switched off."""
    y_bar = compute_y_bar(explanation, off)
    verdicts.show_scores(explanation.y_hat, y_bar, without=name_features(off))
