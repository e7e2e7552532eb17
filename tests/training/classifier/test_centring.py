import torch
from torch import nn

from explorer.training.classifier.centring import centre_scores


def test_scores_sum_to_zero_and_probabilities_stay() -> None:
    torch.manual_seed(1)
    layers = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 5)).double()
    x = torch.randn(7, 6, dtype=torch.float64)
    before = layers(x).detach()
    centre_scores(layers)
    after = layers(x).detach()
    assert before.sum(dim=1).abs().min() > 0.01
    torch.testing.assert_close(after.sum(dim=1), torch.zeros(7, dtype=torch.float64))
    torch.testing.assert_close(after.softmax(dim=1), before.softmax(dim=1))


def test_another_last_layer_is_left_alone() -> None:
    layers = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    weight = layers[0].weight.clone()
    centre_scores(layers)
    assert torch.equal(layers[0].weight, weight)
