"""The measures of a module and of a classifier: their schema, and how they are kept on disk."""

import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from explorer.analysis.faithfulness import FaithfulnessSummary
from explorer.config import ExplorerError
from explorer.storage.json_records import T, convert_record, read_json, write_json
from explorer.workspace.files import WorkspaceFiles
from explorer.workspace.layout import METRICS_FILE, ModuleEntry, WorkspaceError, check_inside

SCHEMA_VERSION = 1
SIDES = ("train", "test")

Row = tuple[float, ...]


@dataclass(frozen=True)
class SideMeasures:
    """What is measured on one side of a module's split.

    Attributes
    ----------
    faithfulness : FaithfulnessSummary
        Of ȳ to ŷ on all photos of this side.
    positives : FaithfulnessSummary
        The same on the category's own photos.
    mean_contribution : tuple of float
        (K,), mean vₙEₙ on the category's own photos, signed.
    """

    faithfulness: FaithfulnessSummary
    positives: FaithfulnessSummary
    mean_contribution: Row


@dataclass(frozen=True)
class LocalityMeasures:
    """Where x-features look, over a group of the category's own photos.

    Attributes
    ----------
    histogram : tuple
        (K, P), mean share of the heat on each part.
    locality : tuple of float
        (K,), entropy of each row in nats.
    is_defined : tuple of bool
        (K,), False where an x-feature has no heat inside the box on any photo.
    photo_counts, left_out : tuple of int
        (K,), photos with a map, and photos whose map is zero everywhere.
    outside : tuple of float
        (K,), mean share of the heat outside the box.
    mean_locality : float or None
        Mean of `locality` over live x-features with a map; None where there is none.
    """

    histogram: tuple[Row, ...]
    locality: Row
    is_defined: tuple[bool, ...]
    photo_counts: tuple[int, ...]
    left_out: tuple[int, ...]
    outside: Row
    mean_locality: float | None

    def __post_init__(self) -> None:
        _check_lengths(len(self.locality), self)
        if len({len(row) for row in self.histogram}) > 1:
            raise ValueError("the rows of 'histogram' differ in length")


@dataclass(frozen=True)
class LocalityBySide:
    """Locality over all of the category's own photos, and over those of each side."""

    all: LocalityMeasures
    train: LocalityMeasures
    test: LocalityMeasures


@dataclass(frozen=True)
class ModuleMeasures:
    """Contents of a module's ``metrics.json``.

    Attributes
    ----------
    classifier_sha256, weights_sha256 : str
        Of the classifier and of the module that were measured; the second is empty in older files.
    stop : str
        Layer at whose output maps were taken.
    train, test : SideMeasures
        Of the two sides of the module's split.
    live : tuple of bool
        (K,), x-features with a contribution on at least one photo.
    locality : LocalityBySide
        On the category's own photos.
    schema_version : int
        Version of this format.
    """

    classifier_sha256: str
    stop: str
    train: SideMeasures
    test: SideMeasures
    live: tuple[bool, ...]
    locality: LocalityBySide
    weights_sha256: str = ""
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        count = len(self.live)
        groups = (self.locality.all, self.locality.train, self.locality.test)
        counts = {len(side.mean_contribution) for side in (self.train, self.test)}
        counts |= {len(group.locality) for group in groups}
        if not count or counts != {count}:
            raise ValueError("its numbers of x-features differ")


@dataclass(frozen=True)
class ClassifierMeasures:
    """Contents of a workspace's ``metrics.json``.

    Attributes
    ----------
    classifier_sha256 : str
        Of the classifier that was measured.
    train_accuracy, test_accuracy : float or None
        Top-1, in [0, 1], on photos that it was and was not trained on; None without such photos.
    category_accuracies : tuple of (float or None)
        (C,), top-1 on each category's own held-out photos, in the order of the data set.
    test_photos : int
        How many are held out.
    """

    classifier_sha256: str
    train_accuracy: float | None
    test_accuracy: float | None
    category_accuracies: tuple[float | None, ...] = ()
    test_photos: int = 0


def _check_lengths(count: int, measures: LocalityMeasures) -> None:
    for name, values in vars(measures).items():
        if isinstance(values, tuple) and len(values) != count:
            raise ValueError(f"{name!r} does not have a value for each x-feature")


def save_module_measures(entry: ModuleEntry, measures: ModuleMeasures) -> None:
    """Write a module's measures beside it."""
    write_json(entry.metrics_path, asdict(measures))


def load_module_measures(files: WorkspaceFiles, entry: ModuleEntry) -> ModuleMeasures | None:
    """Read a module's measures; None where these very weights have not been measured.

    Measures may outlive their module, because it was trained again while they were taken or a
    process was killed between the two; then they say nothing of its successor.

    Raises
    ------
    WorkspaceError
        When the file is damaged.
    """
    measures = _load(files, entry.metrics_path, ModuleMeasures, "the module")
    if measures is None or not _are_of_its_weights(files, entry, measures):
        return None
    return measures


def save_classifier_measures(files: WorkspaceFiles, measures: ClassifierMeasures) -> None:
    """Write the classifier's measures into the workspace."""
    write_json(files.path / METRICS_FILE, asdict(measures))


def load_classifier_measures(files: WorkspaceFiles) -> ClassifierMeasures | None:
    """Read the classifier's measures; None where this very classifier has not been measured.

    Raises
    ------
    WorkspaceError
        When the file is damaged.
    """
    file = files.path / METRICS_FILE
    what = "the network"
    measures = _load(files, file, ClassifierMeasures, what)
    if measures is None:
        return None
    count = len(files.dataset.categories)
    accuracies = measures.category_accuracies or (None,) * count  # older files have none
    if len(accuracies) != count:
        reason = "'category_accuracies' does not have a number for each category"
        raise _explain_damage(files, file, reason, what)
    return replace(measures, category_accuracies=accuracies)


def _load(files: WorkspaceFiles, file: Path, kind: type[T], what: str) -> T | None:
    """Read measures of the classifier that the workspace has now; None where there are none."""
    check_inside(files.path, file)
    if not os.path.lexists(file):
        return None
    content = read_json(file)
    if content.get("classifier_sha256") != files.settings.classifier_sha256:
        return None
    try:
        return convert_record(content, kind)
    except ValueError as error:
        raise _explain_damage(files, file, str(error), what) from error


def _explain_damage(files: WorkspaceFiles, file: Path, reason: str, what: str) -> WorkspaceError:
    return WorkspaceError(
        f"{file} is damaged: {reason}. Measure {what} again with "
        f"`python -m explorer evaluate {files.path}`."
    )


def _are_of_its_weights(
    files: WorkspaceFiles, entry: ModuleEntry, measures: ModuleMeasures
) -> bool:
    try:
        record = files.load_record(entry)
    except ExplorerError:  # reported where the module itself is opened
        return True
    return measures.weights_sha256 == record.weights_sha256
