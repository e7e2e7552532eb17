"""Interactive figures on a page, with their numbers as CSV."""

from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Any

# Plotly looks for pandas among the loaded modules, and fails on one that another visitor's page is
# just loading. So it is loaded before any figure is built.
import pandas as pd  # noqa: F401
import plotly.graph_objects as go
import streamlit as st

from explorer.render.figures import PLOTLY_CONFIG
from explorer.ui.shared import exports
from explorer.ui.shared.caching import cache_resource
from explorer.ui.shared.exports import Columns
from explorer.ui.shared.state import get_text_colour

Draw = Callable[..., go.Figure]
"""`draw` or `draw_own`."""


def draw(render: Draw, *args: Any, **options: Any) -> go.Figure:
    """Draw a figure in the colour of the page's words, or return one drawn of the same values.

    Building one takes twenty times as long as sending it. It may have been drawn for another
    session, and must not be changed.

    Parameters
    ----------
    render : callable
        A function of `explorer.render` that takes ``text_colour``.
    *args, **options
        Its other arguments.
    """
    figure: go.Figure = _draw(render, args, {**options, "text_colour": get_text_colour()})
    return figure


def draw_unshared(render: Draw, *args: Any, **options: Any) -> go.Figure:
    """Draw a figure that is too large to keep, such as one with a picture in it."""
    return render(*args, **options, text_colour=get_text_colour())


def draw_own(render: Draw, *args: Any, **options: Any) -> go.Figure:
    """Draw a figure of a visitor's own photo as `draw` does, but share it with no other session."""
    figure: go.Figure = _draw_own(render, args, {**options, "text_colour": get_text_colour()})
    return figure


def forget_own() -> None:
    """Forget all figures of this session's own photos."""
    _draw_own.clear()  # type: ignore[attr-defined]


def _name_function(function: FunctionType) -> str:
    return f"{function.__module__}.{function.__qualname__}"


@cache_resource(160, also={FunctionType: _name_function})
def _draw(render: Draw, args: tuple[Any, ...], options: dict[str, Any]) -> go.Figure:
    return render(*args, **options)


@cache_resource(24, also={FunctionType: _name_function}, scope="session")
def _draw_own(render: Draw, args: tuple[Any, ...], options: dict[str, Any]) -> go.Figure:
    return render(*args, **options)


def show_figure(
    figure: go.Figure,
    alt: str,
    key: str,
    numbers: Columns | Callable[[], Columns] | None = None,
    *,
    is_clickable: bool = False,
    on_click: Callable[[Any], None] | None = None,
) -> Any | None:
    """Show a figure that fits its column and does not capture scrolling on touch screens.

    Parameters
    ----------
    figure : Figure
        It is not changed, since `draw` may have shared it.
    alt : str
        What it shows, for screen readers.
    key : str
        Unique key of the element on its page; also names the downloaded files.
    numbers : Mapping, or callable that returns one, optional
        Column name to values: the data of the figure, offered as CSV below it.
    is_clickable : bool
        Whether a click on a point reruns the page.
    on_click : callable, optional
        Called once for each click, before the page reruns, with ``customdata`` of the point.

    Returns
    -------
    object or None
        ``customdata`` of the clicked point; None if no point was clicked.
    """
    stem = f"srae-{key.removeprefix('figure-')}"
    config = {**PLOTLY_CONFIG, "toImageButtonOptions": {"format": "svg", "filename": stem}}
    select: Any = "rerun" if is_clickable else "ignore"
    if on_click is not None:
        select = partial(_tell_clicked, key, on_click)
    shown = st.plotly_chart(
        figure,
        width="stretch",
        theme="streamlit",
        config=config,
        alt=alt,
        key=key,
        on_select=select,
        selection_mode="points",
    )
    if numbers is not None:
        exports.show_numbers(numbers, stem)
    return _read_clicked(shown) if is_clickable else None


def _tell_clicked(key: str, on_click: Callable[[Any], None]) -> None:
    clicked = _read_clicked(st.session_state[key])
    if clicked is not None:
        on_click(clicked)


def _read_clicked(shown: Any) -> Any | None:
    points = shown["selection"]["points"]
    data = points[0].get("customdata") if points else None
    # A single number may arrive in a list: Plotly reads a point's data as a list of columns.
    return data[0] if isinstance(data, list) and data else data
