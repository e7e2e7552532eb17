"""Small things that every page shows: errors in words, signed numbers, verdicts, measures."""

import logging
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from explorer.config import ASSETS_DIR, ExplorerError
from explorer.data.cub import format_category
from explorer.data.photo import Photo
from explorer.measuring.records import ModuleMeasures
from explorer.render.figures import PLOTLY_CONFIG
from explorer.ui.shared import cached, exports
from explorer.ui.shared.exports import Columns
from explorer.ui.shared.state import get_text_colour, hide_folders
from explorer.ui.shared.words import HELP
from explorer.workspace.workspace import Workspace

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
_MARKDOWN_SIGNS = r"\*_[]$~#<>:|@&`"
# A browser makes links of addresses after signs have been escaped, so that only a character that
# takes no room keeps one from being found.
_ADDRESS = re.compile(r"(?i)www(?=\.)|https?(?=://)|(?<=[-.\w+])(?=@[-\w]+\.)")
_WORD_JOINER = "\u2060"
# Between single backticks, with none beside them: nothing else is sure to be taken for code.
_CODE = re.compile(r"((?<!`)`[^`\n]+`(?!`))")
_SIDES = {
    "test": ("test photo", "The module has not learnt from this photo."),
    "train": ("training photo", "The module has learnt from this photo."),
    "unused": ("unused photo", "Neither trained nor tested on: the module's draw left it out."),
}


@contextmanager
def error_boundary(cure: str = "") -> Iterator[None]:
    """Show what goes wrong inside as a message, and let the rest of the page go on.

    Parameters
    ----------
    cure : str
        What the user can do on this page, beyond what the error itself says.
    """
    try:
        yield
    except ExplorerError as error:
        st.error(f"{explain_error(error)}\n\n{cure}", icon=":material/error:")
    except Exception:
        _LOG.exception("Unexpected error while the page was drawn")
        st.error(
            "This part of the page could not be drawn, for a reason nobody has foreseen. Choose "
            "something else, or reload the page. The details are in the log of the program.",
            icon=":material/error:",
        )


def explain_error(error: ExplorerError) -> str:
    """Write an error's words as Markdown; visitors of a public server learn no folder of it."""
    return escape_markdown(hide_folders(str(error)))


def escape_markdown(text: str) -> str:
    """Make a message's paths and names safe to show; what stands in backticks stays code."""
    pieces = _CODE.split(text)
    for index in range(0, len(pieces), 2):
        pieces[index] = _escape_plain(pieces[index])
    return "".join(pieces)


def _escape_plain(text: str) -> str:
    text = _ADDRESS.sub(rf"\g<0>{_WORD_JOINER}", text)
    escaped = "".join(f"\\{c}" if c in _MARKDOWN_SIGNS else c for c in text)
    # What begins a line like a list becomes one.
    return re.sub(r"(?m)^(\s*\d*)([-+=.)])(?=\s|$|[-=])", r"\1\\\2", escaped)


def load_style() -> None:
    """Put the app's few rules of CSS in effect."""
    st.html(Path(ASSETS_DIR / "app.css"))


def load_page_style(page: str) -> None:
    """Put the rules of CSS of one page in effect: ``assets/pages/<page>.css``."""
    st.html(Path(ASSETS_DIR / "pages" / f"{page}.css"))


def format_signed(value: float) -> str:
    """Write a number with its sign and two decimals."""
    return f"{value:+.2f}".replace("-", "−")


def format_contribution(contribution: float, x_feature: float) -> str:
    """Write a contribution in coloured Markdown: blue raises, orange lowers, grey is inactive."""
    if x_feature == 0:
        return ":gray[inactive on this photo]"
    colour = "blue" if contribution >= 0 else "orange"
    return f":{colour}[**{format_signed(contribution)}**]"


def format_share(value: float | None) -> str:
    """Write a share in per cent, or a dash where it is not defined."""
    return "–" if value is None else f"{value:.1%}"


def show_figure(
    figure: go.Figure,
    alt: str,
    key: str,
    numbers: Columns | Callable[[], Columns] | None = None,
    *,
    is_clickable: bool = False,
) -> Any | None:
    """Show a figure that keeps to its column and does not trap fingers.

    Parameters
    ----------
    figure : Figure
        Its words on axes are coloured to fit the theme.
    alt : str
        What it shows, for whoever cannot see it.
    key : str
        Key of the element, no two alike on a page; also names what is downloaded.
    numbers : Mapping, or callable that returns one, optional
        Column to values: what the figure was drawn from, offered as CSV below it.
    is_clickable : bool
        Whether a click on a point runs the page again.

    Returns
    -------
    object or None
        ``customdata`` of the point that was clicked; None where none was.
    """
    # Streamlit paints names on axes in a pale grey of its own.
    figure.update_xaxes(tickfont={"color": get_text_colour()})
    figure.update_yaxes(tickfont={"color": get_text_colour()})
    stem = f"srae-{key.removeprefix('figure-')}"
    config = {**PLOTLY_CONFIG, "toImageButtonOptions": {"format": "svg", "filename": stem}}
    shown = st.plotly_chart(
        figure,
        width="stretch",
        theme="streamlit",
        config=config,
        alt=alt,
        key=key,
        on_select="rerun" if is_clickable else "ignore",
        selection_mode="points",
    )
    if numbers is not None:
        exports.show_numbers(numbers, stem)
    return _read_clicked(shown) if is_clickable else None


def _read_clicked(shown: Any) -> Any | None:
    points = shown["selection"]["points"]
    data = points[0].get("customdata") if points else None
    # A number may arrive wrapped: Plotly takes a point's data for a list of columns.
    return data[0] if isinstance(data, list) and data else data


def track(items: Collection[T], label: str) -> Iterator[T]:
    """Yield items and show how far they are, in a bar that is gone in the end.

    Parameters
    ----------
    items : collection
        Each of which takes its time.
    label : str
        What is being done, in words for the user.
    """
    place = st.empty()
    for done, item in enumerate(items):
        place.progress(done / len(items), f"{label} {done + 1} of {len(items)} …")
        yield item
    place.empty()


def show_photo(workspace: Workspace, photo: Photo, side: str) -> None:
    """Show a photo with the bird's box, what it is, and on which side of the split.

    Parameters
    ----------
    workspace : Workspace
        Where it is from.
    photo : Photo
        The photo.
    side : str
        From `SplitSides.name_side`.
    """
    kind = "Painted bird" if workspace.is_painted else "Photo"
    category = format_category(photo.category)
    st.image(
        cached.load_boxed_photo(photo),
        width="stretch",
        alt=f"{kind} {photo.image_id}, a {category}, with a box around the bird",
    )
    label, explanation = _SIDES[side]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(label, color="green" if side == "test" else "gray", help=explanation)
        st.caption(
            escape_markdown(f"{kind} {photo.image_id}: {category}"),
            width="content",
        )


def show_scores(y_hat: float, y_bar: float) -> None:
    """Say the network's score, the module's and their distance."""
    st.caption(
        f"Network ŷ = {y_hat:.2f} · module ȳ = {y_bar:.2f} · |ȳ − ŷ| = {abs(y_bar - y_hat):.2f}",
        help=f"{HELP['y_hat']}\n\n{HELP['y_bar']}\n\n{HELP['error']}",
    )


def show_verdict(
    logits: NDArray[np.float32], categories: Sequence[str], true_category: str
) -> None:
    """Say what the network takes a photo for, and whether it is right.

    Parameters
    ----------
    logits : NDArray of float32
        (C,), signed, before softmax.
    categories : sequence of str
        C names, as in ``classes.txt``.
    true_category : str
        What the photo shows.
    """
    first = categories[int(np.argmax(logits))]
    said, truth = (escape_markdown(format_category(name)) for name in (first, true_category))
    if first == true_category:
        st.markdown(f":green[:material/check_circle:] The network says **{said}**, and is right.")
    else:
        st.markdown(
            f":red[:material/cancel:] The network says **{said}**, and is **wrong**: the photo "
            f"shows a **{truth}**."
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
        The category whose score is explained.
    """
    top = np.argsort(-logits, kind="stable")[:3]
    rows = [
        f"| {rank} | {_name_row(categories[int(index)], true_category, explained)} "
        f"| {logits[index]:.2f} |"
        for rank, index in enumerate(top, start=1)
    ]
    st.markdown("\n".join(["| | The network's highest scores | ŷ |", "|--:|:--|--:|", *rows]))


def _name_row(category: str, true_category: str, explained: str) -> str:
    name = escape_markdown(format_category(category))
    notes = []
    if category == true_category:
        notes.append(":green[what the photo shows]")
    if category == explained:
        notes.append("explained here")
    return f"**{name}**" + (f" — {', '.join(notes)}" if notes else "")


def show_measures(measures: Sequence[tuple[str, str, str]], key: str) -> None:
    """Show numbers in tiles that wrap: (label, value, name of the help text)."""
    with st.container(horizontal=True, key=key, gap="small"):
        for label, value, help_name in measures:
            st.metric(label, value, help=HELP[help_name], border=True)


def show_module_measures(measures: ModuleMeasures, part_count: int) -> None:
    """Show how faithful and how local a module is."""
    train, test = measures.train.faithfulness, measures.test.faithfulness
    locality, live = measures.locality.test.mean_locality, measures.live
    show_measures(
        [
            ("F_reg, test", f"{test.f_reg:.3f}", "f_reg"),
            ("F_reg, train", f"{train.f_reg:.3f}", "f_reg"),
            ("of range, test", format_share(test.relative_f_reg), "relative"),
            ("R², test", format_share(test.r2), "r2"),
            ("Locality, test", "–" if locality is None else f"{locality:.2f}", "locality"),
            ("x-features live", f"{sum(live)} of {len(live)}", "live"),
        ],
        key="module-measures",
    )
    st.caption(
        f"Measured on {test.count:,} test and {train.count:,} training photos of all "
        f"categories; locality on the category's own test photos, at most {np.log(part_count):.2f} "
        f"with {part_count} parts. Scores ŷ on the test photos span {test.y_hat_range:.2f}."
    )
