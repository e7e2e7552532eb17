"""Centring a classifier's scores: on every photo, they sum to zero over the categories.

Softmax does not notice when the same number is added to all scores of a photo, so training leaves
it open: a network may give its own category +1 and all others −7. A score is then no sum of
evidence. Centred, it says how much more speaks for a category than for the average one.
"""

import torch
from torch import nn


@torch.no_grad()
def centre_scores(layers: nn.Sequential) -> None:
    """Subtract from the weights of the last layer, in place, their mean over the categories.

    Probabilities and the order of the scores stay as they are. Nothing changes if the network does
    not end in a Linear.
    """
    head = layers[-1]
    if isinstance(head, nn.Linear):
        for parameter in head.parameters():
            parameter.sub_(parameter.mean(dim=0))
