"""Training and storing the modules of a workspace, many categories at once."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from explorer.config import ExplorerError, Progress
from explorer.data.splits import Split, draw_module_split
from explorer.nn.checkpoint import (
    ModuleRecord,
    load_module_record,
    round_to_half,
    save_module,
)
from explorer.nn.settings import ModuleSettings
from explorer.training.modules.group_sizes import DEVICE_Z_BUDGET, choose_group_size, make_groups
from explorer.training.modules.rows import CategoryPhotos, hold_out_validation
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.trainer import Outcome, count_epochs, train_group
from explorer.workspace.features import Features
from explorer.workspace.layout import ModuleEntry, get_module_entry, name_run

if TYPE_CHECKING:
    from explorer.workspace.workspace import Workspace


class NotTrainedError(ExplorerError):
    """Modules that could not be trained; the message names each category and what kept it.

    Attributes
    ----------
    reasons : dict of str to ExplorerError
        What kept each category from being trained.
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


def train_modules(
    workspace: "Workspace",
    categories: Sequence[str],
    module_settings: ModuleSettings,
    settings: TrainingSettings,
    group_size: int = 0,
) -> Generator[Progress, None, tuple[ModuleEntry, ...]]:
    """Train and store a module for each category; see `Workspace.train_modules`."""
    if group_size < 0:
        raise ExplorerError("The group size must be at least 1, or 0 to let it be chosen.")
    names = tuple(dict.fromkeys(map(workspace.dataset.find_category, categories)))
    features = yield from workspace.compute_features()
    cases, reasons = _prepare_cases(workspace, features, names, settings)
    z = features.share_z(workspace.device, DEVICE_Z_BUDGET)
    most = max((len(case.split.train) for case in cases), default=0)
    size = group_size or choose_group_size(
        z.shape[1], module_settings, settings, most, workspace.device
    )
    epochs = count_epochs(module_settings, settings)
    done, total = 0, epochs * len(cases)
    run = name_run(module_settings, settings)
    entries: dict[str, ModuleEntry] = {}
    for positions in make_groups([case.photos for case in cases], settings.batch_size, size):
        group = [cases[position] for position in positions]
        steps = train_group(z, [case.photos for case in group], module_settings, settings)
        outcomes = yield from _count_modules(steps, len(group), done, total)
        done += epochs * len(group)
        for case, outcome in zip(group, outcomes, strict=True):
            try:
                entries[case.category] = _store(workspace, case, run, outcome, settings)
            except ExplorerError as error:
                reasons[case.category] = error
    stored = tuple(entries[name] for name in names if name in entries)
    if reasons:
        raise NotTrainedError(reasons, stored)
    return stored


@dataclass(frozen=True, eq=False)
class _Case:
    category: str
    split: Split
    photos: CategoryPhotos


def _prepare_cases(
    workspace: "Workspace", features: Features, names: Sequence[str], settings: TrainingSettings
) -> tuple[list[_Case], dict[str, ExplorerError]]:
    """Draw each category's photos; return with them why there are none, by category."""
    cases: list[_Case] = []
    reasons: dict[str, ExplorerError] = {}
    for name in names:
        try:
            split = draw_module_split(workspace.dataset, name, workspace.held_out, settings.seed)
            photos = _select_photos(workspace, features, name, split)
            if settings.patience:
                photos = hold_out_validation(photos, settings.seed)
        except ExplorerError as error:
            reasons[name] = error
        else:
            cases.append(_Case(name, split, photos))
    return cases, reasons


def _select_photos(
    workspace: "Workspace", features: Features, category: str, split: Split
) -> CategoryPhotos:
    positives = [photo.image_id for photo in workspace.dataset.photos_of(category)]
    return CategoryPhotos.from_arrays(
        features.logits[:, workspace.dataset.categories.index(category)],
        np.isin(features.image_ids, positives),
        features.get_rows(split.train),
        features.get_rows(split.test),
        workspace.device,
    )


def _count_modules(
    steps: Generator[Progress, None, tuple[Outcome, ...]], members: int, done: int, total: int
) -> Generator[Progress, None, tuple[Outcome, ...]]:
    """Count a group's epochs for each of its members, and from what was done before it."""
    while True:
        try:
            progress = next(steps)
        except StopIteration as stop:
            outcomes: tuple[Outcome, ...] = stop.value
            return outcomes
        yield replace(progress, done=done + members * progress.done, total=total)


def _store(
    workspace: "Workspace", case: _Case, run: str, outcome: Outcome, settings: TrainingSettings
) -> ModuleEntry:
    """Write a trained module in the place of an earlier one of this name; raise what failed."""
    if isinstance(outcome, ExplorerError):
        raise outcome
    if workspace.settings.half:
        round_to_half(outcome)
    record = ModuleRecord(
        category=case.category,
        z_layer=workspace.backbone.z_layer,
        backbone_sha256=workspace.backbone.sha256,
        settings=asdict(outcome.settings),
        training=settings.describe(),
        split={"train": list(case.split.train), "test": list(case.split.test)},
    )
    entry = get_module_entry(workspace.path, case.category, run)
    workspace.check_module(entry)
    save_module(entry.path, outcome, record, half=workspace.settings.half)
    entry.metrics_path.unlink(missing_ok=True)
    return entry


def find_module(
    workspace: "Workspace",
    category: str,
    module_settings: ModuleSettings,
    settings: TrainingSettings,
) -> ModuleEntry | None:
    """Return the module that training would make, if it is there; see `Workspace.find_module`."""
    run = name_run(module_settings, settings)
    entry = get_module_entry(workspace.path, category, run)
    if not entry.path.exists():
        return None
    backbone = workspace.backbone
    try:
        record = load_module_record(entry.path)
        split = draw_module_split(workspace.dataset, category, workspace.held_out, settings.seed)
    except ExplorerError:  # a file that cannot be read is as good as none
        return None
    is_same = (
        (record.backbone_sha256, record.z_layer) == (backbone.sha256, backbone.z_layer)
        and set(record.split.get("train", ())) == set(split.train)
        and set(record.split.get("test", ())) == set(split.test)
    )
    return entry if is_same else None
