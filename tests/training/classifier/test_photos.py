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
    measured = measure_accuracy(Constant(), whole, Precision("full", torch.device("cpu")))
    assert measured.top1 == pytest.approx(3 / 9)
    # Softmax gives category 2 one half and each of the others 1/22.
    assert measured.loss == pytest.approx((3 * math.log(2) + 6 * math.log(22)) / 9, rel=1e-5)


@pytest.mark.parametrize(("rank", "expected"), [(1, 1), (4, 1), (5, 1 / 3)])
def test_top5_counts_the_five_highest_scores(
    small_backbone: Backbone, painted_dataset: CubDataset, rank: int, expected: float
) -> None:
    class Ranking(nn.Module):
        """A network whose highest score is category 2's; category 0 is `rank` places below it."""

        def __init__(self) -> None:
            super().__init__()
            order = [2, 11, 10, 9, 8, 7, 6, 5, 4, 3, 1]
            order.insert(rank, 0)
            logits = torch.zeros(12)
            logits[order] = -torch.arange(12.0)
            self.logits = nn.Parameter(logits)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.logits.expand(len(images), -1)

    photos = (*painted_dataset.photos[:6], *painted_dataset.photos[12:15])
    assert [photo.category_index for photo in photos] == [0] * 6 + [2] * 3
    whole = WholePhotos(photos, small_backbone.architecture)
    measured = measure_accuracy(Ranking(), whole, Precision("full", torch.device("cpu")))
    assert measured.top1 == pytest.approx(1 / 3)
    assert measured.top5 == pytest.approx(expected)
