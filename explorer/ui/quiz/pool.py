"""The results of a class: files of several people, pooled."""

import html
from collections.abc import Mapping, Sequence
from functools import partial

import streamlit as st

from explorer.analysis.estimates import compute_estimate
from explorer.config import ExplorerError
from explorer.data.names import count_words
from explorer.quiz.pooling import (
    FOLLOWED_WRONG,
    MEASURES,
    RIGHT,
    SECONDS,
    Sheet,
    list_differences,
    make_columns,
    measure_people,
    name_sheets,
    read_sheet,
)
from explorer.quiz.questions import CONDITIONS
from explorer.render.distribution import render_distribution
from explorer.render.style import LINE_COLOURS
from explorer.ui.shared import exports, state
from explorer.ui.shared.errors import explain_error
from explorer.ui.shared.figures import show_figure
from explorer.ui.shared.markdown import escape_markdown

_KEY = "quiz_pool"
_MEASURE = f"{_KEY}_measure"
_FEW_PEOPLE = 10


def show_pool() -> None:
    """Take the files of a class, and show what they say together."""
    st.header("Results of a class", anchor=False)
    st.markdown(
        "Everybody takes the quiz and saves “Results (JSON)”. Put the files here to pool them. "
        "They are read and forgotten: nothing is stored."
    )
    files = st.file_uploader(
        "Result files", type="json", accept_multiple_files=True, key=_KEY, max_upload_size=1
    )
    sheets = []
    for file in files:
        try:
            sheets.append(read_sheet(file.getvalue()))
        except ExplorerError as error:
            st.warning(
                f"{escape_markdown(file.name)} is left out. {explain_error(error)}",
                icon=":material/warning:",
            )
    if sheets:
        _show_sheets(sheets)


def _show_sheets(sheets: Sequence[Sheet]) -> None:
    named = name_sheets(sheets)
    copies = len(sheets) - len(named)
    networks = len({sheet.network for sheet in sheets})
    answers = sum(answer.chosen is not None for sheet in named.values() for answer in sheet.answers)
    st.markdown(
        f"{count_words(len(named), 'person', 'people')}, {count_words(answers, 'answer')}."
        + (f" {count_words(copies, 'copy', 'copies')} of a file left out." if copies else "")
    )
    if networks > 1:
        st.warning(
            f"The quizzes are about {networks} different networks. Pool them separately.",
            icon=":material/warning:",
        )
    _show_findings(named)
    measure = st.segmented_control(
        "Measure", list(MEASURES), default=RIGHT, required=True, key=_MEASURE, wrap=True
    )
    _show_measure(named, str(measure))
    exports.show_numbers(partial(make_columns, named), "srae-quiz-pooled", "All answers (CSV)")


def _show_findings(named: Mapping[str, Sheet]) -> None:
    """Show what the explanation, and the answer alone, changed within people."""
    columns = {title: _estimate_differences(named, title) for title in (RIGHT, FOLLOWED_WRONG)}
    pairs = dict.fromkeys(pair for found in columns.values() for pair in found)
    if not pairs:
        st.caption("Differences between conditions need two people or more who saw both.")
        return
    rows = [
        f"| **{later}** against {earlier} "
        f"| {' | '.join(found.get((later, earlier), '–') for found in columns.values())} |"
        for later, earlier in pairs
    ]
    st.markdown("\n".join([f"| Difference | {' | '.join(columns)} |", "|:--|--:|--:|", *rows]))
    st.caption(
        "Mean differences within the same people, in percentage points, with 95% CI."
        + _warn_of_few(len(named))
    )


def _estimate_differences(named: Mapping[str, Sheet], measure: str) -> dict[tuple[str, str], str]:
    """Return the mean difference of each pair of conditions that two people or more saw."""
    found = {}
    for pair, values in list_differences(measure_people(named, measure)).items():
        estimate = compute_estimate(values)
        if estimate is not None and estimate.count > 1:
            low, high = map(_format_points, (estimate.low, estimate.high))
            spread = "no spread" if low == high else f"{low} to {high}"
            people = count_words(estimate.count, "person", "people")
            found[pair] = f"**{_format_points(estimate.mean)}** ({spread}, {people})"
    return found


def _format_points(share: float) -> str:
    return f"{round(100 * share):+d}".replace("-", "−").replace("+0", "0")


def _show_measure(named: Mapping[str, Sheet], measure: str) -> None:
    values = measure_people(named, measure)
    if not values:
        st.caption("No such question was asked.")
        return
    estimates = {name: compute_estimate(list(people.values())) for name, people in values.items()}
    means = {name: (e.mean, e.low, e.high) for name, e in estimates.items() if e is not None}
    form = ".1f" if measure == SECONDS else ".0%"
    figure = render_distribution(
        {
            name.capitalize(): {html.escape(code): value for code, value in people.items()}
            for name, people in values.items()
        },
        measure,
        means={name.capitalize(): mean for name, mean in means.items()},
        colours={
            name.capitalize(): colour
            for name, colour in zip(CONDITIONS, LINE_COLOURS, strict=False)
        },
        text_colour=state.get_text_colour(),
    )
    figure.update_xaxes(tickformat=form)
    spoken = [
        f"{name} {mean:{form}} ({_name_interval(low, high, form)}, "
        f"{count_words(len(values[name]), 'person', 'people')})"
        for name, (mean, low, high) in means.items()
    ]
    show_figure(
        figure,
        f"{measure} by what was shown. Mean: {', '.join(spoken)}",
        key="figure-quiz-pool",
    )
    st.caption(
        f"Means with 95% confidence intervals: {'; '.join(spoken)}. A point is a person. The "
        "intervals are bootstrapped over people, each of whom counts once."
        + _warn_of_few(max(map(len, values.values())))
    )


def _name_interval(low: float, high: float, form: str) -> str:
    """Return the ends of an interval, which people who are all alike do not have."""
    return "no spread" if low == high else f"{low:{form}} to {high:{form}}"


def _warn_of_few(people: int) -> str:
    if people >= _FEW_PEOPLE:
        return ""
    return f" With fewer than {_FEW_PEOPLE} people, these intervals are too narrow."
