"""Introduction, one worked example with or without a photo, and links to other pages."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import streamlit as st

from explorer.analysis.faithfulness import compute_base, compute_contribution_shares
from explorer.config import PAGES_DIR
from explorer.data.names import add_article, count_words
from explorer.data.photo import Photo
from explorer.explaining.naming import name_feature
from explorer.explaining.words import format_percent
from explorer.measuring.records import ModuleMeasures
from explorer.nn.explanation import Explanation
from explorer.render.numbers import format_number
from explorer.ui.shared import cached, drawings, links, scores, state, tiles, x_features
from explorer.ui.shared.birds import is_drawn, render_small_bird
from explorer.ui.shared.map_controls import read_style
from explorer.ui.shared.markdown import escape_markdown, format_contribution
from explorer.ui.shared.names import name_photo
from explorer.ui.shared.part_figures import list_mean_shares
from explorer.ui.shared.places import find_places
from explorer.ui.shared.shown_photo import DatasetPhoto
from explorer.ui.shared.splits import sort_photos
from explorer.ui.shared.state import Selection
from explorer.ui.shared.subject import name_in_markdown, name_in_text
from explorer.ui.shared.tiles import Tile
from explorer.ui.shared.windows import find_known_window
from explorer.ui.shared.words import HELP
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace


def show_introduction() -> None:
    """Introduce the explorer in three sentences."""
    st.title("Why this bird?", anchor=False)
    st.markdown(
        "A network gives every photo a score for each kind of bird, but no reason. Here, a small "
        "module rebuilds that score from a few **x-features**, and heatmaps show where on the bird "
        "they look. How **faithful** the module is to the network, and how **local** its heatmaps "
        "are, is measured."
    )


def choose_example(workspace: Workspace, selection: Selection) -> Photo:
    """Return the first test photo of the chosen category."""
    entry = selection.entry
    split = cached.load_split(workspace, entry)
    return sort_photos(workspace.dataset.photos_of(entry.category), split)[0]


def show_example(workspace: Workspace, selection: Selection, photo: Photo) -> None:
    """Say what one photo's score is made of, and show the photo and its maps, the largest first."""
    entry, name = selection.entry, escape_markdown(selection.category_name)
    shown = DatasetPhoto(photo)
    with st.spinner("Loading the network and explaining one photo …"):
        style = read_style(list(workspace.networks.backbone.stops))
        explanation = cached.explain(workspace, entry, photo, style.layer)
        overlays = drawings.draw_tiles(workspace, entry, shown, style)
    names = cached.load_names(workspace, entry)
    order = sorted(
        range(len(overlays.images)), key=lambda n: -abs(float(explanation.contributions[n]))
    )
    places = find_places(workspace, entry, shown, style, names)
    st.header(f"Why “{name}”?", anchor=False)
    with st.container(key="answer"):
        x_features.show_sentence(explanation, names, places=places)
    params = links.make_photo_params(workspace, entry, photo)
    window = find_known_window(shown, is_cropped=style.is_cropped)
    with st.container(key="worked-example"):
        kind = f"{name_photo(workspace, photo)}, {add_article(selection.category_name)}"
        has_box = not style.is_cropped
        picture = drawings.draw_photo(shown, window, has_box=has_box)
        tiles.show_photo_tile(picture, kind, has_box=has_box)
        found = tiles.make_tiles(explanation, overlays, names, places)
        for feature in order:
            tiles.show_tile(found[feature], partial(_show_link, found[feature], params))
    st.caption(
        f"{_write_sum(explanation, order)}; the network's own score is "
        f"{format_number(explanation.y_hat)}.",
        help=f"{HELP['contribution']}\n\n{HELP['y_bar']}",
    )


def show_mean_example(
    workspace: Workspace, selection: Selection, *, has_heading: bool = True
) -> None:
    """Say what a category's scores are made of on average, where there is no photo to show."""
    entry = selection.entry
    measures = cached.load_measures_or_none(workspace, entry)
    if measures is None or not is_drawn(workspace.dataset.part_names):
        return
    with st.spinner("Loading the network …"):
        y_hat, y_bar = _compute_mean_scores(workspace, entry)
    names = cached.load_names(workspace, entry)
    means = np.array(measures.test.mean_contribution)
    (shares,) = compute_contribution_shares(means[np.newaxis])
    if has_heading:
        st.header(f"Why “{escape_markdown(selection.category_name)}”?", anchor=False)
    with st.container(key="answer"):
        base = compute_base(y_bar, means)
        st.markdown(x_features.write_sentence(means, y_hat, names, base))
    with st.container(key="worked-example"):
        for feature in sorted(range(len(means)), key=lambda n: -abs(means[n])):
            tile = _make_mean_tile(workspace, measures, names, feature, float(shares[feature]))
            link = partial(links.show_feature_link, workspace, entry, feature, tile.title)
            tiles.show_tile(tile, link)
    count = measures.test.positives.count
    st.caption(
        f"On average over {count_words(count, 'test photo')}, which are not on this computer. Each "
        "drawn bird shows where an x-feature looks: the brighter a part, the more of its heat.",
        help=HELP["contribution"],
    )


def _compute_mean_scores(workspace: Workspace, entry: ModuleEntry) -> tuple[float, float]:
    """Return the means of ŷ and ȳ over the category's test photos."""
    found, split = scores.score_module(workspace, entry), cached.load_split(workspace, entry)
    own = found.is_positive & np.isin(found.image_ids, [*split.test])
    return float(found.y_hat[own].mean()), float(found.y_bar[own].mean())


def _make_mean_tile(
    workspace: Workspace,
    measures: ModuleMeasures,
    names: Mapping[int, str],
    feature: int,
    share: float,
) -> Tile:
    heat = list_mean_shares(measures, feature, workspace.dataset.part_names)
    mean = measures.test.mean_contribution[feature]
    most = "no heat" if heat is None else f"most of it on the {max(heat, key=lambda p: heat[p])}"
    return Tile(
        feature,
        render_small_bird(heat, state.get_text_colour()),
        f"A drawn bird, coloured by the heat of {name_in_text(feature, names)}; {most}",
        name_in_markdown(feature, names),
        f"{format_contribution(mean, 1)} · {format_percent(share)}"
        if measures.live[feature]
        else ":gray[dead: it adds nothing to any photo]",
        share,
        measures.live[feature],
    )


def _show_link(tile: Tile, params: Mapping[str, str]) -> None:
    """Link a tile to the photo's page, where its x-feature is shown large."""
    st.page_link(
        PAGES_DIR / "photo.py",
        label=tile.title,
        query_params={**params, state.FEATURE: name_feature(tile.feature)},
    )


def _write_sum(explanation: Explanation, order: Sequence[int]) -> str:
    active = [n for n in order if explanation.x_features[n] > 0] or order[:1]
    base = explanation.base
    first, *more = [base] * bool(base) + [float(explanation.contributions[n]) for n in active]
    terms = [f"{'−' if value < 0 else '+'} {format_number(abs(value))}" for value in more]
    total = round(explanation.y_bar, 2)
    is_exact = np.isclose(sum(round(value, 2) for value in (first, *more)), total, atol=1e-3)
    start = "The base b and the contributions: " if base else ""
    return (
        f"{start}{' '.join([format_number(first), *terms])} {'=' if is_exact else '≈'} "
        f"{format_number(total)}, the module's score"
    )


def show_next_pages(workspace: Workspace, selection: Selection, photo: Photo | None = None) -> None:
    """Show links to other pages: to the photo where there is one, else to the atlas."""
    chosen = links.make_module_params(workspace, selection.entry)
    atlas = ("atlas", "book_2", "The atlas", "All x-features of all birds.")
    quiz = ("quiz", "quiz", "The quiz", "Do explanations help you name a bird?")
    ways = (
        ("photo", "photo", "This photo, in full", "Part by part, with x-features on and off.")
        if photo is not None
        else atlas,
        (
            "category",
            "category",
            "All its photos" if photo is not None else "All its x-features",
            "Which x-features matter most.",
        ),
        ("your_photo", "upload", "A photo of your own", "What does the network see in it?"),
        *((quiz,) if workspace.dataset.has_photos else ()),
    )
    params = {
        "atlas": links.name_workspace(),
        "category": chosen,
        "your_photo": links.name_workspace(),
        "quiz": links.name_workspace(),
    }
    if photo is not None:
        params["photo"] = links.make_photo_params(workspace, selection.entry, photo)
    with st.container(key="ways"):
        for page, icon, label, words in ways:
            with st.container(key=f"way-{page}", border=True, gap="xxsmall"):
                st.page_link(
                    PAGES_DIR / f"{page}.py",
                    label=label,
                    icon=f":material/{icon}:",
                    query_params=params[page],
                )
                st.caption(words)
