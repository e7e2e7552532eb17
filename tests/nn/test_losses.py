import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from explorer.nn.losses import compute_misfit, compute_pull_away, compute_sparse_reconstruction


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_misfit_by_hand() -> None:
    y_bar, y_hat = torch.tensor([1.0, 4.0]), torch.tensor([2.0, 1.0])
    assert float(compute_misfit(y_bar, y_hat)) == pytest.approx((1 + 9) / 2)
    shares = torch.tensor([0.75, 0.25])
    assert float(compute_misfit(y_bar, y_hat, shares)) == pytest.approx(0.75 + 0.25 * 9)


def test_mean_over_photos_is_inside_the_log() -> None:
    z = torch.tensor([[0.5, 2.0], [0.5, 2.0]])
    rebuilt = torch.tensor([[1.5, 2.0], [3.5, 2.0]])
    # Dimension 0: the mean of 1 and 9 is 5, hence log(1 + 2 * 5); dimension 1 is exact, hence 0.
    inside = torch.tensor(11.0).log() / 2
    outside = (torch.tensor(3.0).log() + torch.tensor(19.0).log()) / 4
    found = compute_sparse_reconstruction(rebuilt, z, q=2.0)
    torch.testing.assert_close(found, inside)
    assert abs(float(found - outside)) > 0.1


def test_sparse_reconstruction_is_a_mean_over_dimensions() -> None:
    z = torch.zeros(1, 4)
    rebuilt = torch.tensor([[1.0, 2.0, 0.0, 0.0]])
    expected = (torch.tensor(101.0).log() + torch.tensor(401.0).log()) / 4
    torch.testing.assert_close(compute_sparse_reconstruction(rebuilt, z, q=100.0), expected)


def test_sparse_reconstruction_prefers_one_bad_dimension_to_many_half_bad() -> None:
    z = torch.zeros(1, 4)
    one = compute_sparse_reconstruction(torch.tensor([[2.0, 0, 0, 0]]), z, 100.0)
    spread = compute_sparse_reconstruction(torch.ones(1, 4), z, 100.0)
    assert one < spread, "the total squared error is the same"


def test_pull_away_by_hand() -> None:
    # Cosines: columns 0 and 1 are parallel (1), column 2 is orthogonal to both (0).
    x_features = torch.tensor([[1.0, 2.0, 0.0], [0.0, 0.0, 5.0]])
    assert float(compute_pull_away(x_features)) == pytest.approx(1 / 3)


def test_pull_away_of_a_dead_x_feature_is_zero_and_has_a_finite_gradient() -> None:
    x_features = torch.tensor([[1.0, 0.0], [2.0, 0.0]], requires_grad=True)
    value = compute_pull_away(x_features)
    value.backward()
    assert float(value.detach()) == 0
    assert x_features.grad is not None
    assert x_features.grad.isfinite().all()


def test_pull_away_of_one_x_feature_is_zero() -> None:
    assert float(compute_pull_away(torch.ones(4, 1))) == 0
    assert compute_pull_away(torch.ones(2, 4, 1)).tolist() == [0, 0], "two modules side by side"


def test_pull_away_weights_the_examples_of_each_module() -> None:
    x_features = torch.rand(2, 3, 4, generator=seeded(1))
    shares = torch.tensor([[0.5, 0.5, 0], [0, 0.25, 0.75]])
    together = compute_pull_away(x_features, shares)
    for index in range(2):
        torch.testing.assert_close(
            together[index], compute_pull_away(x_features[index], shares[index])
        )


@given(seed=st.integers(0, 1000), scale=st.floats(0.01, 100))
def test_pull_away_ignores_scale_and_stays_in_bounds(seed: int, scale: float) -> None:
    x_features = torch.rand(6, 4, generator=seeded(seed))
    value = float(compute_pull_away(x_features))
    assert -1e-6 <= value <= 1 + 1e-6
    assert float(compute_pull_away(x_features * scale)) == pytest.approx(value, abs=1e-5)
