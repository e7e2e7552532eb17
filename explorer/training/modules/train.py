"""Training and storing the modules of a workspace, many categories at once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from explorer.config import ExplorerError, Progress, Steps, map_steps
from explorer.data.splits import Split, draw_module_split
from explorer.nn.checkpoint import round_to_half, save_module
from explorer.nn.losses import ModuleSettings
from explorer.nn.records import ModuleRecord, load_module_record
from explorer.nn.settings import scale_widths
from explorer.storage.writing import refuse_if_public, remove
from explorer.training.modules.group_sizes import DEVICE_Z_BUDGET, choose_group_size, make_groups
from explorer.training.modules.rows import CategoryPhotos, hold_out_validation
from explorer.training.modules.runs import list_names_of_run, name_run
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.trainer import Outcome, count_epochs, train_group
from explorer.workspace.features import Features
from explorer.workspace.layout import ModuleEntry, get_module_entry
from explorer.workspace.workspace import Workspace


class NotTrainedError(ExplorerError):
    """Modules that could not be trained; the message names each category and the reason.

    Attributes
    ----------
    reasons : dict of str to ExplorerError
        Why each category could not be trained.
    trained : tuple of ModuleEntry
        The others of the same call, which are stored.
    """

    def __init__(
        self, reasons: Mapping[str, ExplorerError], trained: Iterable[ModuleEntry]
    ) -> None:
        lines = [f"{category}: {error}" for category, error in reasons.items()]
        super().__init__("Not trained:\n" + "\n".join(lines))
        self.reasons = dict(reasons)
        self.trained = tuple(trained)


def train_module(
    workspace: Workspace, category: str, module: ModuleSettings, training: TrainingSettings
) -> Steps[ModuleEntry]:
    """Train and store a module for `category`; an earlier run of the same name is replaced."""
    (entry,) = yield from train_modules(workspace, [category], module, training)
    return entry


def train_modules(
    workspace: Workspace,
    categories: Sequence[str],
    module: ModuleSettings,
    training: TrainingSettings,
    *,
    group_size: int = 0,
) -> Steps[tuple[ModuleEntry, ...]]:
    """Train and store a module for each category, many at once, replacing earlier runs.

    Each is stored as soon as the group in which it is trained is finished.

    Parameters
    ----------
    workspace : Workspace
        With a classifier.
    categories : sequence of str
        See `CubDataset.find_category`.
    module, training
        The same for all.
    group_size : int
        Most modules to train at once; 0 chooses by the memory they take (see
        `explorer.training.modules.group_sizes`). It changes a module by the rounding of sums
        alone.

    Yields
    ------
    Progress
        Counts the epochs of all modules; see `explorer.training.modules.trainer.train_group`.

    Raises
    ------
    ExplorerError
        Before anything is trained, where a category is unknown or the size negative.
    NotTrainedError
        At the end, where some could not be trained; it names them, and holds the others.
    PublicError
        On a public server.
    """
    refuse_if_public()
    if group_size < 0:
        raise ExplorerError("The group size must be at least 1, or 0 to let it be chosen.")
    names = tuple(dict.fromkeys(map(workspace.dataset.find_category, categories)))
    features = yield from workspace.networks.compute_features()
    cases, reasons = _prepare_cases(workspace, features, names, training)
    device = workspace.networks.device
    z = share_z(features, device, DEVICE_Z_BUDGET)
    most = max((len(case.split.train) for case in cases), default=0)
    size = group_size or choose_group_size(z.shape[1], module, training, most, device)
    epochs = count_epochs(module, training)
    done, total = 0, epochs * len(cases)
    entries: dict[str, ModuleEntry] = {}
    for positions in make_groups([case.photos for case in cases], training.batch_size, size):
        group = [cases[position] for position in positions]
        steps = train_group(z, [case.photos for case in group], module, training)
        outcomes = yield from map_steps(steps, partial(_count_modules, len(group), done, total))
        done += epochs * len(group)
        for case, outcome in zip(group, outcomes, strict=True):
            try:
                entries[case.category] = _store(workspace, case, outcome, module, training)
            except ExplorerError as error:
                reasons[case.category] = error
    stored = tuple(entries[name] for name in names if name in entries)
    if reasons:
        raise NotTrainedError(reasons, stored)
    return stored


def share_z(features: Features, device: torch.device, most_bytes: int) -> Tensor:
    """Give Z of all photos, (M, S_z), to modules that share it in training. Not to be changed.

    Parameters
    ----------
    features : Features
        Of all photos.
    device : torch.device
        Where modules are trained. A processor takes the rows of its batches from the file itself,
        which is mapped into memory: pages that the system can drop again at any time.
    most_bytes : int
        Another device gets a copy of at most so much. What is larger stays in the file as well, a
        tensor on the CPU.
    """
    z = features.z
    if device.type != "cpu" and z.nbytes <= most_bytes:
        return torch.from_numpy(np.array(z)).to(device)
    if not isinstance(z, np.memmap) or z.filename is None:
        return torch.from_numpy(np.array(z))
    # PyTorch has no read-only tensors. With "c", what were written would not reach the file.
    return torch.from_numpy(np.memmap(z.filename, z.dtype, "c", z.offset, z.shape))


@dataclass(frozen=True, eq=False)
class _Case:
    category: str
    split: Split
    photos: CategoryPhotos


def _prepare_cases(
    workspace: Workspace, features: Features, names: Sequence[str], training: TrainingSettings
) -> tuple[list[_Case], dict[str, ExplorerError]]:
    """Draw each category's photos; return with them why there are none, by category."""
    cases: list[_Case] = []
    reasons: dict[str, ExplorerError] = {}
    for name in names:
        try:
            split = draw_module_split(workspace.dataset, name, workspace.held_out, training.seed)
            photos = _select_photos(workspace, features, name, split)
            if training.patience:
                photos = hold_out_validation(photos, training.seed)
        except ExplorerError as error:
            reasons[name] = error
        else:
            cases.append(_Case(name, split, photos))
    return cases, reasons


def _select_photos(
    workspace: Workspace, features: Features, category: str, split: Split
) -> CategoryPhotos:
    positives = [photo.image_id for photo in workspace.dataset.photos_of(category)]
    return CategoryPhotos.from_arrays(
        features.logits[:, workspace.dataset.categories.index(category)],
        np.isin(features.image_ids, positives),
        features.get_rows(split.train),
        features.get_rows(split.test),
        workspace.networks.device,
    )


def _count_modules(members: int, done: int, total: int, progress: Progress) -> Progress:
    """Count a group's epochs for each of its members, after what was done before it."""
    return replace(progress, done=done + members * progress.done, total=total)


def _store(
    workspace: Workspace,
    case: _Case,
    outcome: Outcome,
    module: ModuleSettings,
    training: TrainingSettings,
) -> ModuleEntry:
    """Write a trained module in place of an earlier one of this name; raise what failed."""
    if isinstance(outcome, ExplorerError):
        raise outcome
    half, backbone = workspace.settings.half, workspace.networks.backbone
    if half:
        round_to_half(outcome)
    record = ModuleRecord(
        category=case.category,
        z_layer=backbone.z_layer,
        backbone_sha256=backbone.sha256,
        settings=scale_widths(module, backbone.z_size).describe(),
        training=training.describe(),
        split={"train": list(case.split.train), "test": list(case.split.test)},
    )
    entry = get_module_entry(workspace.path, case.category, name_run(module, training))
    workspace.check_module(entry)
    save_module(entry.path, outcome, record, half=half)
    remove(entry.metrics_path)
    return entry


def find_module(
    workspace: Workspace, category: str, module: ModuleSettings, training: TrainingSettings
) -> ModuleEntry | None:
    """Return the module that `train_modules` would make, if it is there already.

    One of another network, of another split, or in a file that cannot be read, is not it.
    """
    for run in list_names_of_run(module, training):
        entry = get_module_entry(workspace.path, category, run)
        if entry.path.exists() and _is_current(workspace, entry, training.seed):
            return entry
    return None


def _is_current(workspace: Workspace, entry: ModuleEntry, seed: int) -> bool:
    backbone = workspace.networks.backbone
    try:
        record = load_module_record(entry.path)
        split = draw_module_split(workspace.dataset, entry.category, workspace.held_out, seed)
    except ExplorerError:  # a file that cannot be read is as good as none
        return False
    return (
        (record.backbone_sha256, record.z_layer) == (backbone.sha256, backbone.z_layer)
        and set(record.split.get("train", ())) == set(split.train)
        and set(record.split.get("test", ())) == set(split.test)
    )
