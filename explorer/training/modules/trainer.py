"""Training explanation modules, one or many at once, as a generator of progress records."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from explorer.config import ExplorerError, Progress
from explorer.nn.arithmetic import train_in_fixed_arithmetic
from explorer.nn.grouped import GroupedLinear, ModuleGroup, list_grouped_layers
from explorer.nn.losses import ModuleSettings, compute_plain_reconstruction
from explorer.nn.srae import ExplanationModule
from explorer.training.modules.concept_start import start_from_evidence
from explorer.training.modules.early_stopping import BestWeights
from explorer.training.modules.group import Read, Terms, TrainingGroup, sum_terms
from explorer.training.modules.initialisation import (
    centre_biases,
    fit_v,
    initialise_signed_v,
    initialise_v,
    revive_x_features,
)
from explorer.training.modules.rows import CategoryPhotos
from explorer.training.modules.settings import TrainingSettings

__all__ = ["Outcome", "TrainingSettings", "count_epochs", "train_group"]

Outcome = ExplanationModule | ExplorerError


def count_epochs(module_settings: ModuleSettings, settings: TrainingSettings) -> int:
    """Return the maximum number of epochs of pretraining and training of a module."""
    hidden = len(module_settings.widths) or 2  # unset widths become two
    return settings.pretrain_epochs * (hidden + 1) + settings.epochs


@train_in_fixed_arithmetic
def train_group(
    z: Tensor,
    members: Sequence[CategoryPhotos],
    module_settings: ModuleSettings,
    settings: TrainingSettings,
) -> Generator[Progress, None, tuple[Outcome, ...]]:
    """Train an explanation module for each of several categories, as a batched computation.

    Apart from rounding, each member learns the same as if it were trained alone. Test photos are
    only measured, never used for training or selection.

    Parameters
    ----------
    z : Tensor
        (N, S_z) float32, >= 0: Z of all photos, shared by the members; see `TrainingGroup`.
    members : sequence of CategoryPhotos
        Not empty; all with the same number of batches (see `make_groups`).
    module_settings, settings
        Settings of the modules and of the training, the same for all members.

    Yields
    ------
    Progress
        One per epoch, with the mean over the members of each loss term and of F_reg on training and
        test photos.

    Returns
    -------
    tuple of ExplanationModule or ExplorerError
        For each member, its module on the CPU in evaluation mode, or an error if its loss is no
        longer finite. Such a member does not affect the others.

    Notes
    -----
    The same group with the same seed on the same machine gives the same weights. The global random
    state is not used. X-features that die in the first half of the joint training are reinitialised
    (see `revive_x_features`).
    """
    group = TrainingGroup(z, members, module_settings, settings)
    total = count_epochs(module_settings, settings)
    done = 0
    for where, error in _pretrain_layers(group):
        done += 1
        yield Progress("Pretraining layer by layer", done, total, {"reconstruction": error}, where)
    if group.own:
        start_from_evidence(group)
    if settings.pretrain_epochs or group.own:
        _initialise_v(group, members)
    return (yield from _train_jointly(group, done, total))


def _pretrain_layers(group: TrainingGroup) -> Iterator[tuple[str, float]]:
    """Train each encoder layer with its mirror in the decoder to rebuild its own input.

    Yields where it is, in words, and the error there.

    Greedy layer-wise pretraining (Bengio et al., 2007), with the mean squared error, so that no
    dimension of Z is given up at this stage.
    """
    epochs = group.settings.pretrain_epochs
    if not epochs:
        return
    read: Read = group.read_z
    encoder, decoder = (
        list_grouped_layers(group.module.encoder),
        list_grouped_layers(group.module.decoder),
    )
    pairs = zip(encoder, reversed(decoder), strict=True)
    for layer, (encode, decode) in enumerate(pairs, start=1):
        _centre_biases(group, encode, read)

        def compute_terms(
            columns: Tensor,
            shares: Tensor | None,
            encode: nn.Module = encode,
            decode: nn.Module = decode,
            read: Read = read,
        ) -> Terms:
            inputs = read(columns)
            rebuilt = decode(encode(inputs).relu()).relu()
            return {"reconstruction": compute_plain_reconstruction(rebuilt, inputs, shares)}

        parameters = [*encode.parameters(), *decode.parameters()]
        fit = group.fit(parameters, compute_terms, epochs)
        for epoch, terms in enumerate(fit, start=1):
            where = f"layer {layer} of {len(encoder)}, epoch {epoch} of {epochs}"
            yield where, float(terms["reconstruction"].mean())
        hidden = group.compute_on_training(encode, read).relu_()
        read = partial(_read_columns, hidden)


def _read_columns(hidden: Tensor, columns: Tensor) -> Tensor:
    return hidden[torch.arange(len(hidden), device=hidden.device).unsqueeze(1), columns]


def _centre_biases(group: TrainingGroup, layer: GroupedLinear, read: Read) -> None:
    if layer.bias is None:
        raise TypeError("The layers of an encoder have biases.")
    outputs = group.compute_on_training(layer, read)
    for i, count in enumerate(group.train.counts):
        centre_biases(layer.bias.detach()[i, 0], outputs[i, :count])


def _initialise_v(group: TrainingGroup, members: Sequence[CategoryPhotos]) -> None:
    x_features = group.compute_x_features(group.train)
    initialise = initialise_signed_v if group.own else initialise_v
    for place, photos in enumerate(members):
        own = x_features[place, : len(photos.train)]
        is_positive = photos.is_positive[photos.train]
        initialise(group.module.view_member(place).v, own, photos.y_hat[photos.train], is_positive)


def _train_jointly(
    group: TrainingGroup, done: int, total: int
) -> Generator[Progress, None, tuple[Outcome, ...]]:
    """Train all weights, or all but v, depending on the loss; see `train_group`."""
    module, settings = group.module, group.settings
    is_joint = group.loss.trains_v
    stage = "Training" if is_joint else "Training the autoencoder"
    autoencoder = [*module.encoder.parameters(), *module.decoder.parameters()]
    parameters = list(module.parameters()) if is_joint else autoencoder
    roster = _Roster(group, BestWeights(module, settings.patience) if settings.patience else None)

    def compute_terms(columns: Tensor, shares: Tensor | None) -> Terms:
        z, y_hat = group.read_z(columns), group.read_y_hat(columns)
        return group.loss.compute_guided_terms(module, z, y_hat, shares, group.draw_guide())

    for epoch, terms in enumerate(group.fit(parameters, compute_terms, settings.epochs), start=1):
        x_features = group.compute_x_features(group.train)
        diverged = _find_diverged(module, terms, x_features)
        finite = roster.drop({i: _make_divergence_error() for i in diverged})
        if not finite:
            break
        x_features = x_features[finite]
        if not is_joint:
            _fit_v(group, x_features)
        values = _measure(group, {name: term[finite] for name, term in terms.items()}, x_features)
        finished: list[int] = []
        if roster.best is not None:
            losses = _compute_validation_losses(group)
            values["validation"] = float(np.mean(losses))
            finished = roster.best.update(losses)
        if is_joint and epoch < settings.epochs // 2:
            _revive(group, x_features)
        staying = roster.drop({i: roster.finish(i) for i in finished})
        steps = done + epoch if staying else total
        yield Progress(stage, steps, total, values, f"epoch {epoch} of {settings.epochs}")
        if not staying:
            break
    roster.drop({i: roster.finish(i) for i in range(len(group.places))})
    return tuple(roster.outcomes[place] for place in sorted(roster.outcomes))


@dataclass(frozen=True, eq=False)
class _Roster:
    """The members of a group that are still in training, and the outcomes of the others."""

    group: TrainingGroup
    best: BestWeights | None
    outcomes: dict[int, Outcome] = field(default_factory=dict)

    def finish(self, position: int) -> ExplanationModule:
        """Return the final module of a member."""
        return (self.best or self.group.module).copy_member(position)

    def drop(self, leaving: Mapping[int, Outcome]) -> list[int]:
        """Record the outcomes of members, remove them from the group, and return the others."""
        staying = [i for i in range(len(self.group.places)) if i not in leaving]
        for position, outcome in leaving.items():
            self.outcomes[self.group.places[position]] = outcome
        if leaving:
            self.group.keep(staying)
            if self.best is not None:
                self.best.keep(staying)
        return staying


def _find_diverged(module: ModuleGroup, terms: Terms, x_features: Tensor) -> list[int]:
    """Return the positions of members with a non-finite loss, weight or x-feature."""
    is_finite = [
        values.isfinite().flatten(1).all(dim=1)
        for values in (*_as_columns(terms), x_features, *module.parameters())
    ]
    return torch.nonzero(~torch.stack(is_finite).all(dim=0)).flatten().tolist()


def _as_columns(terms: Terms) -> list[Tensor]:
    return [term.unsqueeze(1) for term in terms.values()]


def _make_divergence_error() -> ExplorerError:
    return ExplorerError(
        "The loss is no longer finite. Lower the learning rate, β or q and try again."
    )


def _fit_v(group: TrainingGroup, x_features: Tensor) -> None:
    for i, count in enumerate(group.train.counts):
        v = group.module.v.weight.detach()[i, :, 0]
        fit_v(v, x_features[i, :count], group.train.y_hat[i, :count])


def _measure(group: TrainingGroup, terms: Terms, x_features: Tensor) -> dict[str, float]:
    """Compute the means over the members of the loss, its terms and F_reg."""
    values = {
        "total": sum_terms(terms),
        **terms,
        "f_reg_train": group.compute_f_reg(x_features, group.train),
        "f_reg_test": group.compute_f_reg(group.compute_x_features(group.test), group.test),
    }
    means = torch.stack(list(values.values())).mean(dim=1)
    return dict(zip(values, means.tolist(), strict=True))


@torch.no_grad()
def _compute_validation_losses(group: TrainingGroup) -> list[float]:
    photos = group.validation
    z, shares = group.take_z(photos.rows), photos.compute_shares()
    terms = group.loss.compute_terms(group.module, z, photos.y_hat, shares)
    losses: list[float] = sum_terms(terms).tolist()
    return losses


def _revive(group: TrainingGroup, x_features: Tensor) -> None:
    has_dead = (x_features.amax(dim=1) == 0).any(dim=1).tolist()
    for i, count in enumerate(group.train.counts):
        if has_dead[i]:
            z, y_hat = group.take_z(group.train.rows[i, :count]), group.train.y_hat[i, :count]
            revive_x_features(group.module.view_member(i), z, y_hat)
