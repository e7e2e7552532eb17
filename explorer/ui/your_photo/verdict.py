"""What the network says of a visitor's photo, and how far to trust it."""

import html
from typing import NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from explorer.analysis import doubt
from explorer.analysis.doubt import Judgement, Reference
from explorer.config import WORKSPACE_VARIABLE
from explorer.data.cub import format_category
from explorer.render.ranking import render_ranking
from explorer.ui.shared import cached, caching, exports, gallery, scores, state
from explorer.ui.shared.caching import cache_data
from explorer.ui.shared.errors import error_boundary
from explorer.ui.shared.figures import show_figure
from explorer.ui.shared.gallery import Tile
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.names import name_categories, name_photo
from explorer.ui.shared.words import HELP
from explorer.ui.your_photo.own_photo import SAMPLE, OwnPhoto
from explorer.workspace.features import Features
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

_MOST_SHOWN = 6
_NEIGHBOURS = 6


class Answer(NamedTuple):
    """The network's output for one photo: Z (S,) and its scores ŷ (C,), before softmax."""

    z: NDArray[np.float32]
    logits: NDArray[np.float32]

    @property
    def shares(self) -> NDArray[np.float64]:
        """Softmax over all categories, (C,)."""
        return doubt.compute_softmax(self.logits)

    @property
    def order(self) -> NDArray[np.intp]:
        """Indices of the categories, the highest score first."""
        return np.argsort(-self.logits, kind="stable")


def ask(workspace: Workspace, photo: OwnPhoto) -> Answer:
    """Run the network on a photo, once."""

    def compute() -> Answer:
        return Answer(*workspace.networks.score_image(photo.image))

    return photo.remember(("answer", *caching.make_workspace_key(workspace)), compute)


def show_painted_note(workspace: Workspace) -> None:
    """Say that the network knows painted birds only, and how to get one for real birds."""
    if not workspace.is_painted:
        return
    st.info(
        "**This network knows painted birds only**: the "
        f"{len(workspace.dataset.categories)} invented categories of this workspace. It has never "
        "seen a photograph; a real one should be found to look like none of them, and mostly is.",
        icon=":material/palette:",
    )
    with st.expander("Get a network for real birds"):
        st.markdown(
            "Download CUB-200-2011 yourself, train a network and its modules on it, and start the "
            "explorer there:"
        )
        st.code(
            "python -m explorer new my-birds --cub CUB_200_2011\n"
            "python -m explorer finetune my-birds\n"
            "python -m explorer train my-birds --all\n"
            "python -m explorer evaluate my-birds\n"
            f"{WORKSPACE_VARIABLE}=my-birds streamlit run explorer/app.py",
            language="bash",
            wrap_lines=True,
        )


def show_scores(workspace: Workspace, photo: OwnPhoto) -> None:
    """Show the network's highest scores as bars, with all scores for download."""
    answer = ask(workspace, photo)
    categories = workspace.dataset.categories
    names, order = name_categories(categories), answer.order
    top = order[:_MOST_SHOWN]
    st.markdown("##### What the network says", help=HELP["y_hat"])
    figure = render_ranking(
        answer.logits[top],
        answer.shares[top],
        [html.escape(names[categories[index]]) for index in top],
        text_colour=state.get_text_colour(),
    )
    first = names[categories[top[0]]]
    show_figure(
        figure,
        f"The network's {len(top)} highest scores. Highest: {first}, ŷ = "
        f"{answer.logits[top[0]]:.2f}, softmax {answer.shares[top[0]]:.0%}",
        key="figure-your-photo-scores",
        numbers={
            "category": [categories[index] for index in order],
            "y_hat": answer.logits[order].tolist(),
            "softmax": answer.shares[order].tolist(),
        },
    )
    st.caption(
        f"ŷ before softmax, and softmax over all {len(categories)} categories: their shares add "
        "up to 100%, whatever the picture shows."
    )


class Neighbour(NamedTuple):
    """A training photo of the network, and its similarity to the visitor's photo: a cosine."""

    image_id: int
    likeness: float


def judge(workspace: Workspace, photo: OwnPhoto) -> tuple[Judgement, list[Neighbour]]:
    """Compare a photo with the workspace's photos; return the judgement and the nearest ones."""
    answer = ask(workspace, photo)
    features = scores.load_features(workspace)
    key = caching.make_workspace_key(workspace)
    held_out = _find_held_out(workspace, features)
    reference = _load_reference(workspace, features)

    def compute() -> list[Neighbour]:
        known_ids = features.image_ids[~held_out]
        if not len(known_ids):
            return []
        likeness = doubt.compute_likeness(answer.z[np.newaxis], features.z[~held_out])[0]
        nearest = np.argsort(-likeness, kind="stable")[:_NEIGHBOURS]
        return [Neighbour(int(known_ids[row]), float(likeness[row])) for row in nearest]

    neighbours = photo.remember(("neighbours", *key), compute)
    likeness = neighbours[0].likeness if neighbours else 0.0
    certainty = float(doubt.compute_certainty(answer.logits[np.newaxis])[0])
    return doubt.judge(likeness, certainty, reference), neighbours


# Computed from the workspace's own photos alone; a visitor's photo is never in a shared cache.
@cache_data(4)
def _load_reference(workspace: Workspace, features: Features) -> Reference:
    return doubt.compute_reference(features.z, features.logits, _find_held_out(workspace, features))


def _find_held_out(workspace: Workspace, features: Features) -> NDArray[np.bool_]:
    return np.isin(features.image_ids, [photo.image_id for photo in workspace.held_out])


def show_verdict(workspace: Workspace, photo: OwnPhoto, judgement: Judgement) -> None:
    """Say how far the network's answer can be trusted, and by which rule."""
    names = name_categories(workspace.dataset.categories)
    first = workspace.dataset.categories[int(ask(workspace, photo).order[0])]
    said, count = escape_markdown(names[first]), len(names)
    if judgement.is_strange:
        st.warning(
            f"**This does not look like any of the network's {count} categories.** Its likeness "
            f"to what the network has learnt from, {judgement.likeness:.2f}, is lower than that "
            f"of {_count_photos(1 - judgement.share_less_like)}. The scores below are what the "
            "network answers all the same; do not believe them.",
            icon=":material/help:",
        )
    elif judgement.is_torn:
        st.warning(
            f"**The network cannot tell which of its {count} categories this is.** Its first "
            f"guess, {said}, gets {judgement.certainty:.0%}; that is lower than on "
            f"{_count_photos(1 - judgement.share_less_certain)}.",
            icon=":material/help:",
        )
    else:
        # Not in green: whether it is right is unknown.
        st.info(f"The network says **{said}**.", icon=":material/chat_bubble:")
    if not judgement.is_known:
        st.caption(
            f"How far to believe it cannot be judged: {judgement.photos} test photos are too few "
            f"to compare yours with; it takes {doubt.MIN_PHOTOS}."
        )
    elif not (judgement.is_strange or judgement.is_torn):
        st.caption(
            f"Nothing unusual: its likeness to what the network has learnt from, "
            f"{judgement.likeness:.2f}, is at least that of "
            f"{_count_photos(judgement.share_less_like)}, and the network's certainty, "
            f"{judgement.certainty:.0%}, at least that on "
            f"{_count_photos(judgement.share_less_certain)}."
        )
    if photo.source == SAMPLE:
        is_doubted = judgement.is_strange or judgement.is_torn
        truth = names.get(photo.truth, "")
        st.caption(_describe_sample(escape_markdown(truth), photo.truth == first, is_doubted))
    with st.expander("How this is judged"):
        st.markdown(_RULE)


def _describe_sample(truth: str, is_right: bool, is_doubted: bool) -> str:
    if truth:
        verdict = "right" if is_right else "wrong"
        return f"What the sample shows: {truth}. The first guess is {verdict}."
    return "What the sample shows: no bird at all. " + (
        "The network names one all the same, and is rightly doubted."
        if is_doubted
        else "The network names one all the same, and the rule below does not notice."
    )


def _count_photos(share: float) -> str:
    """Write a share of the test photos, never rounded up to all."""
    return "all test photos" if share == 1 else f"{int(100 * share + 1e-9)}% of test photos"


_RULE = f"""
A network names one of its categories whatever it is shown. So two figures of your photo are
compared with the same figures of the workspace's test photos, which the network has not learnt
from either:

- **Likeness**: how near its Z (the layer that is explained) comes to that of any photo the network
  was trained on: the highest cosine, at most 1. Below what all but {doubt.RARE:.0%} of the test
  photos reach, the photo *does not look like any* category.
- **Certainty**: the highest softmax. Below what all but {doubt.RARE:.0%} of the test photos reach,
  the network *cannot tell which* category it is.

So about one good photo in twenty is doubted on either ground. And a photo that passes is **not
proven** to show one of the categories: on the demo more than eight in ten photos of real birds and
all noise are found out, but only a third of plain grey pictures, half of the birds whose colours
were taken away, and hardly any picture whose bird was painted out while its surroundings stayed. A
network that is often wrong on its own test photos finds out much less.
"""


def show_neighbours(
    workspace: Workspace, entry: ModuleEntry | None, neighbours: list[Neighbour]
) -> None:
    """Show the training photos of the network with the nearest Z."""
    if not neighbours:
        return
    photos = [workspace.dataset.get_photo(neighbour.image_id) for neighbour in neighbours]
    names = [format_category(photo.category) for photo in photos]
    st.markdown("##### Most like it, to the network", help=HELP["likeness"])
    with error_boundary():
        tiles = [
            Tile(
                photo,
                cached.load_thumbnail_or_none(workspace, photo),
                f"{name_photo(workspace, photo)}, a {name}",
                f"{escape_markdown(name)}  \n{neighbour.likeness:.2f}",
            )
            for photo, name, neighbour in zip(photos, names, neighbours, strict=True)
        ]
        gallery.show_gallery(workspace, entry, tiles, "neighbours")
        exports.show_numbers(
            {
                "image_id": [neighbour.image_id for neighbour in neighbours],
                "category": [photo.category for photo in photos],
                "likeness": [neighbour.likeness for neighbour in neighbours],
            },
            "srae-your-photo-neighbours",
        )
