from dataclasses import replace

import pytest
import torch

from explorer.methods.srae import SraeSettings
from explorer.methods.srae_concepts import SraeConceptsSettings
from explorer.training.modules.group import TrainingGroup
from explorer.training.modules.group_sizes import (
    CPU_BUDGET,
    DEVICE_BUDGET,
    choose_group_size,
    estimate_bytes,
    make_groups,
)
from explorer.training.modules.rows import CategoryPhotos
from explorer.training.modules.settings import TrainingSettings

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
MODULE, TRAINING = SraeSettings(), TrainingSettings()


def make_members(*counts: int) -> list[CategoryPhotos]:
    rows = torch.arange(max(counts))
    return [
        CategoryPhotos(torch.zeros(len(rows)), rows < 1, rows[:count], rows[:1], rows[:0])
        for count in counts
    ]


def test_every_member_is_in_one_group_within_the_given_size() -> None:
    groups = make_groups(make_members(*[30] * 10), 8, 4)
    assert sorted(position for group in groups for position in group) == list(range(10))
    assert sorted(map(len, groups)) == [3, 3, 4], "as even as can be"


def test_members_of_a_group_have_the_same_number_of_batches() -> None:
    groups = make_groups(make_members(16, 17, 15, 24, 9, 25), 8, 10)
    assert groups == [[0, 2, 4], [1, 3], [5]]


def test_without_members_there_are_no_groups() -> None:
    assert make_groups([], 8, 4) == []


def test_members_with_different_numbers_of_batches_are_not_trained_together() -> None:
    with pytest.raises(ValueError, match="same number of batches"):
        TrainingGroup(
            torch.zeros(17, 4), make_members(16, 17), MODULE, replace(TRAINING, batch_size=8)
        )


def test_the_chosen_group_size_fits_the_budget() -> None:
    for device, budget in ((CPU, CPU_BUDGET), (CUDA, DEVICE_BUDGET)):
        for z_size in (64, 512, 4096):
            size = choose_group_size(z_size, MODULE, TRAINING, 8050, device)
            own = estimate_bytes(z_size, MODULE, TRAINING, 8050)
            assert size >= 1
            assert size * own <= budget or size == 1
            assert (size + 1) * own > budget


def test_a_module_beyond_the_budget_is_still_trained() -> None:
    wide = SraeSettings(widths=(20_000, 100))
    assert choose_group_size(4096, wide, TRAINING, 8050, CPU) == 1


def test_the_estimate_covers_weights_gradients_and_adam() -> None:
    # 2 · (100 · 50 + 50 · 5) weights, four copies, four bytes.
    weights = 2 * (100 * 50 + 50 * 5) * 16
    module = SraeSettings(widths=(50,))
    small = replace(TRAINING, batch_size=1, pretrain_epochs=0)
    found = estimate_bytes(100, module, small, 1000)
    assert found > weights
    assert estimate_bytes(100, module, replace(small, patience=3), 1000) >= found + weights / 4
    assert estimate_bytes(100, module, replace(small, pretrain_epochs=1), 1000) > found
    assert estimate_bytes(100, module, replace(small, batch_size=5000), 1000) > found


def test_a_guided_loss_needs_memory_for_maps() -> None:
    guided, plain = SraeConceptsSettings(), SraeSettings()
    maps = 32 * 49 * 4096 * 4
    extra = estimate_bytes(4096, guided, TRAINING, 8050) - estimate_bytes(
        4096, plain, TRAINING, 8050
    )
    assert maps < extra < 2 * maps
