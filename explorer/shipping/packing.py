"""Packing a finished workspace for shipping: small, without photos, and independent of its place.

The packed workspace holds the tables of its data set, the network, its part finder and the modules
in half precision, their measures, Z of all photos (see `explorer.workspace.packed_features`), what
other photos are compared with, and the results of comparisons. Everything that pages show but
photos is computed from these.
"""

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from explorer.config import ExplorerError, Progress, Steps
from explorer.data.cub_files import TABLES
from explorer.measuring.records import (
    load_classifier_measures,
    load_module_measures,
    save_classifier_measures,
    save_module_measures,
)
from explorer.measuring.references import load_or_compute_references, save_references
from explorer.nn.backbones.backbone import Backbone
from explorer.nn.checkpoint import (
    load_backbone,
    load_module,
    round_to_half,
    save_backbone,
    save_module,
)
from explorer.nn.part_finder_file import load_part_finder, save_part_finder
from explorer.nn.records import load_module_record
from explorer.shipping.building import BIRDS_FOLDER
from explorer.storage.listing import list_folder
from explorer.storage.reading import name_packed, read_plain_or_packed, read_regular
from explorer.storage.space import format_size
from explorer.storage.writing import refuse_if_public, stage_folder, write_bytes
from explorer.workspace.files import PAINTED_MARK
from explorer.workspace.layout import (
    CLASSIFIER_FILE,
    FEATURES_FOLDER,
    PARTS_FILE,
    RESULTS_FOLDER,
    ModuleEntry,
    WorkspaceError,
    get_module_entry,
)
from explorer.workspace.packed_features import PACKED_FILE, pack_features
from explorer.workspace.settings import save_settings
from explorer.workspace.workspace import Workspace

MOST_MEGABYTES = 80.0

_STAGE = "Packing modules"
_MAX_RESULT_BYTES = 2**26


def pack_workspace(
    workspace: Workspace, target: Path, *, run: str = "", most_megabytes: float = MOST_MEGABYTES
) -> Steps[Mapping[str, int]]:
    """Pack a workspace into a new folder, which appears only when it is complete.

    Weights that are not in half precision yet are rounded. Measures are kept as they were, since
    rounding hardly changes them.

    Parameters
    ----------
    workspace : Workspace
        With a measured network and measured modules.
    target : Path
        A folder that does not exist or is empty.
    run : str
        Pack only the modules of this run; empty for all modules.
    most_megabytes : float
        Largest size of the result, in units of 10⁶ bytes.

    Yields
    ------
    Progress
        One per module.

    Returns
    -------
    Mapping of str to int
        Size of each file and folder in the result, in bytes, the largest first.

    Raises
    ------
    ExplorerError
        When the target is in use, the workspace is not finished, or the result is too large;
        nothing is left behind then.
    PublicError
        On a public server.
    """
    refuse_if_public()
    if target.exists() and not (target.is_dir() and not list_folder(target)):
        raise ExplorerError(f"{target} exists already. Move it away, or name another folder.")
    entries = [entry for entry in workspace.list_modules() if run in ("", entry.run)]
    _check_finished(workspace, entries, run)
    features = yield from workspace.networks.compute_features()
    with stage_folder(target) as draft:
        _pack_tables(workspace.dataset.root, draft / BIRDS_FOLDER)
        backbone = _pack_network(workspace, draft)
        packed = Workspace(draft)
        file = draft / FEATURES_FOLDER / PACKED_FILE
        pack_features(file, backbone, workspace.dataset.photos, features)
        _pack_part_finder(workspace, packed, backbone)
        for done, entry in enumerate(entries, start=1):
            _pack_module(workspace, entry, packed, backbone)
            yield Progress(_STAGE, done, len(entries))
        references = yield from load_or_compute_references(workspace)
        save_references(packed, references)
        _copy_results(workspace.path, draft)
        sizes = _measure_sizes(draft)
        _check_size(sizes, most_megabytes)
    return sizes


def _check_finished(workspace: Workspace, entries: Sequence[ModuleEntry], run: str) -> None:
    if not entries:
        named = f" of the run {run}" if run else ""
        raise WorkspaceError(f"{workspace.path} has no modules{named}. Train some first.")
    if workspace.dataset.missing:
        raise WorkspaceError(f"Photos are missing in {workspace.dataset.root}. Restore them first.")
    cure = f"Measure everything with `python -m explorer evaluate {workspace.path}` first."
    if load_classifier_measures(workspace) is None:
        raise WorkspaceError(f"The network of {workspace.path} has not been measured. {cure}")
    for entry in entries:
        if load_module_measures(workspace, entry) is None:
            raise WorkspaceError(f"{entry.path} has not been measured. {cure}")


def _pack_tables(root: Path, folder: Path) -> None:
    for name in TABLES:
        packed = gzip.compress(read_plain_or_packed(root / name), mtime=0)
        write_bytes(name_packed(folder / name), packed)
    if (root / PAINTED_MARK).is_file():
        write_bytes(folder / PAINTED_MARK, read_regular(root / PAINTED_MARK))


def _pack_network(workspace: Workspace, draft: Path) -> Backbone:
    """Write the network, its measures and the settings; return the network as it is read again."""
    own, measures = workspace.settings, load_classifier_measures(workspace)
    # Not the one that `workspace` has loaded, since rounding changes it.
    backbone, report = load_backbone(workspace.path / CLASSIFIER_FILE, z_layer=own.z_layer)
    round_to_half(backbone.layers)
    rounded = replace(backbone)
    save_backbone(draft / CLASSIFIER_FILE, rounded, _forget_folders(report), half=True)
    settings = replace(own, dataset=BIRDS_FOLDER, classifier_sha256=rounded.sha256, half=True)
    save_settings(draft, settings)
    if measures is not None:
        changed = replace(measures, classifier_sha256=rounded.sha256)
        save_classifier_measures(Workspace(draft), changed)
    return rounded


def _forget_folders(report: Mapping[str, Any]) -> dict[str, Any]:
    """Keep only the name of the file that training started from."""
    settings = report.get("settings")
    if not isinstance(settings, dict) or "initial" not in settings:
        return dict(report)
    initial = Path(str(settings["initial"])).name
    return {**report, "settings": {**settings, "initial": initial}}


def _pack_part_finder(workspace: Workspace, packed: Workspace, backbone: Backbone) -> None:
    if not (workspace.path / PARTS_FILE).exists():
        return
    # Not the one that `workspace` has loaded, since rounding changes it.
    finder, record = load_part_finder(workspace.path / PARTS_FILE, workspace.networks.backbone)
    round_to_half(finder)
    own = replace(record, backbone_sha256=backbone.sha256)
    save_part_finder(packed.path / PARTS_FILE, finder, own, half=True)


def _pack_module(
    workspace: Workspace, entry: ModuleEntry, packed: Workspace, backbone: Backbone
) -> None:
    module, record = load_module(entry.path, workspace.networks.backbone)
    round_to_half(module)
    target = get_module_entry(packed.path, entry.category, entry.run)
    own = replace(record, backbone_sha256=backbone.sha256)
    save_module(target.path, module, own, half=True, is_compact=True)
    measures = load_module_measures(workspace, entry)
    if measures is not None:
        changed = replace(
            measures,
            classifier_sha256=backbone.sha256,
            weights_sha256=load_module_record(target.path).weights_sha256,
        )
        save_module_measures(target, changed)


def _copy_results(source: Path, draft: Path) -> None:
    for file in list_folder(source / RESULTS_FOLDER):
        if file.suffix != ".csv":
            continue
        write_bytes(draft / RESULTS_FOLDER / file.name, read_regular(file, _MAX_RESULT_BYTES))


def _measure_sizes(folder: Path) -> dict[str, int]:
    sizes = {
        path.name: sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())
        for path in folder.iterdir()
    }
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def _check_size(sizes: Mapping[str, int], most_megabytes: float) -> None:
    total = sum(sizes.values())
    if total > most_megabytes * 1e6:
        parts = ", ".join(f"{name} {format_size(size)}" for name, size in sizes.items())
        raise ExplorerError(
            f"The packed workspace would have {format_size(total)}, more than "
            f"{format_size(round(most_megabytes * 1e6))}: {parts}. Train narrower modules, such as "
            "--widths 24x20, or a smaller network."
        )
