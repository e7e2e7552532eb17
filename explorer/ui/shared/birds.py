"""Drawn birds that show where on a bird the heat of x-features lies, on average over photos."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import streamlit as st

from explorer.data.names import count_words
from explorer.explaining.naming import name_feature
from explorer.measuring.records import ModuleMeasures
from explorer.render.drawn_bird import describe_shares, draw_bird
from explorer.render.rasterising import render_png
from explorer.render.style import PART_COLOURS
from explorer.storage import packing
from explorer.ui.shared import exports, links, state
from explorer.ui.shared.caching import cache_data
from explorer.ui.shared.heatmaps import show_colour_bar
from explorer.ui.shared.part_figures import list_mean_shares
from explorer.ui.shared.subject import Subject, name_in_markdown, name_in_text

_PNG_WIDTH, _SMALL_WIDTH = 1200, 264
_CSS = "svg { display: block; width: 100%; max-width: 480px; margin: 0 auto; }"
_SCRIPT = """export default ({ data, parentElement }) => {
  parentElement.querySelector("div").innerHTML = data;
};"""


def is_drawn(part_names: Sequence[str]) -> bool:
    """Return whether the drawn bird has any of a data set's parts."""
    return not PART_COLOURS.keys().isdisjoint(part_names)


def show_bird(measures: ModuleMeasures, subject: Subject, colours: str) -> None:
    """Show an x-feature's mean shares on a drawn bird, with downloads of picture and numbers.

    Nothing is shown if it has no heat, or if the bird has none of the data set's parts.

    Parameters
    ----------
    measures : ModuleMeasures
        Of the x-feature's module.
    subject : Subject
        The x-feature.
    colours : str
        A name in `explorer.render.colour_maps.COLOUR_MAPS`.
    """
    part_names, feature = subject.workspace.dataset.part_names, subject.feature
    shares = list_mean_shares(measures, feature, part_names)
    if shares is None or not is_drawn(part_names):
        return
    stem = packing.make_stem(subject.category, subject.entry.run, name_feature(feature), "bird")
    name = name_in_text(feature, subject.names)
    title = f"Heat of {name} on {subject.category}, part by part"
    with st.container(key="bird", gap="small"):
        _show_drawing(draw_bird(shares, title, colour_map=colours), "large")
        show_colour_bar(colours, f"{max(shares.values()):.0%}", "colour-bar-bird")
        count = measures.locality.test.photo_counts[feature]
        st.caption(
            f"Mean share of the heat on each part, over {count_words(count, 'test photo')}. "
            f"{describe_shares(shares)}"
        )
        draw = partial(draw_bird, shares, title, colour_map=colours, ink=state.get_text_colour())
        with st.container(horizontal=True, gap="small"):
            _show_download("SVG", lambda: draw().encode(), f"{stem}.svg", "image/svg+xml")
            _show_download(
                "PNG", lambda: render_png(draw(), _PNG_WIDTH), f"{stem}.png", "image/png"
            )
            exports.show_numbers(
                {"part": list(shares), "mean share of heat": list(shares.values())},
                stem,
            )


def _show_drawing(svg: str, place: int | str) -> None:
    """Show an SVG in the page itself, where it has the page's colours and its tooltips work."""
    show = st.components.v2.component("srae_drawing", html="<div></div>", css=_CSS, js=_SCRIPT)
    show(key=f"drawing-{place}", data=svg)


def _show_download(label: str, data: Callable[[], bytes], file_name: str, mime: str) -> None:
    st.download_button(
        f"Bird ({label})",
        data=data,
        file_name=file_name,
        mime=mime,
        icon=":material/image:",
        on_click="ignore",
        key=f"download-bird-{label}",
        type="tertiary",
    )


@cache_data(512)
def render_small_bird(shares: Mapping[str, float] | None, ink: str) -> bytes:
    """Draw a small bird for a tile as PNG; see `draw_bird`."""
    return render_png(draw_bird(shares, "A drawn bird", ink=ink), _SMALL_WIDTH)


def show_all_birds(
    measures: ModuleMeasures, subject: Subject, order: Sequence[int], colours: str
) -> None:
    """Show a small bird for every x-feature of a module, each a link to the page of its own.

    Parameters
    ----------
    measures : ModuleMeasures
        Of the module.
    subject : Subject
        The chosen x-feature; its bird stands out.
    order : sequence of int
        All x-features, counted from 0, in the order in which they are shown.
    colours : str
        A name in `explorer.render.colour_maps.COLOUR_MAPS`.
    """
    part_names = subject.workspace.dataset.part_names
    with st.container(key="birds"):
        for feature in order:
            shares = list_mean_shares(measures, feature, part_names)
            look = "chosen" if feature == subject.feature else "other"
            with st.container(key=f"bird-{look}-{feature}", gap="xxsmall"):
                title = f"Heat of {name_in_text(feature, subject.names)}, part by part"
                _show_drawing(draw_bird(shares, title, colour_map=colours), feature)
                links.show_feature_link(
                    subject.workspace,
                    subject.entry,
                    feature,
                    name_in_markdown(feature, subject.names),
                )
                st.markdown(f":gray[{_name_largest(shares)}]")
    st.caption(
        "Mean shares of the heat on test photos of the category; each bird has its own scale, from "
        "nothing to its largest share, whose part is named."
    )


def _name_largest(shares: Mapping[str, float] | None) -> str:
    if shares is None:
        return "no heat"
    part = max(shares, key=lambda name: shares[name])
    return f"{part} {shares[part]:.0%}"
