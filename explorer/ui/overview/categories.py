"""All categories with their key figures: search, order, tiles and download."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from explorer.config import ExplorerError, is_public
from explorer.data.bird_names import simplify_name
from explorer.data.names import add_article, name_categories
from explorer.measuring.records import ModuleMeasures
from explorer.methods.runs import format_run, get_default_module
from explorer.ui.shared import cached, choices, exports, gallery, links, scores, state
from explorer.ui.shared.birds import render_small_bird
from explorer.ui.shared.errors import error_boundary
from explorer.ui.shared.markdown import escape_markdown, format_share
from explorer.ui.shared.names import name_photo
from explorer.ui.shared.part_figures import list_module_shares
from explorer.ui.shared.subject import escape_words
from explorer.ui.shared.words import HELP
from explorer.workspace.layout import MODULE_FILE, ModuleEntry
from explorer.workspace.workspace import Workspace

FIND = "find"
ORDER = "order"
LIVE = "live x-features"
PAGE = "overview_page"
TILES_A_PAGE = 24
_MOST_CONCEPTS = 3

_LONGEST_SEARCH = 80


@dataclass(frozen=True)
class CategorySummary:
    """A category with the key figures of its default module; None for unknown figures.

    Attributes
    ----------
    category : str
        As in ``classes.txt``.
    name : str
        As it is shown.
    entry : ModuleEntry or None
        Its default module.
    accuracy : float or None
        The network's, on the category's held-out photos, in [0, 1].
    f_reg, relative_f_reg, locality : float or None
        Of the module, on test photos.
    live, x_features : int or None
        Number of live x-features, and of all.
    shares : Mapping of str to float, or None
        Share of the module's heat on each part of the bird.
    concepts : tuple of str
        Names of the x-features that add most to the score, the first the most.
    problem : str
        Why the module or its measures cannot be read; empty if they can.
    """

    category: str
    name: str
    entry: ModuleEntry | None
    accuracy: float | None
    f_reg: float | None = None
    relative_f_reg: float | None = None
    locality: float | None = None
    live: int | None = None
    x_features: int | None = None
    shares: Mapping[str, float] | None = None
    concepts: tuple[str, ...] = ()
    problem: str = ""


# Sort key of each order, ascending; unknown figures come last.
ORDERS: Mapping[str, Callable[[CategorySummary], Any]] = {
    "name": lambda found: found.name,
    "accuracy": lambda found: None if found.accuracy is None else -found.accuracy,
    "error": lambda found: found.relative_f_reg,
    "locality": lambda found: found.locality,
    LIVE: lambda found: None if found.live is None else -found.live,
}


def summarise(workspace: Workspace) -> list[CategorySummary]:
    """Collect the key figures of all categories, in the order of the data set."""
    categories = workspace.dataset.categories
    entries = workspace.list_modules()
    accuracies = scores.list_accuracies(workspace)
    names = name_categories(categories)
    return [
        _summarise(
            workspace, get_default_module(entries, category), category, names[category], accuracy
        )
        for category, accuracy in zip(categories, accuracies, strict=True)
    ]


def _summarise(
    workspace: Workspace,
    entry: ModuleEntry | None,
    category: str,
    name: str,
    accuracy: float | None,
) -> CategorySummary:
    plain = CategorySummary(category, name, entry, accuracy)
    if entry is None:
        return plain
    problem = cached.list_damaged(workspace).get(entry.path, "")
    if problem:
        return CategorySummary(category, name, entry, accuracy, problem=problem)
    try:
        measures = cached.load_measures(workspace, entry)
    except ExplorerError as error:
        return CategorySummary(category, name, entry, accuracy, problem=str(error))
    if measures is None:
        return plain
    faithfulness = measures.test.faithfulness
    return CategorySummary(
        category,
        name,
        entry,
        accuracy,
        f_reg=faithfulness.f_reg,
        relative_f_reg=faithfulness.relative_f_reg,
        locality=measures.locality.test.mean_locality,
        live=sum(measures.live),
        x_features=len(measures.live),
        shares=list_module_shares(measures, workspace.dataset.part_names),
        concepts=_list_concepts(measures, cached.load_names(workspace, entry)),
    )


def _list_concepts(measures: ModuleMeasures, names: Mapping[int, str]) -> tuple[str, ...]:
    """Return the names of the x-features that add most, each name once."""
    means = measures.test.mean_contribution
    adding = [n for n in sorted(names, key=lambda n: -means[n]) if means[n] > 0]
    return tuple(dict.fromkeys(names[n] for n in adding))[:_MOST_CONCEPTS]


def find_categories(
    summaries: Sequence[CategorySummary], words: str, order: str
) -> list[CategorySummary]:
    """Return the categories whose names contain all `words`, in an order of `ORDERS`.

    Categories without a module come after those with one. In both groups, those with an unknown
    figure come last.
    """
    asked = simplify_name(words).split()
    found = [one for one in summaries if all(word in simplify_name(one.name) for word in asked)]
    value = ORDERS[order]

    def rank(one: CategorySummary) -> tuple[bool, bool, Any]:
        key = value(one)
        return one.entry is None, key is None, 0 if key is None else key

    return sorted(found, key=rank)


def show_damaged(workspace: Workspace, summaries: Sequence[CategorySummary]) -> None:
    """Show which files are damaged; who can repair them also learns where and why."""
    problems = dict.fromkeys(cached.list_damaged(workspace).values())
    problems |= dict.fromkeys(one.problem for one in summaries if one.problem)
    try:
        cached.load_accuracy(workspace)
    except ExplorerError as error:
        problems[str(error)] = None
    if not problems:
        return
    count = f"{len(problems)} file{' is' if len(problems) == 1 else 's are'} damaged"
    if is_public():
        st.warning(f"{count}; all others can be used.", icon=":material/warning:")
        return
    with st.expander(f":material/warning: {count}; all others can be used."):
        st.markdown("\n".join(f"- {escape_markdown(problem)}" for problem in problems))
        path = shlex.quote(str(workspace.path))
        st.code(f"python -m explorer doctor {path}", language="bash", wrap_lines=True)


def choose_categories(summaries: Sequence[CategorySummary]) -> list[CategorySummary]:
    """Show search and order, and return the categories found, in that order."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="picker"):
        words = st.text_input(
            "Find a category",
            key=FIND,
            bind=state.BIND,
            max_chars=_LONGEST_SEARCH,
            placeholder="a part of its name",
            icon=":material/search:",
            width=260,
        )
        order = choices.choose_one(
            ORDER,
            list(ORDERS),
            "Order by",
            "order of categories",
            "The highest accuracy and the most live x-features first, but the lowest error and "
            "locality: low means faithful, and low means local.",
        )
    return find_categories(summaries, words or "", order)


def show_categories(
    workspace: Workspace, found: Sequence[CategorySummary], *, is_all: bool
) -> None:
    """Show one page of categories as pictures with their key figures."""
    if not found:
        st.info("No category has a name like this. Shorten the search to see more.")
        return
    with_module = sum(one.entry is not None for one in found)
    lacking = len(found) - with_module
    st.caption(
        f"{len(found)} {'categories' if is_all else 'found'}"
        + (f", {lacking} of them without a module" if lacking else "")
        + ". Below each bird are the x-features that add most to its score. Figures are of test "
        "photos, from which neither network nor module has learnt."
        + (" All birds are painted, and all categories invented." if workspace.is_painted else ""),
        help="\n\n".join(HELP[word] for word in ("accuracy", "f_reg", "locality", "live")),
    )
    if not workspace.dataset.has_photos:
        st.caption(
            "The photos are not on this computer. A drawn bird shows where the x-features of each "
            "category look instead: bright parts get most of the heat."
        )
    shown = choices.choose_page(PAGE, len(found), TILES_A_PAGE, "page of categories")
    with st.container(key="gallery-categories"):
        for one in found[shown.start : shown.stop]:
            # If a photo cannot be read, the other categories are still shown.
            with error_boundary():
                _show_category(workspace, one)


def _show_category(workspace: Workspace, one: CategorySummary) -> None:
    photos = workspace.dataset.photos_of(one.category)
    if not photos:
        st.caption(f"{escape_markdown(one.name)} has no photos.")
        return
    picture = cached.load_thumbnail_or_none(workspace, photos[0])
    alt = f"{name_photo(workspace, photos[0])}, {add_article(one.name)}"
    if picture is None and one.shares is not None:
        picture = render_small_bird(one.shares, state.get_text_colour())
        alt = f"A drawn bird, coloured by the heat of the x-features of {one.name}"
    key = f"category-{workspace.dataset.categories.index(one.category)}"
    gallery.show_tile(
        key,
        picture,
        alt,
        page="category",
        label=one.name,
        params=links.make_module_params(workspace, one.entry) if one.entry else None,
        text=describe_category(one, st.session_state.get(ORDER, "")),
    )


def describe_category(one: CategorySummary, order: str = "") -> str:
    """Format what matters most for a category, and its key figures, as lines of Markdown.

    The figure that categories are ordered by is among them.
    """
    accuracy = f"accuracy {_format_percent(one.accuracy)}"
    if one.entry is None:
        return f"{accuracy}  \n:gray[no module yet]"
    if one.problem:
        what = "module" if MODULE_FILE in one.problem else "measures"
        return f"{accuracy}  \n:orange[{what} cannot be read]"
    if one.f_reg is None:
        return f"{accuracy}  \n:gray[not measured yet]"
    locality = "–" if one.locality is None else f"{one.locality:.2f}"
    lines = [
        escape_words(", ".join(one.concepts)),
        f":gray[{accuracy}, error {format_share(one.relative_f_reg)}]",
        f":gray[locality {locality}]" if order == "locality" else "",
        f":gray[{one.live} of {one.x_features} x-features live]" if order == LIVE else "",
    ]
    return "  \n".join(filter(None, lines))


def _format_percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def show_numbers(summaries: Sequence[CategorySummary]) -> None:
    """Offer the key figures of all categories as CSV."""
    exports.show_numbers(make_columns(summaries), "srae-categories", "All key figures (CSV)")


def make_columns(summaries: Sequence[CategorySummary]) -> dict[str, list[object]]:
    """Arrange key figures as columns, with one row per category; unknown figures are empty."""
    names = ("accuracy", "f_reg", "relative_f_reg", "locality", "live", "x_features")
    return {
        "category": [one.category for one in summaries],
        "module": [format_run(one.entry.run) if one.entry else "" for one in summaries],
        **{
            name: ["" if (v := getattr(one, name)) is None else v for one in summaries]
            for name in names
        },
    }


def make_params() -> dict[str, str | int]:
    """Return search, order and page as parameters of the address."""
    return {key: st.session_state[key] for key in (FIND, ORDER, PAGE) if st.session_state.get(key)}
