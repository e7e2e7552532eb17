"""What the network says of a data-set photo: its highest scores, and whether it is right."""

from collections.abc import Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.data.cub import format_category
from explorer.data.names import add_article
from explorer.render.numbers import format_number
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.words import HELP


def show_scores(y_hat: float, y_bar: float, without: str = "") -> None:
    """Show the network's score, the module's, and their difference.

    Parameters
    ----------
    y_hat, y_bar : float
        Scores of the network and the module, signed.
    without : str
        What is left out of the module's; empty for nothing.
    """
    st.caption(
        f"Network's score {format_number(y_hat)} · module's {format_number(y_bar)}"
        f"{without and f' without {without}'} · error {format_number(abs(y_bar - y_hat))}",
        help=f"{HELP['y_hat']}\n\n{HELP['y_bar']}\n\n{HELP['error']}",
    )


def show_verdict(
    logits: NDArray[np.float32], categories: Sequence[str], true_category: str
) -> None:
    """Say which category the network predicts, and whether it is right.

    Parameters
    ----------
    logits : NDArray of float32
        (C,), signed, before softmax.
    categories : sequence of str
        C names, as in ``classes.txt``.
    true_category : str
        Category of the photo.
    """
    first = categories[int(np.argmax(logits))]
    said, truth = (escape_markdown(format_category(name)) for name in (first, true_category))
    if first == true_category:
        st.markdown(f":green[:material/check_circle:] The network says **{said}**, and is right.")
    else:
        st.markdown(
            f":red[:material/cancel:] The network says **{said}**, and is **wrong**: this is "
            f"**{add_article(truth)}**."
        )


def show_top_scores(
    logits: NDArray[np.float32], categories: Sequence[str], true_category: str, explained: str
) -> None:
    """Show the network's three highest scores in a table.

    Parameters
    ----------
    logits, categories, true_category
        As in `show_verdict`.
    explained : str
        Category whose score is explained.
    """
    top = np.argsort(-logits, kind="stable")[:3]
    rows = [
        f"| {rank} | {_name_row(categories[int(index)], true_category, explained)} "
        f"| {format_number(float(logits[index]))} |"
        for rank, index in enumerate(top, start=1)
    ]
    st.markdown("\n".join(["| | The network's highest scores | Score |", "|--:|:--|--:|", *rows]))


def _name_row(category: str, true_category: str, explained: str) -> str:
    name = escape_markdown(format_category(category))
    notes = []
    if category == true_category:
        notes.append(":green[what the photo shows]")
    if category == explained:
        notes.append("explained here")
    return f"**{name}**" + (f" — {', '.join(notes)}" if notes else "")
