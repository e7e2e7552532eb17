import pytest
import torch

from explorer.training.modules.evidence import (
    compute_slopes,
    factorise_evidence,
    separate_evidence,
)

Z_SIZE = 6


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_slopes_by_hand() -> None:
    z = torch.tensor([[0.0, 1.0, 3.0], [1.0, 0.0, 3.0], [2.0, 0.0, 3.0]])
    y_hat = torch.tensor([0.0, 0.0, 4.0])
    # The positive, the last photo, counts as much as both negatives. So the means of the first
    # dimension and of y_hat are 1.25 and 2, their covariance is 4 - 2.5, and its variance 2.25 -
    # 1.25^2 = 0.6875. The second dimension falls as y_hat rises, and the third never varies.
    slopes = compute_slopes(z, y_hat, torch.tensor([False, False, True]))
    assert slopes.tolist() == pytest.approx([1.5 / 0.6875, 0, 0], rel=1e-2)


def test_dimensions_from_the_same_places_are_one_concept() -> None:
    # Dimensions 0 and 1 come from cell 0, 2 and 3 from cell 1; 4 speaks for nothing; 5 from both.
    z = torch.rand(8, Z_SIZE, generator=seeded()) + 0.5
    z_maps = torch.zeros(8, Z_SIZE, 2)
    z_maps[:, [0, 1], 0] = z_maps[:, [2, 3, 4], 1] = 1
    z_maps[:, 5] = 0.5
    slopes = torch.tensor([1.0, 2.0, 3.0, 1.0, 0.0, 1.0])
    evidence = factorise_evidence(slopes, z, z_maps, 2)
    assert evidence.shape == (Z_SIZE, 2)
    torch.testing.assert_close(evidence.sum(dim=1), slopes)
    shares = evidence / slopes[:, None].clamp(min=1e-9)
    first = int(shares[0].argmax())
    for dimension, concept in ((0, first), (1, first), (2, 1 - first), (3, 1 - first)):
        assert shares[dimension, concept] > 0.9
    assert 0.2 < shares[5, first] < 0.8


def test_concepts_do_not_depend_on_a_random_start() -> None:
    arguments = (
        torch.rand(Z_SIZE, generator=seeded(1)),
        torch.rand(5, Z_SIZE, generator=seeded(2)),
        torch.rand(5, Z_SIZE, 9, generator=seeded(3)),
    )
    first = factorise_evidence(*arguments, 3)
    torch.manual_seed(7)
    assert torch.equal(first, factorise_evidence(*arguments, 3))


def test_without_evidence_or_with_few_pixels_there_are_still_concepts() -> None:
    z, z_maps = torch.ones(1, Z_SIZE), torch.ones(1, Z_SIZE, 2)
    assert not factorise_evidence(torch.zeros(Z_SIZE), z, z_maps, 5).any()
    evidence = factorise_evidence(torch.ones(Z_SIZE), z, z_maps, 5)
    torch.testing.assert_close(evidence.sum(dim=1), torch.ones(Z_SIZE))


def test_signals_by_hand() -> None:
    # Two concepts share the last dimension, which makes them rise and fall together.
    z = torch.tensor([[2.0, 0, 3], [0, 2, 3], [1, 1, 0], [1, 1, 6]])
    evidence = torch.tensor([[1.0, 0], [0, 1], [1, 1]])
    amounts = z @ evidence
    assert torch.corrcoef(amounts.T)[0, 1] > 0.7
    signals = separate_evidence(evidence, z)
    found = z @ signals
    torch.testing.assert_close(torch.cov(found.T, correction=0), torch.eye(2))
    # Less their means, the amounts are (1, -1), (-1, 1), (-3, -3) and (3, 3). Along (1, 1) and
    # (1, -1) they are uncorrelated, and each direction is scaled to the same variance.
    expected = torch.tensor([[1.0, -1], [-1, 1], [-1, -1], [1, 1]])
    torch.testing.assert_close(found - found.mean(0), expected)


def test_signals_are_those_closest_to_the_evidence() -> None:
    z = torch.rand(40, Z_SIZE, generator=seeded()).square()
    evidence = torch.rand(Z_SIZE, 3, generator=seeded(1))
    amounts, found = z @ evidence, z @ separate_evidence(evidence, z)
    each = torch.corrcoef(torch.cat([amounts, found], dim=1).T)[:3, 3:]
    torch.testing.assert_close(torch.corrcoef(found.T), torch.eye(3), atol=1e-4, rtol=0)
    # The trace of the correlations is at its largest, so that they are a symmetric matrix.
    torch.testing.assert_close(each, each.T, atol=1e-4, rtol=0)
    assert (each.diagonal() > 0).all()


def test_a_concept_that_never_varies_has_no_signal() -> None:
    z = torch.rand(9, Z_SIZE, generator=seeded())
    z[:, 0] = 1
    evidence = torch.zeros(Z_SIZE, 3)
    evidence[0, 0] = evidence[1, 1] = 1
    signals = separate_evidence(evidence, z)
    assert not signals[:, [0, 2]].any()
    assert (z @ signals)[:, 1].std(correction=0) == pytest.approx(1)
    assert not separate_evidence(torch.zeros(Z_SIZE, 3), z).any()
