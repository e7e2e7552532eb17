"""Colours and layout that all figures share."""

import colorsys
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import plotly.graph_objects as go

# A camera icon appears on hover or touch. Plotly's other tools are not needed.
PLOTLY_CONFIG = MappingProxyType(
    {
        "displayModeBar": "hover",
        "modeBarButtons": [["toImage"]],
        "displaylogo": False,
        "responsive": True,
    }
)
# Readable on both light and dark pages. A page that knows its theme passes its own colour.
TEXT_COLOUR = "#7b7f87"
RAISING_COLOUR = "#2f8fd0"
LOWERING_COLOUR = "#e0752d"
MODULE_COLOUR = "#8a8f98"
NETWORK_COLOUR = "#b07cc6"

# From Okabe & Ito (2008): distinguishable for colour-blind readers.
LINE_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")

# Left and right share a hue and differ in lightness. Neighbours on the bird differ in both.
PART_COLOURS = MappingProxyType(
    {
        "back": "#a5673f",
        "beak": "#f08c00",
        "belly": "#c9a90c",
        "breast": "#e4577b",
        "crown": "#d6451f",
        "forehead": "#f2b84b",
        "left eye": "#1c7fd0",
        "left leg": "#2e8b57",
        "left wing": "#6a51c7",
        "nape": "#12a5a0",
        "right eye": "#6fb9f2",
        "right leg": "#74c69d",
        "right wing": "#a796ea",
        "tail": "#a83278",
        "throat": "#e08fc7",
    }
)

_GOLDEN_RATIO = 0.618034


def get_part_colours(part_names: Sequence[str]) -> tuple[str, ...]:
    """Return ``#rrggbb`` per part, from `PART_COLOURS` or, for an unknown name, a computed one."""
    return tuple(
        PART_COLOURS.get(name) or compute_extra_colour(index)
        for index, name in enumerate(part_names)
    )


def style_figure(figure: go.Figure, title: str, height: int, text_colour: str) -> None:
    """Give a figure a heading, a height and a transparent background, and disable zooming.

    Parameters
    ----------
    figure : Figure
        Changed in place.
    title : str
        Heading; empty for none.
    height : int
        In screen pixels. The width is left to the page.
    text_colour : str
        CSS colour of all words.
    """
    # To overwrite takes Plotly a quarter of the time that it takes to merge.
    figure.update_layout(
        overwrite=True,
        title={"text": title, "font": {"size": 15}, "x": 0, "xanchor": "left", "pad": {"l": 8}},
        height=height,
        autosize=True,
        showlegend=False,
        dragmode=False,
        font={"color": text_colour, "size": 13},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 8, "r": 8, "t": 64, "b": 16},
        hoverlabel={"font": {"size": 13}},
    )
    # With fixed ranges, scrolling the page with a finger does not zoom the figure. Streamlit's
    # theme would draw labels in a pale grey.
    colour = {"color": text_colour}
    axes = {"fixedrange": True, "automargin": True, "tickfont": colour, "title": {"font": colour}}
    figure.update_xaxes(**axes)
    figure.update_yaxes(**axes)


def add_words(figure: go.Figure, words: Iterable[Mapping[str, Any]]) -> None:
    """Add annotations at once: one by one, Plotly checks all earlier ones again.

    Parameters
    ----------
    figure : Figure
        Changed in place.
    words : iterable of Mapping
        Properties of each annotation, as in Plotly's reference; by default without an arrow.
    """
    added = [{"showarrow": False, **one} for one in words]
    figure.update_layout(annotations=[*figure.layout.annotations, *added])


def compute_extra_colour(index: int) -> str:
    """Return ``#rrggbb`` for something without a colour of its own; indices differ in hue."""
    # Steps of the golden ratio on the colour circle keep any number of hues apart.
    hue = (0.58 + index * _GOLDEN_RATIO) % 1.0
    lightness = (0.45, 0.62)[index % 2]
    channels = colorsys.hls_to_rgb(hue, lightness, 0.6)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in channels)
