"""The comparison of methods: its tables, each measure by category, and one category's numbers."""

import html
from collections.abc import Collection, Sequence

import streamlit as st

from explorer.analysis.curves import WAYS, list_fractions, name_point
from explorer.analysis.table import (
    Cell,
    Column,
    Line,
    Section,
    Table,
)
from explorer.config import PAGES_DIR
from explorer.data.names import name_categories
from explorer.evaluation.measures import titles
from explorer.evaluation.results import Results
from explorer.evaluation.sections import COLUMNS, list_sections
from explorer.methods.registry import find_method
from explorer.methods.runs import get_default_module
from explorer.render.curves import render_curves
from explorer.render.distribution import render_distribution
from explorer.render.style import compute_extra_colour
from explorer.ui.results.comparison_table import ORDER, show_lines, show_table
from explorer.ui.shared import links, state
from explorer.ui.shared.choices import choose_one
from explorer.ui.shared.empty import show_workspace_command
from explorer.ui.shared.figures import draw, show_figure
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.words import HELP
from explorer.workspace.workspace import Workspace

MEASURE = "measure"
RESULT_CATEGORY = "result_category"
TABLE = "table"
CURVES = "curves"
# Names of the curves' points in the results, by what can be chosen.
_CURVES = {"the network's score": "score", "the activation that a map explains": "own"}


def show_no_results(workspace: Workspace) -> None:
    """Say that methods have not been compared, and show the command that compares them."""
    st.info(
        "The methods have not been compared in this workspace yet. This command trains missing "
        "modules and measures all methods; if it is stopped, it continues where it was. Then "
        "reload this page."
    )
    show_workspace_command("evaluate", workspace, "--methods", "all")


def show_tables(results: Results, sanity: Results | None, workspace: Workspace) -> None:
    """Show one table of means over categories, with the paper's figures."""
    categories = {row.category for row in results.rows}
    seeds = {row.seed for row in results.rows}
    st.caption(
        f"Means over {len(categories)} categories and {len(seeds)} "
        f"seed{'' if len(seeds) == 1 else 's'}. Scores are compared on test photos unless stated "
        "otherwise, and maps on test photos of the category.",
        help=HELP["locality"],
    )
    tables = {t.section.title: t for t in (*results.tables, *(sanity.tables if sanity else ()))}
    _follow_older_link(tables)
    table = tables[choose_one(TABLE, tuple(tables), "Table of", "table")]
    show_table(table)
    st.caption(
        "Bold: the best in a column, all written like it, and all whose 95% CI includes it. "
        + table.section.caption
    )
    if table.section.title in (titles.CURVES, titles.CURVES_ALONE):
        _show_curves(results)
    else:
        state.drop_param(CURVES)
    if sanity is None:
        st.caption("The sanity checks on randomised networks have not been run yet.")
        show_workspace_command("sanity", workspace)


def _follow_older_link(tables: Collection[str]) -> None:
    """Choose the table that a link asks for by the title that it has with several seeds."""
    is_asked = TABLE not in st.session_state and st.query_params.get(TABLE) == titles.CURVES
    if is_asked and titles.CURVES not in tables and titles.CURVES_ALONE in tables:
        st.session_state[TABLE] = titles.CURVES_ALONE


def _show_curves(results: Results) -> None:
    """Show deletion and insertion curves of each map's own activation, or of ŷ."""
    what = choose_one(CURVES, tuple(_CURVES), "Curves of", "kind of curves")
    name = _CURVES[what]
    fractions = list_fractions({row.measure for row in results.rows}, name)
    curves: dict[str, dict[str, list[float]]] = {}
    for method, title in results.titles.items():
        ways = {
            way: _list_points(results, method, [name_point(way, name, f) for f in fractions])
            for way in WAYS
        }
        if all(ways.values()):
            curves[title] = ways
    if curves:
        heading = "Deletion solid, insertion dotted"
        figure = draw(render_curves, curves, fractions, heading, colours=find_colours(results))
        alt = f"Curves of {what} for {len(curves)} methods. {heading}"
        rows = [
            (method, way, fraction, value)
            for method, ways in curves.items()
            for way, points in ways.items()
            for fraction, value in zip(fractions, points, strict=True)
        ]
        columns = ("method", "way", "share changed", what)
        numbers = dict(zip(columns, zip(*rows, strict=True), strict=True))
        show_figure(figure, alt, key="figure-curves", numbers=numbers)


def find_colours(results: Results) -> dict[str, str]:
    """Return the colour of each method, by title; variants get colours of their own."""
    return {
        title: compute_extra_colour(place) if method is None else method.colour
        for place, (name, title) in enumerate(results.titles.items())
        for method in (find_method(name),)
    }


def _list_points(results: Results, method: str, measures: Sequence[str]) -> list[float]:
    """Return measures of a method as means over categories; empty if one is undefined."""
    points = []
    for measure in measures:
        if (method, measure) not in results.estimates:
            return []
        points.append(results.estimates[method, measure].mean)
    return points


def show_measure(results: Results, categories: Sequence[str]) -> None:
    """Show a choice of measures, and the values of one for every category and method."""
    names = _name_rows(results, categories)
    measured = {row.measure for row in results.rows}
    columns = {column.title: column for column in COLUMNS if column.measure in measured}
    state.check_param(MEASURE, columns, "measure")
    default = list(columns).index("locality") if "locality" in columns else 0
    title = st.selectbox(
        "Measure", list(columns), index=default, key=MEASURE, bind=state.BIND, width=280
    )
    measure = columns[title].measure
    values = {
        title: {html.escape(names[c]): value for c, value in points.items()}
        for method, title in results.titles.items()
        if (points := results.averages.get((method, measure)))
    }
    paper = {
        results.titles[method]: figure
        for (method, name), figure in results.paper.items()
        if name == measure and method in results.titles
    }
    estimates = {
        title: results.estimates[method, measure]
        for method, title in results.titles.items()
        if title in values
    }
    means = {title: (found.mean, found.low, found.high) for title, found in estimates.items()}
    figure = draw(
        render_distribution, values, title, means=means, colours=find_colours(results), paper=paper
    )
    spoken = ", ".join(f"{name} {mean:.3f}" for name, (mean, _, _) in means.items())
    cells = [
        (n, html.unescape(c), value) for n, found in values.items() for c, value in found.items()
    ]
    show_figure(
        figure,
        f"{title} by method: mean {spoken}",
        key="figure-distribution",
        numbers=dict(zip(("method", "category", title), zip(*cells, strict=True), strict=True)),
    )
    st.caption(
        "Each point is a category. Vertical lines are means with their 95% CI."
        + (" Diamonds are the figures of the paper." if paper else "")
    )


def _name_rows(results: Results, categories: Sequence[str]) -> dict[str, str]:
    """Name the categories of the results, which may be of another data set."""
    rows = dict.fromkeys(row.category for row in results.rows)
    return name_categories(list(dict.fromkeys([*categories, *rows])))


def show_category(results: Results, workspace: Workspace) -> None:
    """Show all numbers of one category, and a link to its photos."""
    plain = _name_rows(results, workspace.dataset.categories)
    names = {plain[row.category]: row.category for row in results.rows}
    state.check_param(RESULT_CATEGORY, names, "category")
    name = st.selectbox("Category", sorted(names), key=RESULT_CATEGORY, bind=state.BIND, width=280)
    category = names[name]
    for section in list_sections({row.measure for row in results.rows}):
        table = _make_category_table(results, category, section)
        if table is not None:
            st.markdown(f"**{section.title}**")
            show_lines(table, f"{section.title}, {name}")
    entry = get_default_module(workspace.list_modules(), category)
    if entry is not None:
        st.page_link(
            PAGES_DIR / "photo.py",
            label=f"Photos of {escape_markdown(name)}, explained",
            icon=":material/photo:",
            query_params=links.make_module_params(workspace, entry),
        )


def _make_category_table(results: Results, category: str, section: Section) -> Table | None:
    values = {
        measured: found[category]
        for measured, found in results.averages.items()
        if category in found
    }
    measures = {measure for _, measure in values}
    columns = [column for column in section.columns if column.measure in measures]
    if not columns:
        return None
    lines = []
    for method, title in results.titles.items():
        cells = tuple(Cell(_format_value(values.get((method, c.measure)), c)) for c in columns)
        if any(cell.text != "–" for cell in cells):
            lines.append(Line(title, cells))
    return Table(section, tuple(column.heading for column in columns), tuple(lines))


def _format_value(value: float | None, column: Column) -> str:
    return "–" if value is None else format(value, column.form)


def show_downloads(results: Results) -> None:
    """Offer the tables and the file that they were made from."""
    with st.container(horizontal=True):
        st.download_button(
            "All numbers (CSV)",
            lambda: results.tidy,
            "srae-comparison.csv",
            "text/csv",
            icon=":material/table:",
            on_click="ignore",
        )
        st.download_button(
            "Tables (Markdown)",
            lambda: results.markdown,
            "srae-comparison.md",
            "text/markdown",
            icon=":material/description:",
            on_click="ignore",
        )


def make_params() -> dict[str, str | int]:
    """Return table, order, curves, measure and category as parameters of the address."""
    keys = (TABLE, ORDER, CURVES, MEASURE, RESULT_CATEGORY)
    return {key: st.session_state[key] for key in keys if st.session_state.get(key)}
