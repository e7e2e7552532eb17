"""The terms of the loss, eq. (1) of Qi & Li (2017), and of its variants.

The formulas use only methods of tensors, so that pages can list methods and their settings before
torch is imported.

"..." stands for no dimension, or for the dimension of a group of modules that are trained together,
each on its own batch. `shares` are the weights of the examples in the means over the batch,
(..., M), >= 0 and with sum 1. Without them, all examples have the same weight.
"""

from abc import ABC, abstractmethod
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar

from explorer.nn.settings import ModuleShape

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.nn.guide import Guide
    from explorer.nn.srae import ExplanationModule

SMALLEST_NORM = 1e-12


class ModuleSettings(ModuleShape, ABC):
    """Base class of the settings of a method's module: its shape and its loss.

    Subclasses are frozen dataclasses that add the settings of the loss.
    """

    method: ClassVar[str]
    """Name of the method in files."""

    old_names: ClassVar[tuple[str, ...]] = ()
    """Names of the method in files of earlier versions."""

    trains_v: ClassVar[bool] = True
    """Whether v is trained with the rest; otherwise it is fitted to the trained encoder."""

    is_guided: ClassVar[bool] = False
    """Whether `compute_guided_terms` needs a guide, which takes photos of the category."""

    @property
    def least_positive_share(self) -> float:
        """The least share of photos of the category in each batch."""
        return 0.0

    @property
    @abstractmethod
    def rebuilds_z(self) -> bool:
        """Whether the loss trains the decoder to rebuild Z."""

    @abstractmethod
    def compute_terms(
        self,
        module: "ExplanationModule",
        z: "Tensor",
        y_hat: "Tensor",
        shares: "Tensor | None" = None,
    ) -> "dict[str, Tensor]":
        """Compute the terms of the loss on a batch. The loss is their sum.

        Parameters
        ----------
        module : ExplanationModule
            A module, or a group of G modules.
        z, y_hat : Tensor
            (..., M, S_z) and (..., M), from the classifier. "..." stands for no dimension, or for
            the G of a group.
        shares : Tensor, optional
            (..., M), weights of the examples in the means over the batch, with sum 1. By default,
            all examples have the same weight.

        Returns
        -------
        dict of str to Tensor
            Terms by name, (...), multiplied by their weights.
        """

    def compute_guided_terms(
        self,
        module: "ExplanationModule",
        z: "Tensor",
        y_hat: "Tensor",
        shares: "Tensor | None",
        guide: "Guide | None",  # noqa: ARG002
    ) -> "dict[str, Tensor]":
        """Compute the terms of `compute_terms`, and those that need a guide, if there is one."""
        return self.compute_terms(module, z, y_hat, shares)

    def describe(self) -> dict[str, Any]:
        """List the method and the settings for a file.

        It names a base only where there is one, so that files and records from before there was
        one stay current.
        """
        settings = {"method": self.method, **asdict(self)}
        if not self.has_base:
            del settings["has_base"]
        return settings


def compute_misfit(y_bar: "Tensor", y_hat: "Tensor", shares: "Tensor | None" = None) -> "Tensor":
    """Compute the faithfulness term of eq. (1), the mean of (ȳ − ŷ)² over examples: (...).

    Parameters
    ----------
    y_bar, y_hat : Tensor
        (..., M), scores of the module and of the classifier.
    shares : Tensor, optional
        (..., M); see above.
    """
    return average((y_bar - y_hat).square().unsqueeze(-1), shares).squeeze(-1)


def compute_sparse_reconstruction(
    z_reconstructed: "Tensor", z: "Tensor", q: float, shares: "Tensor | None" = None
) -> "Tensor":
    """Compute the log penalty of eq. (1), without β.

    (1/S_z) Σₖ log(1 + q · (1/M) Σᵢ (Z̃ₖⁱ − Zₖⁱ)²). The mean over examples is inside the log, so that
    the penalty selects which dimensions of Z are rebuilt.

    Parameters
    ----------
    z_reconstructed, z : Tensor
        (..., M, S_z).
    q : float
        Sparsity parameter, > 0.
    shares : Tensor, optional
        (..., M); see above.
    """
    return (q * average((z_reconstructed - z).square(), shares)).log1p().mean(dim=-1)


def compute_plain_reconstruction(
    rebuilt: "Tensor", inputs: "Tensor", shares: "Tensor | None" = None
) -> "Tensor":
    """Compute the mean squared error of (..., M, S) over examples and dimensions: (...)."""
    return average((rebuilt - inputs).square(), shares).mean(dim=-1)


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
    eq. (6), but between x-features instead of examples.
    """
    count = x_features.shape[-1]
    if count < 2:
        return x_features.new_zeros(x_features.shape[:-2])
    if shares is not None:
        x_features = x_features * shares.sqrt().unsqueeze(-1)
    unit = x_features / x_features.norm(dim=-2, keepdim=True).clamp_min(SMALLEST_NORM)
    squares: Tensor = (unit.mT @ unit).square()
    off_diagonal = squares.sum(dim=(-2, -1)) - squares.diagonal(dim1=-2, dim2=-1).sum(dim=-1)
    return off_diagonal / (count * (count - 1))


def average(values: "Tensor", shares: "Tensor | None") -> "Tensor":
    """Average (..., M, D) over the examples, with the weights `shares`: (..., D)."""
    if shares is None:
        return values.mean(dim=-2)
    return (shares.unsqueeze(-2) @ values).squeeze(-2)
