from dataclasses import replace

import numpy as np
import pytest
import torch

from explorer.config import ExplorerError
from explorer.training.modules.rows import (
    CategoryPhotos,
    GroupRows,
    compute_shares,
    draw_order,
    hold_out_validation,
)

CPU = torch.device("cpu")
DIFFERENT = np.arange(200)


def make_photos(train: list[int], positives: int = 20) -> CategoryPhotos:
    """Return 200 photos, the first of them positive; the last ten are for testing."""
    return CategoryPhotos(
        torch.arange(200.0),
        torch.arange(200) < positives,
        torch.tensor(train, dtype=torch.int64),
        torch.arange(190, 200),
        torch.zeros(0, dtype=torch.int64),
    )


def test_arrays_are_copied_and_no_photo_is_for_validation() -> None:
    arrays = np.ones(4, np.float32), np.ones(4, bool), np.arange(3), np.arange(3, 4)
    for array in arrays:
        array.setflags(write=False)
    photos = CategoryPhotos.from_arrays(*arrays, CPU)
    photos.y_hat[0] = 5
    assert arrays[0][0] == 1
    assert photos.train.tolist() == [0, 1, 2]
    assert photos.test.tolist() == [3]
    assert photos.validation.tolist() == []


def test_validation_photos_are_positive_and_negative_training_photos() -> None:
    photos = make_photos(list(range(0, 180)))
    found = hold_out_validation(photos, DIFFERENT, 0)
    both = torch.cat([found.train, found.validation])
    assert sorted(both.tolist()) == photos.train.tolist()
    assert int(photos.is_positive[found.validation].sum()) == 2
    assert len(found.validation) == 2 + 16
    assert torch.equal(found.test, photos.test)
    assert not set(found.validation.tolist()) & set(photos.test.tolist())


def test_validation_photos_depend_on_the_seed() -> None:
    photos = make_photos(list(range(0, 180)))
    one, same, other = (hold_out_validation(photos, DIFFERENT, seed) for seed in (0, 0, 1))
    assert torch.equal(one.validation, same.validation)
    assert not torch.equal(one.validation, other.validation)


def test_identical_photos_are_on_one_side() -> None:
    photos = make_photos(list(range(0, 180)))
    copies = DIFFERENT // 3  # three of each, some of them both positive and negative
    found = hold_out_validation(photos, copies, 0)
    train, validation = (set(copies[rows.numpy()]) for rows in (found.train, found.validation))
    assert not train & validation
    assert len(found.validation) == 3 * len(validation)
    assert len(train) + len(validation) == 60


def test_positives_that_are_all_copies_are_kept_for_training() -> None:
    copies = np.where(DIFFERENT < 20, 0, DIFFERENT)
    found = hold_out_validation(make_photos(list(range(0, 180))), copies, 0)
    assert set(range(20)) <= set(found.train.tolist())


def test_a_single_positive_is_kept_for_training() -> None:
    found = hold_out_validation(make_photos([0, *range(50, 60)]), DIFFERENT, 0)
    assert 0 in found.train.tolist()
    assert len(found.validation) == 1


def test_too_few_photos_for_validation_are_reported() -> None:
    with pytest.raises(ExplorerError, match=r"too few training photos.*--patience"):
        hold_out_validation(make_photos([0, 50]), DIFFERENT, 0)


def test_rows_are_padded_and_split_again() -> None:
    scores = [torch.arange(10.0), 100 + torch.arange(10.0), 200 + torch.arange(10.0)]
    rows = [torch.tensor([4, 5]), torch.tensor([7, 8, 9]), torch.tensor([1])]
    stacked = GroupRows.stack(rows, scores)
    assert stacked.rows.tolist() == [[4, 5, 4], [7, 8, 9], [1, 1, 1]]
    assert stacked.y_hat.tolist() == [[4, 5, 4], [107, 108, 109], [201, 201, 201]]
    assert stacked.counts == (2, 3, 1)
    kept = stacked.keep([0, 2])
    assert kept.rows.tolist() == [[4, 5], [1, 1]]
    assert kept.y_hat.tolist() == [[4, 5], [201, 201]]
    assert kept.counts == (2, 1)
    assert stacked.keep([]).counts == ()


def test_empty_rows_can_be_stacked() -> None:
    nothing = torch.zeros(0, dtype=torch.int64)
    assert GroupRows.stack([nothing, nothing], [torch.ones(3)] * 2).rows.shape == (2, 0)


def test_padding_has_weight_zero() -> None:
    shares = compute_shares([2, 4], CPU)
    assert shares is not None
    assert shares.tolist() == [[0.5, 0.5, 0, 0], [0.25] * 4]
    assert compute_shares([3, 3], CPU) is None
    photos = GroupRows.stack([torch.arange(2), torch.arange(4)], [torch.ones(9)] * 2)
    assert torch.equal(photos.compute_shares(), shares)
    assert replace(photos, counts=(4, 4)).compute_shares() is None


def test_without_a_least_share_the_order_is_a_plain_shuffle() -> None:
    for share, positives in (
        (0.0, torch.arange(3)),
        (0.3, torch.arange(40)),
        (0.3, torch.arange(0)),
    ):
        expected = torch.randperm(100, generator=torch.Generator().manual_seed(5))
        found = draw_order(100, positives, 16, share, torch.Generator().manual_seed(5))
        assert torch.equal(found, expected)


@pytest.mark.parametrize("count", [100, 96, 97, 106])
def test_each_batch_has_the_least_share_of_positives(count: int) -> None:
    positives = torch.tensor([3, 50, 7, 90])
    order = draw_order(count, positives, 16, 0.3, torch.Generator().manual_seed(1))
    is_own = torch.isin(order, positives)
    for batch in is_own.split(16):
        # 0.3 of 16 is 4.8, so 5; of the last batch with 10, 4 photos or 1 photo, 3, 2 or 1.
        assert int(batch.sum()) == -(-3 * len(batch) // 10)
    assert order[~is_own].unique().numel() == int((~is_own).sum()), "negatives come once at most"
    times = torch.bincount(order)[positives]
    assert int(times.max() - times.min()) <= 1, "positives take turns"


def test_the_order_is_seeded() -> None:
    orders = [
        draw_order(60, torch.arange(4), 16, 0.5, torch.Generator().manual_seed(seed))
        for seed in (0, 0, 1)
    ]
    assert torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], orders[2])
