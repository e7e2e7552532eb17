import math

import pytest
import torch
from torch import nn

from explorer.data.cub import CubDataset
from explorer.nn.backbones.backbone import Backbone
from explorer.training.classifier.photos import WholePhotos, measure_accuracy
from explorer.training.classifier.precision import Precision


def test_accuracy_of_a_known_network(small_backbone: Backbone, painted_dataset: CubDataset) -> None:
    class Constant(nn.Module):
        """A network that always answers category 2."""

        def __init__(self) -> None:
            super().__init__()
            self.bias = nn.Parameter(torch.zeros(1))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            logits = torch.zeros(len(images), 12)
            logits[:, 2] = math.log(11)
            return logits + self.bias

    photos = (*painted_dataset.photos[:6], *painted_dataset.photos[12:15])
    whole = WholePhotos(photos, small_backbone.architecture)
    accuracy, loss = measure_accuracy(Constant(), whole, Precision("full", torch.device("cpu")))
    assert accuracy == pytest.approx(3 / 9)
    # Softmax gives category 2 one half and each of the others 1/22.
    assert loss == pytest.approx((3 * math.log(2) + 6 * math.log(22)) / 9, rel=1e-5)
