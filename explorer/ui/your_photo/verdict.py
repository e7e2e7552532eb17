"""What the network says of a visitor's photo, and how far to rely on it."""

import html

import streamlit as st

from explorer.analysis.conformal import COVERAGE
from explorer.analysis.doubt import RARE, UNCOMMON, Level
from explorer.analysis.trust import MIN_PHOTOS
from explorer.config import WORKSPACE_VARIABLE
from explorer.data.cub import format_category
from explorer.data.names import add_article, name_categories
from explorer.explaining.answer import Answer, make_answer
from explorer.explaining.neighbours import find_neighbours
from explorer.explaining.photo import answer_photo
from explorer.explaining.words import describe_answer, format_percent
from explorer.render.numbers import format_number
from explorer.render.ranking import render_ranking
from explorer.ui.shared import cached, caching, exports, gallery, scores
from explorer.ui.shared.errors import error_boundary
from explorer.ui.shared.figures import Draw, show_figure
from explorer.ui.shared.gallery import Tile
from explorer.ui.shared.markdown import escape_markdown
from explorer.ui.shared.names import name_photo
from explorer.ui.shared.standard import load_standard, make_standard_key
from explorer.ui.shared.words import HELP
from explorer.ui.your_photo.own_photo import SAMPLE, OwnPhoto
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

_MOST_SHOWN = 6


def ask_plainly(workspace: Workspace, photo: OwnPhoto) -> Answer:
    """Let the network answer, once; the answer is not judged, which takes its network alone."""

    def answer() -> Answer:
        with workspace.networks.take_turn():
            return answer_photo(workspace, None, photo.image)

    return photo.remember(("plain answer", *caching.make_workspace_key(workspace)), answer)


def ask(workspace: Workspace, photo: OwnPhoto) -> Answer:
    """Let the network answer, and compare the photo with those of the workspace."""
    standard, plain = load_standard(workspace), ask_plainly(workspace, photo)

    def compute() -> Answer:
        return make_answer(plain.categories, plain.z, plain.logits, plain.pooled, standard)

    # Kept with the photo: what is computed of a visitor's photo is never in a shared cache.
    return photo.remember(("answer", *make_standard_key(workspace)), compute)


def show_painted_note(workspace: Workspace) -> None:
    """Say that the network knows painted birds only."""
    if workspace.is_painted:
        st.caption(
            ":material/palette: **This network knows painted birds only**: the "
            f"{len(workspace.dataset.categories)} invented categories of this workspace. It has "
            "never seen a photograph; a real one should be found to look like none of them, and "
            "mostly is."
        )


def show_way_to_real_birds(workspace: Workspace) -> None:
    """Say how to get a network for real birds, where this one knows painted birds only."""
    if not workspace.is_painted:
        return
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
            language=None,
            wrap_lines=True,
        )


def show_scores(answer: Answer, draw: Draw) -> None:
    """Show the network's highest scores as bars, with all scores for download."""
    names, order = name_categories(answer.categories), list(answer.order)
    top = order[:_MOST_SHOWN]
    is_strange = answer.judgement is not None and answer.judgement.level is Level.STRANGE
    figure = draw(
        render_ranking,
        answer.logits[top],
        None if is_strange else answer.probabilities[top],
        [html.escape(names[answer.categories[index]]) for index in top],
    )
    kind = "softmax" if answer.judgement is None else "probability"
    show_figure(
        figure,
        f"The network's {len(top)} highest scores. Highest: {names[answer.first]}, "
        f"{format_number(float(answer.logits[top[0]]))}"
        + ("" if is_strange else f", {kind} {answer.certainty:.0%}"),
        key="figure-your-photo-scores",
        numbers={
            "category": list(answer.ranked),
            "y_hat": answer.logits[order].tolist(),
            kind: answer.probabilities[order].tolist(),
        },
    )
    if is_strange:
        st.caption(
            "Scores before softmax. Probabilities are left out: over all species they add up to "
            "100%, and this picture may show none of them."
        )
        return
    what = "softmax" if answer.judgement is None else "the calibrated probability"
    st.caption(
        f"Scores before softmax, and {what}. Over all {len(names)} species these shares add up to "
        "100%, whatever the picture shows."
    )


def show_verdict(answer: Answer) -> None:
    """Say what the network says, and how far to rely on it."""
    words = describe_answer(answer, name_categories(answer.categories))
    sentences = " ".join(words.sentences)
    text = f"**{escape_markdown(words.headline)}** {escape_markdown(sentences)}"
    level = answer.judgement and answer.judgement.level
    if level in (Level.STRANGE, Level.BORDERLINE):
        st.warning(text, icon=":material/help:")
    else:
        # Not in green: whether it is right is unknown.
        st.markdown(text)


def show_rule(answer: Answer) -> None:
    """Explain by which rule photos are judged, where this one was."""
    with st.expander("How this is judged"):
        st.markdown(_describe_rule(answer))


def show_truth(workspace: Workspace, photo: OwnPhoto, answer: Answer) -> None:
    """Say of a sample what it shows, and whether the network is right."""
    if photo.source == SAMPLE:
        st.caption(_describe_sample(workspace, photo, answer))


def _describe_sample(workspace: Workspace, photo: OwnPhoto, answer: Answer) -> str:
    truth = name_categories(workspace.dataset.categories).get(photo.truth, "")
    if truth:
        verdict = "right" if photo.truth == answer.first else "wrong"
        return f"What the sample shows: {escape_markdown(truth)}. The first guess is {verdict}."
    words = "What the sample shows: no bird at all. The network names one all the same"
    if answer.judgement is None:
        return f"{words}."
    if answer.judgement.level is Level.KNOWN:
        return f"{words}, and the rule below does not notice."
    return f"{words}, and is rightly doubted."


def _describe_rule(answer: Answer) -> str:
    """Explain level, certainty and set, with the numbers of this photo."""
    if answer.judgement is None:
        return (
            "A photo is compared with test photos, from which the network has not learnt either. "
            f"It takes {2 * MIN_PHOTOS} of them, and this workspace has fewer."
        )
    low, high = answer.certainty_range
    return f"""
A network names one of its species whatever it is shown. So your photo is compared with test photos,
from which the network has not learnt either. Half of them set the rules below; the other half give
the numbers that are quoted.

- **Known, borderline or strange**: how familiar the network finds the photo, from how near its last
  map comes to what a species looks like on average, and from how clearly one score stands out. The
  strangest {RARE:.0%} of test photos count as strange, the next {UNCOMMON - RARE:.0%} as
  borderline. {answer.judgement.share:.0%} of test photos are as strange as yours.
- **Certainty**: softmax of the scores, divided by a number that makes it as high as the network is
  often right. Yours is {format_percent(answer.certainty)}; photos from {low:.0%} to {high:.0%} are
  counted as having the same.
- **“One of”**: all species whose probability is high enough for the right one to be among them on
  {COVERAGE:.0%} of test photos. A long list means much doubt. For a photo of something else no
  species is right.

A photo that passes is **not proven** to show one of the species. The Results page shows how these
rules do on test photos.
"""


def show_neighbours(workspace: Workspace, entry: ModuleEntry | None, photo: OwnPhoto) -> None:
    """Show the training photos of the network with the nearest Z."""
    features, z = scores.load_features(workspace), ask_plainly(workspace, photo).z
    neighbours = photo.remember(
        ("neighbours", *caching.make_workspace_key(workspace)),
        lambda: find_neighbours(workspace, features, z),
    )
    if not neighbours:
        return
    photos = [workspace.dataset.get_photo(neighbour.image_id) for neighbour in neighbours]
    names = [format_category(photo.category) for photo in photos]
    st.markdown("### Photos that the network finds most similar", help=HELP["likeness"])
    with error_boundary():
        tiles = [
            Tile(
                photo,
                cached.load_thumbnail_or_none(workspace, photo),
                f"{name_photo(workspace, photo)}, {add_article(name)}",
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
