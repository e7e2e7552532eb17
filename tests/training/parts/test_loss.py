import math

import pytest
import torch

from explorer.nn.part_finder import PartOutput
from explorer.training.parts.loss import compute_loss

BOX = torch.tensor([[0.0, 0.0, 0.5, 0.5]])
UNSEEN = (math.nan, math.nan)


def make_output(edges: tuple[float, ...] = (0.0, 0.0, 0.5, 0.5), shown: float = 0.0) -> PartOutput:
    """Make an output with even heat for two parts on a grid of 4 × 4."""
    return PartOutput(torch.zeros(1, 2, 4, 4), torch.full((1, 2), shown), torch.tensor([edges]))


def test_an_output_that_knows_nothing_costs_what_chance_costs() -> None:
    points = torch.tensor([[(0.3, 0.3), UNSEEN]])
    # Even heat costs log 16, whatever is wanted; even odds of visibility cost log 2.
    loss = compute_loss(make_output(), points, BOX)
    assert float(loss) == pytest.approx(math.log(16) + math.log(2), rel=1e-5)


def test_the_box_costs_its_missing_overlap_and_its_distance() -> None:
    points = torch.tensor([[(0.3, 0.3), (0.5, 0.5)]])
    exact = compute_loss(make_output(), points, BOX)
    moved = compute_loss(make_output((0.25, 0.0, 0.75, 0.5)), points, BOX)
    assert float(moved - exact) == pytest.approx((1 - 1 / 3) + 0.25 / 2, rel=1e-5)


def test_parts_that_cannot_be_seen_have_no_wanted_heat() -> None:
    output = make_output()
    output.heat.requires_grad_()
    compute_loss(output, torch.tensor([[(0.3, 0.3), UNSEEN]]), BOX).backward()
    assert output.heat.grad is not None
    assert output.heat.grad[0, 0].any()
    assert not output.heat.grad[0, 1].any()
    nothing = compute_loss(make_output(shown=-20), torch.tensor([[UNSEEN, UNSEEN]]), BOX)
    assert float(nothing) == pytest.approx(0, abs=1e-6)
    assert math.isfinite(float(nothing))


def test_heat_on_the_point_costs_less_than_heat_beside_it() -> None:
    points = torch.tensor([[(0.625, 0.375), UNSEEN]])  # the middle of row 1, column 2
    losses = []
    for column in range(4):
        output = make_output()
        output.heat[0, 0, 1, column] = 3
        losses.append(float(compute_loss(output, points, BOX)))
    assert losses[2] == min(losses)
    assert losses[1] == pytest.approx(losses[3], rel=1e-5)
    assert losses[0] == max(losses)
