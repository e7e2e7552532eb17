"""The answer for a photo together with what adds up to a score."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.faithfulness import compute_base, compute_contributions
from explorer.config import Steps
from explorer.explaining.answer import Answer, Standard, choose_module, make_answer, make_standard
from explorer.explaining.naming import load_names
from explorer.measuring.references import load_or_compute_references
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace


@dataclass(frozen=True, eq=False)
class Sum:
    """What adds up to the score of a category on a photo.

    Attributes
    ----------
    entry : ModuleEntry
        The module that explains the score.
    y_hat, y_bar : float
        Score of the classifier and of the module; signed.
    x_features : NDArray of float32
        (K,), E(Z), >= 0.
    contributions : NDArray of float64
        (K,), vₙEₙ, signed; with the base, they add up to `y_bar`.
    names : Mapping of int to str
        Names of x-features, counted from 0, that have one.
    """

    entry: ModuleEntry
    y_hat: float
    y_bar: float
    x_features: NDArray[np.float32]
    contributions: NDArray[np.float64]
    names: Mapping[int, str] = field(default_factory=dict)

    @property
    def base(self) -> float:
        """The module's score without any x-feature."""
        return compute_base(self.y_bar, self.contributions)


def prepare_standard(workspace: Workspace) -> Steps[Standard]:
    """Read or compute what photos are compared with."""
    return make_standard((yield from load_or_compute_references(workspace)))


def answer_photo(
    workspace: Workspace, standard: Standard | None, image: NDArray[np.uint8]
) -> Answer:
    """Let the classifier answer for an RGB image (H, W, 3), and judge the answer by `standard`."""
    networks = workspace.networks
    z, logits = networks.score_image(image)
    pooled = networks.pool_image(image)
    return make_answer(workspace.dataset.categories, z, logits, pooled, standard)


def explain_answer(workspace: Workspace, answer: Answer, category: str | None = None) -> Sum | None:
    """Split the score of a category into contributions; maps are not drawn.

    Parameters
    ----------
    workspace : Workspace
        The workspace of the answer.
    answer : Answer
        From `answer_photo`.
    category : str, optional
        As in ``classes.txt``; by default the most probable one that has a module.

    Returns
    -------
    Sum or None
        None if there is no module.
    """
    order = answer.ranked if category is None else (category,)
    entry = choose_module(order, workspace.list_modules())
    if entry is None:
        return None
    x_features, y_bar = workspace.networks.apply_module(entry, answer.z[np.newaxis])
    contributions = compute_contributions(x_features, workspace.networks.read_weights(entry))
    return Sum(
        entry=entry,
        y_hat=float(answer.logits[answer.categories.index(entry.category)]),
        y_bar=float(y_bar[0]),
        x_features=x_features[0],
        contributions=contributions[0],
        names=load_names(workspace, entry),
    )
