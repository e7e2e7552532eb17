"""A table of the comparison, in any order: first column in place, scrollable by keyboard."""

import html
from dataclasses import replace

import streamlit as st

from explorer.analysis.table import Line, Table
from explorer.storage.packing import make_stem
from explorer.ui.shared import state
from explorer.ui.shared.exports import show_numbers

ORDER = "order_of_methods"
_AS_LISTED = "method"


def show_table(table: Table) -> None:
    """Show a table, and the choice of the column that its lines are ordered by."""
    options = (_AS_LISTED, *table.headings)
    # Told to the browser: without a value, it would keep the word that is no longer offered.
    if st.session_state.get(ORDER, _AS_LISTED) not in options:
        st.session_state[ORDER] = _AS_LISTED
    state.check_param(ORDER, options, "order of methods")
    order = st.selectbox(
        "Order by", options, key=ORDER, bind=state.BIND, width=280, help="The best come first."
    )
    lines = sort_lines(table, str(order or _AS_LISTED))
    show_lines(replace(table, lines=lines), table.section.title)


def show_lines(table: Table, label: str) -> None:
    """Show a table as it is, with a button to download it; `label` names it."""
    st.html(_render(table, label))
    show_numbers(make_columns(table), make_stem(label), "This table (CSV)")


def make_columns(table: Table) -> dict[str, list[str]]:
    """Return the columns of a table as it is shown, with confidence intervals beside means."""
    columns = {"method": [line.title for line in table.lines]}
    for place, heading in enumerate(table.headings):
        cells = [line.cells[place] for line in table.lines]
        columns[heading] = [cell.text for cell in cells]
        if any(cell.interval for cell in cells):
            columns[f"{heading}, 95% CI"] = [cell.interval for cell in cells]
    return columns


def sort_lines(table: Table, heading: str) -> tuple[Line, ...]:
    """Return the lines of a table, the best values of a column first, those without last.

    Parameters
    ----------
    heading : str
        A heading of the table; any other word keeps the order. High values come first unless the
        heading has an arrow down or is the paper's, whose measures are all good if low.
    """
    if heading not in table.headings:
        return table.lines
    place = table.headings.index(heading)
    is_low_good = heading.endswith(("↓", ", paper"))

    def rank(line: Line) -> tuple[bool, float]:
        value = line.cells[place].value
        return value is None, 0 if value is None else value if is_low_good else -value

    return tuple(sorted(table.lines, key=rank))


def _render(table: Table, label: str) -> str:
    title = html.escape(label)
    headings = "".join(f"<th scope='col'>{html.escape(text)}</th>" for text in table.headings)
    body = "".join(f"<tr>{_render_line(line)}</tr>" for line in table.lines)
    return (
        f"<div class='comparison' role='region' tabindex='0' aria-label='{title}'><table>"
        f"<thead><tr><th scope='col'>method</th>{headings}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _render_line(line: Line) -> str:
    cells = [f"<th scope='row'>{html.escape(line.title)}</th>"]
    for cell in line.cells:
        text = f"<strong>{cell.text}</strong>" if cell.is_best else cell.text
        interval = f"<small>{cell.interval}</small>" if cell.interval else ""
        cells.append(f"<td>{text}{interval}</td>")
    return "".join(cells)
