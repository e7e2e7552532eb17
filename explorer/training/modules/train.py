"""Training and storing the modules of a workspace, for many categories at once."""

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
from explorer.training.modules.own_photos import load_own_photos
from explorer.training.modules.rows import CategoryPhotos, hold_out_validation
from explorer.training.modules.runs import list_run_names, name_run
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.trainer import Outcome, count_epochs, train_group
from explorer.workspace.features import Features
from explorer.workspace.layout import ModuleEntry, get_module_entry
from explorer.workspace.workspace import Workspace


class NotTrainedError(ExplorerError):
    """Some modules could not be trained; the message names each category and the reason.

    Attributes
    ----------
    reasons : dict of str to ExplorerError
        The reason for each category.
    trained : tuple of ModuleEntry
        The modules of the same call that were trained and stored.
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
    """Train and store a module for `category`, replacing an earlier run of the same name."""
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

    Modules are stored as soon as the group that they are trained in is finished.

    Parameters
    ----------
    workspace : Workspace
        A workspace with a classifier.
    categories : sequence of str
        See `CubDataset.find_category`.
    module, training
        Settings of the modules and of the training, the same for all.
    group_size : int
        Maximum number of modules to train at once; 0 chooses it by memory (see
        `explorer.training.modules.group_sizes`). Apart from rounding, the modules do not depend on
        it.

    Yields
    ------
    Progress
        With the epochs of all modules; see `explorer.training.modules.trainer.train_group`.

    Raises
    ------
    ExplorerError
        When a category is unknown or the group size negative; nothing is trained then.
    NotTrainedError
        At the end, if some modules could not be trained.
    PublicError
        On a public server.
    """
    refuse_if_public()
    if group_size < 0:
        raise ExplorerError("The group size must be at least 1, or 0 to choose it automatically.")
    names = tuple(dict.fromkeys(map(workspace.dataset.find_category, categories)))
    features = yield from workspace.networks.compute_features()
    cases, reasons = _prepare_cases(workspace, features, names, training)
    device = workspace.networks.device
    z = share_z(features, device, DEVICE_Z_BUDGET)
    photos = max((len(case.split.train) for case in cases), default=0)
    size = group_size or choose_group_size(z.shape[1], module, training, photos, device)
    done, total = 0, sum(count_epochs(module, case.training) for case in cases)
    entries: dict[str, ModuleEntry] = {}
    for positions in make_groups([case.photos for case in cases], training.batch_size, size):
        group = [cases[position] for position in positions]
        own = group[0].training  # they have the same number of batches
        members = [case.photos for case in group]
        if module.is_guided:
            members = yield from _add_own_photos(workspace, features, group, module.x_features)
        steps = train_group(z, members, module, own)
        outcomes = yield from map_steps(steps, partial(_count_all_epochs, len(group), done, total))
        done += count_epochs(module, own) * len(group)
        for case, outcome in zip(group, outcomes, strict=True):
            try:
                entries[case.category] = _store(workspace, case, outcome, module, training)
            except ExplorerError as error:
                reasons[case.category] = error
    stored = tuple(entries[name] for name in names if name in entries)
    if reasons:
        raise NotTrainedError(reasons, stored)
    return stored


def share_z(features: Features, device: torch.device, max_bytes: int) -> Tensor:
    """Return Z of all photos, (M, S_z), as a tensor that modules share in training; read-only.

    Parameters
    ----------
    features : Features
        Features of all photos.
    device : torch.device
        Device of the training. On a CPU, rows are read from the memory-mapped file, whose pages the
        system can drop from memory at any time.
    max_bytes : int
        Maximum size of a copy on another device. A larger Z is read from the file, as a tensor on
        the CPU.
    """
    z = features.z
    if device.type != "cpu" and z.nbytes <= max_bytes:
        return torch.from_numpy(np.array(z)).to(device)
    if not isinstance(z, np.memmap) or z.filename is None:
        return torch.from_numpy(np.array(z))
    # PyTorch has no read-only tensors. In mode "c", changes would not be written to the file.
    return torch.from_numpy(np.memmap(z.filename, z.dtype, "c", z.offset, z.shape))


@dataclass(frozen=True, eq=False)
class _Case:
    category: str
    split: Split
    photos: CategoryPhotos
    training: TrainingSettings


def _prepare_cases(
    workspace: Workspace, features: Features, names: Sequence[str], training: TrainingSettings
) -> tuple[list[_Case], dict[str, ExplorerError]]:
    """Choose the photos of each category; return the cases, and the reasons for missing ones."""
    cases: list[_Case] = []
    reasons: dict[str, ExplorerError] = {}
    contents = workspace.dataset.label_contents(features.image_ids.tolist())
    for name in names:
        try:
            split = draw_module_split(workspace.dataset, name, workspace.held_out, training.seed)
            photos = _select_photos(workspace, features, name, split)
            if training.patience:
                photos = hold_out_validation(photos, contents, training.seed)
        except ExplorerError as error:
            reasons[name] = error
        else:
            cases.append(_Case(name, split, photos, training.shorten(len(photos.train))))
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


def _add_own_photos(
    workspace: Workspace, features: Features, cases: Sequence[_Case], x_features: int
) -> Steps[list[CategoryPhotos]]:
    found = []
    for case in cases:
        load = load_own_photos(workspace, features, case.category, case.photos, x_features)
        found.append(replace(case.photos, own=(yield from load)))
    return found


def _count_all_epochs(members: int, done: int, total: int, progress: Progress) -> Progress:
    """Count the epochs of a group for each of its members, after those of earlier groups."""
    return replace(progress, done=done + members * progress.done, total=total)


def _store(
    workspace: Workspace,
    case: _Case,
    outcome: Outcome,
    module: ModuleSettings,
    training: TrainingSettings,
) -> ModuleEntry:
    """Store a trained module, replacing an earlier one; raise the error of a failed one."""
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
    """Return the module that `train_modules` would train, if it exists.

    Modules of another network or another split, and damaged ones, do not count.
    """
    for run in list_run_names(module, training):
        entry = get_module_entry(workspace.path, category, run)
        if entry.path.exists() and _is_current(workspace, entry, module, training.seed):
            return entry
    return None


def _is_current(
    workspace: Workspace, entry: ModuleEntry, module: ModuleSettings, seed: int
) -> bool:
    backbone = workspace.networks.backbone
    try:
        record = load_module_record(entry.path)
        split = draw_module_split(workspace.dataset, entry.category, workspace.held_out, seed)
    except ExplorerError:  # damaged, so it does not count
        return False
    return (
        (record.backbone_sha256, record.z_layer) == (backbone.sha256, backbone.z_layer)
        and record.settings.get("has_base", False) == module.has_base
        and set(record.split.get("train", ())) == set(split.train)
        and set(record.split.get("test", ())) == set(split.test)
    )
