"""Dividing modules into groups that are trained together, within a memory budget."""

from collections.abc import Sequence
from itertools import pairwise

import torch

from explorer.nn.losses import ModuleSettings
from explorer.nn.settings import scale_widths
from explorer.training.modules.group import CHUNK_ROWS, count_batches
from explorer.training.modules.rows import CategoryPhotos
from explorer.training.modules.settings import TrainingSettings

# Memory of a group besides the shared Z, in bytes. On a CPU, larger groups than fit its caches are
# not faster. The budget is fixed, not the free memory, so that a machine always forms the same
# groups.
CPU_BUDGET = 256 * 2**20
DEVICE_BUDGET = 4 * 2**30
# Memory for a copy of Z on a GPU, in bytes, which saves copying every batch. 4 GiB are 262,144
# photos of VGG19. A larger Z is read from the file.
DEVICE_Z_BUDGET = 4 * 2**30
_FLOAT_BYTES = 4
_COPIES_OF_WEIGHTS = 4  # weights, gradients, and the two moments of Adam
_COPIES_OF_BATCH = 12  # before and after every ReLU, errors, and gradients
_VALUES_OF_GUIDE = 2_500  # for each dimension of Z: 32 maps of 49 to 64 cells, and heat on them
_COPIES_OF_HIDDEN = 4  # of the first hidden layer on all photos, to pretrain further layers


def estimate_bytes(
    z_size: int, module_settings: ModuleSettings, settings: TrainingSettings, photos: int
) -> int:
    """Estimate the memory for training one module besides Z, in bytes.

    Parameters
    ----------
    z_size : int
        Dimensions of Z.
    module_settings, settings
        Settings of the module and of the training.
    photos : int
        Number of training photos, including those for validation.
    """
    widths = scale_widths(module_settings, z_size).widths
    sizes = [z_size, *widths, module_settings.x_features]
    weights = 2 * sum(inputs * outputs for inputs, outputs in pairwise(sizes))
    copies = _COPIES_OF_WEIGHTS + bool(settings.patience)
    step = max(settings.batch_size, photos // 10 if settings.patience else 0)
    survey = CHUNK_ROWS * (z_size + 2 * widths[0])
    pretraining = _COPIES_OF_HIDDEN * photos * widths[0] if settings.pretrain_epochs else 0
    values = max(_COPIES_OF_BATCH * step * sum(sizes), survey) + pretraining
    guide = _VALUES_OF_GUIDE * z_size if module_settings.is_guided else 0
    return _FLOAT_BYTES * (copies * weights + values + guide)


def choose_group_size(
    z_size: int,
    module_settings: ModuleSettings,
    settings: TrainingSettings,
    photos: int,
    device: torch.device,
) -> int:
    """Choose how many modules to train together: as many as fit the memory budget of `device`."""
    budget = CPU_BUDGET if device.type == "cpu" else DEVICE_BUDGET
    return max(1, budget // estimate_bytes(z_size, module_settings, settings, photos))


def make_groups(
    members: Sequence[CategoryPhotos], batch_size: int, group_size: int
) -> list[list[int]]:
    """Divide members into groups of at most `group_size`, as evenly as possible.

    The members of a group have the same number of batches, so that each takes the same steps with
    the same schedule as if it were trained alone.

    Returns
    -------
    list of list of int
        Positions among the `members`; each occurs once.
    """
    by_batches: dict[int, list[int]] = {}
    for position, photos in enumerate(members):
        by_batches.setdefault(count_batches(photos, batch_size), []).append(position)
    return [
        group
        for alike in by_batches.values()
        for group in _divide(alike, -(-len(alike) // group_size))
    ]


def _divide(positions: list[int], parts: int) -> list[list[int]]:
    bounds = [round(len(positions) * part / parts) for part in range(parts + 1)]
    return [positions[start:stop] for start, stop in pairwise(bounds)]
