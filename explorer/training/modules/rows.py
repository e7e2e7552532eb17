"""The photos of each module, as rows of a Z that is shared by the modules of all categories."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from explorer.config import ExplorerError
from explorer.data.cub_files import find_repeats
from explorer.training.modules.settings import VALIDATION_SHARE


@dataclass(frozen=True, eq=False)
class OwnPhotos:
    """Some photos of the category, and what guides a loss on them; on any device.

    Attributes
    ----------
    rows : Tensor
        (P,) int64: rows of the shared Z, at least one.
    z_maps : Tensor
        (P, S_z, cells) float32, >= 0; see `explorer.attribution.z_maps.compute_z_maps`.
    evidence : Tensor
        (S_z, K) float32, >= 0: what each dimension of Z adds to each of K concepts; see
        `explorer.training.modules.evidence.factorise_evidence`.
    signals : Tensor
        (S_z, K) float32, signed: weights of signals that follow one concept each; see
        `explorer.training.modules.evidence.separate_evidence`.
    """

    rows: Tensor
    z_maps: Tensor
    evidence: Tensor
    signals: Tensor


@dataclass(frozen=True, eq=False)
class CategoryPhotos:
    """The photos of one category's module, as rows of a shared Z.

    All tensors are on the device of the training.

    Attributes
    ----------
    y_hat : Tensor
        (N,) float32: the category's logit for each row of Z.
    is_positive : Tensor
        (N,) bool: whether each photo is of the category.
    train, test : Tensor
        (M,) and (T,) int64: rows to train on, and rows that are only measured.
    validation : Tensor
        (V,) int64: rows to choose the best epoch with; empty if the last epoch is kept.
    own : OwnPhotos or None
        Photos that guide the loss; None if it needs no guide.
    """

    y_hat: Tensor
    is_positive: Tensor
    train: Tensor
    test: Tensor
    validation: Tensor
    own: OwnPhotos | None = None

    @classmethod
    def from_arrays(
        cls,
        y_hat: NDArray[np.float32],
        is_positive: NDArray[np.bool_],
        train: NDArray[np.int64],
        test: NDArray[np.int64],
        device: torch.device,
    ) -> "CategoryPhotos":
        """Copy arrays, which may be memory-mapped, to `device`; without validation photos."""

        def copy(array: NDArray[Any]) -> Tensor:
            return torch.from_numpy(np.array(array)).to(device)

        return cls(copy(y_hat), copy(is_positive), copy(train), copy(test), copy(train[:0]))

    @property
    def train_positives(self) -> Tensor:
        """Positions in `train` of the photos of the category, (P,) int64."""
        return self.is_positive[self.train].nonzero()[:, 0]


def hold_out_validation(
    photos: CategoryPhotos, contents: NDArray[np.int64], seed: int
) -> CategoryPhotos:
    """Split off a tenth of the training photos for validation, of positives and negatives alike.

    Of at least two positives or negatives, at least one is taken. Test photos are never used. Rows
    of Z with the same number in `contents`, (N,), are of identical photos and stay together.

    Raises
    ------
    ExplorerError
        When there are too few training photos.
    """
    rng = np.random.default_rng(seed)
    is_positive = photos.is_positive[photos.train].cpu().numpy()
    is_chosen = np.zeros(len(is_positive), dtype=bool)
    own = contents[photos.train.cpu().numpy()]
    for kind in (is_positive, ~is_positive):
        candidates = np.flatnonzero(kind & ~find_repeats(own))
        if len(candidates) > 1:
            count = max(1, round(VALIDATION_SHARE * len(candidates)))
            is_chosen[rng.choice(candidates, size=count, replace=False)] = True
    is_chosen = np.isin(own, own[is_chosen])
    if not is_chosen.any():
        raise ExplorerError(
            "There are too few training photos to hold some out. Train without --patience."
        )
    chosen = torch.from_numpy(is_chosen).to(photos.train.device)
    return replace(photos, train=photos.train[~chosen], validation=photos.train[chosen])


@dataclass(frozen=True, eq=False)
class GroupRows:
    """The training, test or validation photos of several members, as one array.

    Attributes
    ----------
    rows : Tensor
        (G, M) int64: rows of Z. A member with fewer than M photos repeats its first one.
    y_hat : Tensor
        (G, M) float32: the score of each member's category.
    counts : tuple of int
        Number of photos of each member, without repeated ones.
    """

    rows: Tensor
    y_hat: Tensor
    counts: tuple[int, ...]

    @classmethod
    def stack(cls, rows: Sequence[Tensor], scores: Sequence[Tensor]) -> "GroupRows":
        """Stack rows, (M,) for each member; `scores` are (N,) for each, for all rows of Z."""
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
        """Compute the weights of the photos in a mean; see the function of this name."""
        return compute_shares(self.counts, self.rows.device)


def compute_shares(counts: Sequence[int], device: torch.device) -> Tensor | None:
    """Compute the weight of each photo in its member's mean, zero for repeated photos.

    Returns
    -------
    Tensor or None
        (G, M), with M the largest of the G `counts`: 1 / count, and 0 for repeated photos. None if
        all counts are equal, so that all photos have the same weight.
    """
    if min(counts) == max(counts):
        return None
    own = torch.tensor(counts, device=device).unsqueeze(1)
    is_own = torch.arange(max(counts), device=device) < own
    return is_own.to(torch.float32) / own


def draw_order(
    count: int, positives: Tensor, batch_size: int, share: float, generator: torch.Generator
) -> Tensor:
    """Shuffle training photos, with a least share of positives in each batch.

    Parameters
    ----------
    count : int
        Number of training photos.
    positives : Tensor
        (P,) int64: those of the category.
    batch_size : int
        Photos in each batch but the last.
    share : float
        If there are relatively fewer positives, they are drawn several times, in turn, and as many
        negatives are left out.
    generator : torch.Generator
        On the CPU.

    Returns
    -------
    Tensor
        (count,) int64, on the CPU; batches follow each other.
    """
    positives = positives.cpu()
    if not 0 < len(positives) < share * count:
        return torch.randperm(count, generator=generator)
    place = torch.arange(count)
    within = place % batch_size
    is_own = within < share * (count - place + within).clamp(max=batch_size).double()
    wanted = int(is_own.sum())
    turns = [_shuffle(positives, generator) for _ in range(-(-wanted // len(positives)))]
    is_negative = torch.ones(count, dtype=torch.bool)
    is_negative[positives] = False
    negatives = _shuffle(is_negative.nonzero()[:, 0], generator)
    order = torch.empty_like(place)
    order[is_own] = torch.cat(turns)[:wanted]
    order[~is_own] = negatives[: count - wanted]
    return order


def _shuffle(values: Tensor, generator: torch.Generator) -> Tensor:
    return values[torch.randperm(len(values), generator=generator)]
