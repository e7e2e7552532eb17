"""The start of modules whose x-features begin as the evidence for a concept."""

import torch
from torch import nn

from explorer.nn.grouped import list_grouped_layers
from explorer.nn.losses import SMALLEST_NORM
from explorer.training.modules.group import TrainingGroup
from explorer.training.modules.initialisation import fit_x_features

_INACTIVE_SHARE = 0.25  # of the training photos


@torch.no_grad()
def start_from_evidence(group: TrainingGroup) -> None:
    """Set the encoder so that x-features start as the signals of concepts.

    They are inactive on the photos with the lowest signals. What an x-feature adds to every photo
    alike would say nothing, and the base would take it away again.
    """
    _carry_evidence(group)
    layers, top = list(group.module.encoder), list_grouped_layers(group.module.encoder)[-1]
    hidden = group.compute_on_training(nn.Sequential(*layers[:-2]), group.read_z)
    for i, (own, count) in enumerate(zip(group.own, group.train.counts, strict=True)):
        signals = group.take_z(group.train.rows[i, :count]) @ own.signals.to(group.device)
        targets = (signals - signals.quantile(_INACTIVE_SHARE, dim=0)).clamp(min=0)
        weight, bias = fit_x_features(hidden[i, :count], targets, group.get_positives(i))
        top.weight[i] = weight
        if top.bias is not None:
            top.bias[i, 0] = bias


def _carry_evidence(group: TrainingGroup) -> None:
    """Give some units of each hidden layer to the evidence for the concepts.

    Pretraining keeps what rebuilds Z best, so that narrow layers may lose what tells the category.
    """
    hidden = list_grouped_layers(group.module.encoder)[:-1]
    for i, own in enumerate(group.own):
        carried = own.evidence.to(group.device)
        for layer in hidden:
            count = min(carried.shape[1], layer.weight.shape[2])
            # As large as the others, or steps of the usual length would be too long.
            lengths = carried[:, :count].norm(dim=0).clamp(min=SMALLEST_NORM)
            usual = layer.weight[i].norm(dim=0).mean()
            layer.weight[i, :, :count] = usual * carried[:, :count] / lengths
            if layer.bias is not None:
                layer.bias[i, 0, :count] = 0
            carried = torch.eye(layer.weight.shape[2], count, device=group.device)
