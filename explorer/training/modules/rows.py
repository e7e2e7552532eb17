"""Which photos each module learns from: rows of one Z that the modules of all categories share."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from explorer.config import ExplorerError

_VALIDATION_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class CategoryPhotos:
    """The photos of one category's module, as rows of a Z that it shares with others.

    All tensors are on the device on which is trained.

    Attributes
    ----------
    y_hat : Tensor
        (N,) float32: the category's logit on every photo of Z.
    is_positive : Tensor
        (N,) bool: photos of the category.
    train, test : Tensor
        (M,) and (T,) int64: rows to learn from, and rows that are only measured.
    validation : Tensor
        (V,) int64: rows on which the best epoch is chosen; none where the last epoch is kept.
    """

    y_hat: Tensor
    is_positive: Tensor
    train: Tensor
    test: Tensor
    validation: Tensor

    @classmethod
    def from_arrays(
        cls,
        y_hat: NDArray[np.float32],
        is_positive: NDArray[np.bool_],
        train: NDArray[np.int64],
        test: NDArray[np.int64],
        device: torch.device,
    ) -> "CategoryPhotos":
        """Copy arrays (memory-mapped ones too) to `device`; none are for validation yet."""
        arrays = (y_hat, is_positive, train, test, train[:0])
        return cls(*(torch.from_numpy(np.array(array)).to(device) for array in arrays))


def hold_out_validation(photos: CategoryPhotos, seed: int) -> CategoryPhotos:
    """Set aside a tenth of the training photos, positives and negatives alike, for validation.

    Test photos are never among them. At least one photo of each kind is taken where there are two.

    Raises
    ------
    ExplorerError
        When there are too few training photos for that.
    """
    rng = np.random.default_rng(seed)
    is_positive = photos.is_positive[photos.train].cpu().numpy()
    is_chosen = np.zeros(len(is_positive), dtype=bool)
    for kind in (is_positive, ~is_positive):
        candidates = np.flatnonzero(kind)
        if len(candidates) > 1:
            count = max(1, round(_VALIDATION_SHARE * len(candidates)))
            is_chosen[rng.choice(candidates, size=count, replace=False)] = True
    if not is_chosen.any():
        raise ExplorerError(
            "There are too few training photos to keep some back. Train without --patience."
        )
    chosen = torch.from_numpy(is_chosen).to(photos.train.device)
    return replace(photos, train=photos.train[~chosen], validation=photos.train[chosen])


@dataclass(frozen=True, eq=False)
class GroupRows:
    """The same part of the photos of several members, side by side.

    Attributes
    ----------
    rows : Tensor
        (G, M) int64: rows of Z. A member that has fewer than M repeats its first.
    y_hat : Tensor
        (G, M) float32: each member's own score.
    counts : tuple of int
        G numbers of photos without the repeated ones.
    """

    rows: Tensor
    y_hat: Tensor
    counts: tuple[int, ...]

    @classmethod
    def stack(cls, rows: Sequence[Tensor], scores: Sequence[Tensor]) -> "GroupRows":
        """Lay rows, (M,) for each member, side by side; `scores` are (N,), on all rows of Z."""
        most = max(map(len, rows))
        padded = [torch.cat([own, own[:1].expand(most - len(own))]) for own in rows]
        y_hat = [score[own] for score, own in zip(scores, padded, strict=True)]
        return cls(torch.stack(padded), torch.stack(y_hat), tuple(map(len, rows)))

    def keep(self, members: Sequence[int]) -> "GroupRows":
        """Return the rows of some of the members."""
        counts = tuple(self.counts[member] for member in members)
        most = max(counts, default=0)
        return GroupRows(self.rows[members, :most], self.y_hat[members, :most], counts)

    def compute_shares(self) -> Tensor | None:
        """Compute what each photo counts in a mean over its member's; see the function."""
        return compute_shares(self.counts, self.rows.device)


def compute_shares(counts: Sequence[int], device: torch.device) -> Tensor | None:
    """Compute what each photo counts in its member's mean where shorter members are filled up.

    Returns
    -------
    Tensor or None
        (G, M), with M the largest of the G `counts`: one by the count, and 0 for what fills up.
        None where all counts are equal, and so all photos count alike.
    """
    if min(counts) == max(counts):
        return None
    own = torch.tensor(counts, device=device).unsqueeze(1)
    return (torch.arange(max(counts), device=device) < own) / own
