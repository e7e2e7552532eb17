"""What a module is trained to do: the terms of eq. (1) of Qi & Li (2017), and of its variants.

The formulas are written with the tensors' own methods, so that pages can list methods and their
settings before torch is imported.

"..." stands for no dimension, or for one: several modules that are trained side by side, each on a
batch of its own. `shares` says how much each example counts in the means over its batch, (..., M),
>= 0 and summing to 1; all examples count alike where it is None.
"""

from abc import ABC, abstractmethod
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar

from explorer.nn.settings import ModuleShape

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.nn.srae import ExplanationModule

_SMALLEST_NORM = 1e-12


class ModuleSettings(ModuleShape, ABC):
    """Shape of a module together with the loss that trains it; each method has a subclass.

    A subclass is a frozen dataclass that adds the settings of its loss.
    """

    method: ClassVar[str]
    """Name of the method in files."""

    old_names: ClassVar[tuple[str, ...]] = ()
    """What it was called in files of earlier versions."""

    trains_v: ClassVar[bool] = True
    """Whether v is trained with the rest; else it is fitted to a finished encoder."""

    @property
    @abstractmethod
    def rebuilds_z(self) -> bool:
        """Whether the loss makes the decoder rebuild Z."""

    @abstractmethod
    def compute_terms(
        self,
        module: "ExplanationModule",
        z: "Tensor",
        y_hat: "Tensor",
        shares: "Tensor | None" = None,
    ) -> "dict[str, Tensor]":
        """Compute the terms of the loss on a batch; the loss is their sum.

        Parameters
        ----------
        module : ExplanationModule
            One module, or a group of G that are trained side by side.
        z, y_hat : Tensor
            (..., M, S_z) and (..., M): what the classifier gave. Here "..." stands for no
            dimension, or for the G of a group.
        shares : Tensor, optional
            (..., M), how much each example counts in the means over its batch; they sum to 1.
            All count alike where it is None.

        Returns
        -------
        dict of str to Tensor
            Name of each term to its value, (...), weights included.
        """

    def describe(self) -> dict[str, Any]:
        """List method and settings for a file."""
        return {"method": self.method, **asdict(self)}


def compute_misfit(y_bar: "Tensor", y_hat: "Tensor", shares: "Tensor | None" = None) -> "Tensor":
    """Compute the faithfulness term of eq. (1), the mean of (ȳ − ŷ)² over examples: (...).

    Parameters
    ----------
    y_bar, y_hat : Tensor
        (..., M), scores of the module and of the classifier.
    shares : Tensor, optional
        (..., M); see above.
    """
    return _average((y_bar - y_hat).square().unsqueeze(-1), shares).squeeze(-1)


def compute_sparse_reconstruction(
    z_reconstructed: "Tensor", z: "Tensor", q: float, shares: "Tensor | None" = None
) -> "Tensor":
    """Compute the log penalty of eq. (1), without β.

    (1/S_z) Σₖ log(1 + q · (1/M) Σᵢ (Z̃ₖⁱ − Zₖⁱ)²). The mean over examples stands inside the log,
    so that the penalty decides dimension by dimension which parts of Z are worth rebuilding.

    Parameters
    ----------
    z_reconstructed, z : Tensor
        (..., M, S_z).
    q : float
        Sparsity parameter, > 0.
    shares : Tensor, optional
        (..., M); see above.
    """
    return (q * _average((z_reconstructed - z).square(), shares)).log1p().mean(dim=-1)


def compute_plain_reconstruction(
    rebuilt: "Tensor", inputs: "Tensor", shares: "Tensor | None" = None
) -> "Tensor":
    """Compute the mean squared error of (..., M, S) over examples and dimensions: (...)."""
    return _average((rebuilt - inputs).square(), shares).mean(dim=-1)


def compute_pull_away(x_features: "Tensor", shares: "Tensor | None" = None) -> "Tensor":
    """Compute the mean squared cosine between pairs of x-features over the examples.

    Parameters
    ----------
    x_features : Tensor
        (..., M, K). A pair with an x-feature that is zero on every example counts as 0.
    shares : Tensor, optional
        (..., M); see above.

    Returns
    -------
    Tensor
        (...), in [0, 1]; 0 for a single x-feature.

    Notes
    -----
    The pull-away term of Zhao et al., "Energy-based Generative Adversarial Network" (2017),
    eq. (6), taken between x-features instead of between examples.
    """
    count = x_features.shape[-1]
    if count < 2:
        return x_features.new_zeros(x_features.shape[:-2])
    if shares is not None:
        x_features = x_features * shares.sqrt().unsqueeze(-1)
    unit = x_features / x_features.norm(dim=-2, keepdim=True).clamp_min(_SMALLEST_NORM)
    squares: Tensor = (unit.mT @ unit).square()
    off_diagonal = squares.sum(dim=(-2, -1)) - squares.diagonal(dim1=-2, dim2=-1).sum(dim=-1)
    return off_diagonal / (count * (count - 1))


def _average(values: "Tensor", shares: "Tensor | None") -> "Tensor":
    """Average (..., M, D) over the examples: (..., D)."""
    if shares is None:
        return values.mean(dim=-2)
    return (shares.unsqueeze(-2) @ values).squeeze(-2)
