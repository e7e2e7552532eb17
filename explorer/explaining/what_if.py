"""What a network and a module say of a photo, and of the photo with a region painted out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.faithfulness import compute_contributions
from explorer.explaining.naming import call_feature
from explorer.render.numbers import format_number, format_signed
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

_SMALL = 0.1  # of the score before: a smaller change is called little


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a network and one of its modules say of a photo.

    Attributes
    ----------
    logits : NDArray of float32
        (C,), signed: the network's scores.
    index : int
        The category that the module explains.
    contributions : NDArray of float64
        (K,), vₙEₙ, signed.
    y_bar : float
        The module's score.
    """

    logits: NDArray[np.float32]
    index: int
    contributions: NDArray[np.float64]
    y_bar: float

    @property
    def y_hat(self) -> float:
        """The network's score of the category."""
        return float(self.logits[self.index])

    @property
    def first(self) -> int:
        """The category with the highest score."""
        return int(self.logits.argmax())


def compute_outcome(workspace: Workspace, entry: ModuleEntry, image: NDArray[np.uint8]) -> Outcome:
    """Let a network and a module look at an RGB image (H, W, 3); no map is drawn."""
    networks = workspace.networks
    z, logits = networks.score_image(image)
    x_features, y_bar = networks.apply_module(entry, z[np.newaxis])
    contributions = compute_contributions(x_features, networks.read_weights(entry))[0]
    index = workspace.dataset.categories.index(entry.category)
    return Outcome(logits, index, contributions, float(y_bar[0]))


def describe_change(
    before: Outcome, after: Outcome, categories: Sequence[str], names: Mapping[int, str]
) -> str:
    """Say in a sentence or two what painting out a region changes.

    Parameters
    ----------
    before, after : Outcome
        Of the photo, and of the photo without the region.
    categories : sequence of str
        C names in plain words.
    names : Mapping of int to str
        Names of x-features, counted from 0; the others are called by their number.

    Returns
    -------
    str
        Such as "Without it, the score of Cardinal falls from 9.1 to 4.2. The x-feature
        that falls most is red crown (−3.9). The network now says Summer Tanager."
    """
    name = categories[before.index]
    change = after.y_hat - before.y_hat
    old, new = (format_number(one.y_hat, 1) for one in (before, after))
    numbers = f"from {old} to {new}"
    if abs(change) < _SMALL * max(1.0, abs(before.y_hat)):
        change_words = f"is the same ({old})" if old == new else f"hardly changes ({numbers})"
        sentence = f"Without it, the score of {name} {change_words}"
    else:
        verb = "falls" if change < 0 else "rises"
        sentence = (
            f"Without it, the score of {name} {verb} {numbers}{_name_most(before, after, names)}"
        )
    if after.first == before.first:
        return f"{sentence}. The network still says {categories[after.first]}."
    return f"{sentence}. The network now says {categories[after.first]}."


def _name_most(before: Outcome, after: Outcome, names: Mapping[int, str]) -> str:
    """Name the x-feature that changes most in the direction of the score, in a sentence."""
    change = after.y_hat - before.y_hat
    moved = np.sign(change) * (after.contributions - before.contributions)
    feature = int(moved.argmax())
    if moved[feature] < _SMALL * abs(change):
        return ". No x-feature shows it"
    own = float(after.contributions[feature] - before.contributions[feature])
    verb = "falls" if change < 0 else "rises"
    words = f"{call_feature(feature, names)} ({format_signed(own, 1)})"
    return f". The x-feature that {verb} most is {words}"
