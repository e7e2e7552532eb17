"""A button that downloads a table."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import streamlit as st

from explorer.storage.packing import make_csv

Columns = Mapping[str, Sequence[object]]


def show_numbers(
    columns: Columns | Callable[[], Columns], stem: str, label: str = "Numbers (CSV)"
) -> None:
    """Offer a table as CSV, with a small button.

    Parameters
    ----------
    columns : Mapping, or callable that returns one
        Column name to values; a callable is called when the file is requested.
    stem : str
        File name without its ending; also part of the button's key.
    label : str
        Label of the button.
    """
    st.download_button(
        label,
        data=partial(_make_table, columns),
        file_name=f"{stem}.csv",
        mime="text/csv",
        icon=":material/table:",
        on_click="ignore",
        key=f"csv-{stem}",
        type="tertiary",
    )


def _make_table(columns: Columns | Callable[[], Columns]) -> bytes:
    return make_csv(columns() if callable(columns) else columns)
