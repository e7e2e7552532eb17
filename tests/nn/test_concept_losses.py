import pytest
import torch

from explorer.nn.concept_losses import (
    compute_cancellation,
    compute_disagreement,
    compute_evenness,
    compute_map_disagreement,
)
from explorer.nn.guide import Guide


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_evenness_by_hand() -> None:
    contributions = torch.tensor([[3.0, 1.0, -9.0], [2.0, 2.0, 0.0], [-1.0, 0.0, 0.0]])
    expected = ((0.75**2 + 0.25**2) + (0.5**2 + 0.5**2) + 0) / 3
    assert compute_evenness(contributions).item() == pytest.approx(expected)


def test_evenness_of_a_group_is_that_of_each_member() -> None:
    contributions = torch.randn(3, 5, 4, generator=seeded())
    together = compute_evenness(contributions)
    torch.testing.assert_close(together, torch.stack([*map(compute_evenness, contributions)]))


def test_evenness_has_a_gradient_where_nothing_is_positive() -> None:
    contributions = torch.zeros(2, 3, requires_grad=True)
    compute_evenness(contributions).backward()
    assert contributions.grad is not None
    assert contributions.grad.isfinite().all()


def test_cancellation_by_hand() -> None:
    contributions = torch.tensor([[3.0, -1.0, 0.0], [2.0, 2.0, 0.0], [-4.0, 0.0, 0.0], [0, 0, 0]])
    expected = (1 / 4 + 0 + 1 + 0) / 4
    assert compute_cancellation(contributions).item() == pytest.approx(expected)
    together = compute_cancellation(contributions.expand(2, -1, -1))
    torch.testing.assert_close(together, torch.full((2,), expected))


def test_disagreement_by_hand() -> None:
    x_features = torch.tensor([[0.0, 1.0, 2.0], [1.0, 1.0, 1.0], [2.0, 1.0, 0.0]])
    targets = torch.tensor([[5.0, 0.0, 0.0], [7.0, 1.0, 3.0], [9.0, 2.0, 6.0]])
    # Equal up to scale and a constant: 0. Constant: 1. Opposite: 2.
    expected = torch.tensor([0.0, 1.0, 2.0])
    torch.testing.assert_close(compute_disagreement(x_features, targets), expected.mean())
    one = compute_disagreement(x_features[:, :1], targets[:, 2:])
    assert one.item() == pytest.approx(0, abs=1e-6)


def test_disagreement_leaves_out_examples_of_weight_zero() -> None:
    x_features, targets = torch.rand(2, 7, 3, generator=seeded())
    shares = torch.tensor([0.25] * 4 + [0.0] * 3)
    found = compute_disagreement(x_features, targets, shares)
    torch.testing.assert_close(found, compute_disagreement(x_features[:4], targets[:4]))


def make_guide() -> Guide:
    """Return two concepts on one photo: their evidence is (3, 1) and (1, 1) in two cells."""
    return Guide(
        z=torch.tensor([[1.0, 2.0]]),
        z_maps=torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]),
        evidence=torch.tensor([[3.0, 1.0], [0.5, 0.5]]),
        signals=torch.zeros(2, 2),
    )


def test_map_disagreement_by_hand() -> None:
    # Shares are (3/4, 1/4) and (1/2, 1/2), and (5/8, 3/8) on average. So concept 0 has more than
    # its share in cell 0, and concept 1 in cell 1.
    for maps, expected in (
        ([[2.0, 0.0], [0.0, 0.1]], 0),
        ([[0.0, 2.0], [2.0, 0.0]], 1),
        ([[3.0, 4.0], [0.0, 1.0]], (1 - 3 / 5) / 2),
        ([[0.0, 0.0], [0.0, 1.0]], 1 / 2),
    ):
        found = compute_map_disagreement(torch.tensor([maps]), make_guide())
        assert found.item() == pytest.approx(expected, abs=1e-6)


def test_map_disagreement_has_a_gradient_without_heat() -> None:
    maps = torch.zeros(1, 2, 2, requires_grad=True)
    compute_map_disagreement(maps, make_guide()).backward()
    assert maps.grad is not None
    assert maps.grad.isfinite().all()


def test_terms_of_a_group_are_those_of_each_member() -> None:
    x_features, targets = torch.rand(2, 3, 6, 4, generator=seeded(1))
    together = compute_disagreement(x_features, targets)
    alone = [*map(compute_disagreement, x_features, targets)]
    torch.testing.assert_close(together, torch.stack(alone))
    maps = torch.rand(3, 5, 4, 7, generator=seeded(2))
    guide = Guide(
        torch.rand(3, 5, 8, generator=seeded(3)),
        torch.rand(3, 5, 8, 7, generator=seeded(4)),
        torch.rand(3, 8, 4, generator=seeded(5)),
        torch.zeros(3, 8, 4),
    )
    each = [
        compute_map_disagreement(own, Guide(*one))
        for own, *one in zip(maps, *vars(guide).values(), strict=True)
    ]
    torch.testing.assert_close(compute_map_disagreement(maps, guide), torch.stack(each))
