"""What each side of the comparison says of all photos, in numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.faithfulness import compute_contributions
from explorer.config import ExplorerError
from explorer.explaining.naming import name_feature
from explorer.methods.base import Source
from explorer.ui.compare import sources
from explorer.ui.compare.sides import Side
from explorer.ui.shared import cached, scores
from explorer.ui.shared.caching import cache_data
from explorer.ui.shared.splits import SplitSides
from explorer.ui.shared.subject import name_in_markdown
from explorer.workspace.features import Features
from explorer.workspace.workspace import Workspace

_CHUNK_ROWS = 2048


@dataclass(frozen=True, eq=False)
class Outputs:
    """Outputs of an explanation for M photos.

    Attributes
    ----------
    activations : NDArray of float32
        (M, K), signed for some methods.
    contributions : NDArray of float64 or None
        (M, K), signed; None if they do not add up to a score.
    y_bar : NDArray of float32 or None
        (M,); None if the method has no score of its own.
    names : tuple of str
        K names of what is drawn, such as ``"x-feature 1"``.
    words : Mapping of int to str
        What x-features stand for, counted from 0; see `cached.load_names`.
    """

    activations: NDArray[np.float32]
    contributions: NDArray[np.float64] | None
    y_bar: NDArray[np.float32] | None
    names: tuple[str, ...]
    words: Mapping[int, str] = field(default_factory=dict)

    def get_title(self, index: int) -> str:
        """Return the name of what is drawn, with the words for it, in Markdown."""
        is_named = index in self.words
        return name_in_markdown(index, self.words) if is_named else self.names[index]


@dataclass(frozen=True, eq=False)
class SideNumbers:
    """A side with its numbers for M photos.

    Attributes
    ----------
    side : Side
        The explanation.
    split : SplitSides
        Photos that the explanation was fitted to, and that it is tested on.
    image_ids : NDArray of int64
        (M,).
    is_positive : NDArray of bool
        (M,), photos of the side's category.
    logits : NDArray of float32
        (M, C), the network's scores of all categories.
    y_hat : NDArray of float32
        (M,), its score of the side's category.
    outputs : Outputs or None
        None if the score is drawn as a whole.
    """

    side: Side
    split: SplitSides
    image_ids: NDArray[np.int64]
    is_positive: NDArray[np.bool_]
    logits: NDArray[np.float32]
    y_hat: NDArray[np.float32]
    outputs: Outputs | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each map."""
        return (self.side.title,) if self.outputs is None else self.outputs.names

    @property
    def y_bar(self) -> NDArray[np.float32] | None:
        """(M,); None if the explanation has no score of its own."""
        return None if self.outputs is None else self.outputs.y_bar

    @cached_property
    def rows(self) -> dict[int, int]:
        """Row of each image id."""
        return {int(image_id): row for row, image_id in enumerate(self.image_ids)}

    def get_row(self, image_id: int) -> int:
        """Return the row of a photo.

        Raises
        ------
        ExplorerError
            When the photo was missing when the network read all photos.
        """
        if image_id not in self.rows:
            raise ExplorerError(
                f"The file of the photo with id {image_id} cannot be read: it was missing when "
                "the workspace was opened. Restore the file and start the app again."
            )
        return self.rows[image_id]


def load_numbers(workspace: Workspace, side: Side) -> SideNumbers:
    """Compute the numbers of a side for all photos of the data set."""
    features = scores.load_features(workspace)
    own = [photo.image_id for photo in workspace.dataset.photos_of(side.category)]
    index = workspace.dataset.categories.index(side.category)
    return SideNumbers(
        side=side,
        split=load_split(workspace, side),
        image_ids=features.image_ids,
        is_positive=np.isin(features.image_ids, own),
        logits=features.logits,
        y_hat=np.array(features.logits[:, index]),
        outputs=_load_outputs(workspace, side),
    )


def load_split(workspace: Workspace, side: Side) -> SplitSides:
    """Return which photos a side was fitted to; for a score as a whole, the network was."""
    if side.entry is not None:
        return cached.load_split(workspace, side.entry)
    if side.is_whole:
        held_out = frozenset(photo.image_id for photo in workspace.held_out)
        everything = frozenset(photo.image_id for photo in workspace.dataset.photos)
        return SplitSides(everything - held_out, held_out)
    split = sources.make_case(workspace, side.category).split
    return SplitSides(frozenset(split.train), frozenset(split.test))


def _load_outputs(workspace: Workspace, side: Side) -> Outputs | None:
    if side.is_whole:
        return None
    if side.entry is not None:
        found = scores.score_module(workspace, side.entry)
        names = tuple(map(name_feature, range(found.x_features.shape[1])))
        words = cached.load_names(workspace, side.entry)
        return Outputs(found.x_features, found.contributions, found.y_bar, names, words)
    source = sources.prepare(workspace, side)
    outputs: Outputs = _compute_outputs(
        workspace, scores.load_features(workspace), side.category, side.by, _source=source
    )
    return outputs


@cache_data(32)
def _compute_outputs(
    workspace: Workspace,  # noqa: ARG001, like the two below a part of the key
    features: Features,
    category: str,  # noqa: ARG001
    by: str,  # noqa: ARG001
    *,
    _source: Source,
) -> Outputs:
    starts = range(0, len(features.z), _CHUNK_ROWS)
    pieces = [slice(start, start + _CHUNK_ROWS) for start in starts]  # bounds memory for Z
    y_bar = None
    if _source.explain is None:
        activations = np.concatenate(
            [_source.activate(features.z[rows], features.logits[rows]) for rows in pieces]
        )
    else:
        explained = [_source.explain(features.z[rows]) for rows in pieces]
        activations, y_bar = map(np.concatenate, zip(*explained, strict=True))
    contributions = None if _source.v is None else compute_contributions(activations, _source.v)
    return Outputs(np.asarray(activations, np.float32), contributions, y_bar, _source.names)
