"""Records of the measures of modules and classifiers, and their files."""

import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from explorer.analysis.faithfulness import FaithfulnessSummary
from explorer.config import ExplorerError
from explorer.measuring.name_records import FeatureHeat, FeatureName
from explorer.storage.json_records import T, convert_record, read_json, write_json
from explorer.workspace.files import WorkspaceFiles
from explorer.workspace.layout import METRICS_FILE, ModuleEntry, WorkspaceError, check_inside

SCHEMA_VERSION = 1
SIDES = ("train", "test")
_MOST = 0.5

Row = tuple[float, ...]


@dataclass(frozen=True)
class SideMeasures:
    """Measures on one side of a module's split.

    Attributes
    ----------
    faithfulness : FaithfulnessSummary
        Of ȳ on all photos of this side.
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
    """Locality of x-features over a group of the category's own photos.

    Attributes
    ----------
    histogram : tuple
        (K, P), mean share of the map on each part.
    locality : tuple of float
        (K,), entropy of each row in nats.
    is_defined : tuple of bool
        (K,), False if the map of an x-feature is zero inside the box on every photo.
    photo_counts, left_out : tuple of int
        (K,), number of photos with a map, and of photos whose map is zero everywhere.
    outside : tuple of float
        (K,), mean share of the map outside the box.
    mean_locality : float or None
        Mean of `locality` over live x-features with a map; None if there are none.
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
class OwnLocality:
    """Locality over the category's own photos for testing; earlier files have other groups, too."""

    test: LocalityMeasures


@dataclass(frozen=True)
class ConceptMeasures:
    """Whether x-features are different concepts, on a group of the category's own photos.

    Attributes
    ----------
    effective_number, top_share : float or None
        See `explorer.analysis.concepts`; None if no x-feature contributes to any photo.
    overlap : float or None
        Mean overlap of maps over photos and pairs; None without a pair.
    weighted_locality : float or None
        Locality in nats, weighted by contributions; None if no weight is defined.
    silent_photos : int
        Number of photos left out because no x-feature contributes.
    pairs : int
        Number of pairs of maps in the mean of `overlap`.
    zero_maps : int
        Number of maps left out of these pairs because they are zero everywhere.
    """

    effective_number: float | None
    top_share: float | None
    overlap: float | None
    weighted_locality: float | None
    silent_photos: int
    pairs: int
    zero_maps: int

    @property
    def is_dominated(self) -> bool:
        """Whether a single x-feature carries most of the score."""
        return self.top_share is not None and self.top_share > _MOST


@dataclass(frozen=True)
class FiringMeasures:
    """On which photos an x-feature fires, of those on the test side of the split.

    Attributes
    ----------
    auc : float or None
        How well its activation tells the category, in [0, 1]; see
        `explorer.analysis.activation.compute_auc`.
    strongest : tuple of int
        Ids of the photos of any category with the highest activation, the highest first; fewer if
        it fires on fewer.
    """

    auc: float | None
    strongest: tuple[int, ...]


@dataclass(frozen=True)
class ModuleMeasures:
    """Contents of a module's ``metrics.json``.

    Attributes
    ----------
    classifier_sha256, weights_sha256 : str
        Hashes of the measured classifier and module; the second is empty in older files.
    stop : str
        Layer at whose output the maps were taken.
    train, test : SideMeasures
        Measures on the two sides of the module's split.
    live : tuple of bool
        (K,), x-features with a contribution on at least one photo.
    locality : OwnLocality
        Locality on the category's own photos.
    concepts : ConceptMeasures or None
        Whether x-features are different concepts, on the category's own test photos; None in older
        files.
    names : tuple of FeatureName
        (K,), what each x-feature stands for; empty in older files.
    heats : tuple of (FeatureHeat or None)
        (K,), where the heat of each x-feature lies on the photos that name it, from which names can
        be found again; None for one that never contributes. Empty in older files.
    firing : tuple of FiringMeasures
        (K,), where each x-feature fires; empty in older files.
    schema_version : int
        Version of this format.
    """

    classifier_sha256: str
    stop: str
    train: SideMeasures
    test: SideMeasures
    live: tuple[bool, ...]
    locality: OwnLocality
    weights_sha256: str = ""
    concepts: ConceptMeasures | None = None
    names: tuple[FeatureName, ...] = ()
    heats: tuple[FeatureHeat | None, ...] = ()
    firing: tuple[FiringMeasures, ...] = ()
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        count = len(self.live)
        counts = {len(side.mean_contribution) for side in (self.train, self.test)}
        counts.add(len(self.locality.test.locality))
        counts |= {len(values) for values in (self.names, self.heats, self.firing) if values}
        if not count or counts != {count}:
            raise ValueError("its numbers of x-features differ")


@dataclass(frozen=True)
class ClassifierMeasures:
    """Contents of a workspace's ``metrics.json``.

    Attributes
    ----------
    classifier_sha256 : str
        Hash of the measured classifier.
    train_accuracy, test_accuracy : float or None
        Top-1, in [0, 1], on training photos and on held-out photos; None without such photos.
    category_accuracies : tuple of (float or None)
        (C,), top-1 on each category's own held-out photos, in the order of the data set.
    test_photos : int
        Number of held-out photos.
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
    """Write the measures of a module to its folder."""
    write_json(entry.metrics_path, asdict(measures))


def load_module_measures(files: WorkspaceFiles, entry: ModuleEntry) -> ModuleMeasures | None:
    """Read the measures of a module; None if the current weights have not been measured.

    The file may belong to earlier weights, if the module was trained again while it was measured,
    or a process was killed before it could remove the file.

    Raises
    ------
    FileError
        When the file cannot be read or is not a JSON object.
    WorkspaceError
        When its contents are damaged, or it is a link out of the workspace.
    """
    measures = _load(files, entry.metrics_path, ModuleMeasures, "the module")
    if measures is None or not _match_weights(files, entry, measures):
        return None
    return measures


def save_classifier_measures(files: WorkspaceFiles, measures: ClassifierMeasures) -> None:
    """Write the measures of the classifier to the workspace."""
    write_json(files.path / METRICS_FILE, asdict(measures))


def load_classifier_measures(files: WorkspaceFiles) -> ClassifierMeasures | None:
    """Read the measures of the classifier; None if the current one has not been measured.

    Raises
    ------
    FileError
        When the file cannot be read or is not a JSON object.
    WorkspaceError
        When its contents are damaged, or it is a link out of the workspace.
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
        raise make_damage_error(files, file, reason, what)
    return replace(measures, category_accuracies=accuracies)


def _load(files: WorkspaceFiles, file: Path, kind: type[T], what: str) -> T | None:
    """Read measures for the current classifier; None if there are none."""
    check_inside(files.path, file)
    if not os.path.lexists(file):
        return None
    content = read_json(file)
    if content.get("classifier_sha256") != files.settings.classifier_sha256:
        return None
    try:
        return convert_record(content, kind)
    except ValueError as error:
        raise make_damage_error(files, file, str(error), what) from error


def make_damage_error(files: WorkspaceFiles, file: Path, reason: str, what: str) -> WorkspaceError:
    """Make an error that says what is wrong with a file of measures, and how to mend it."""
    return WorkspaceError(
        f"{file} is damaged: {reason}. Measure {what} again with "
        f"`python -m explorer evaluate {files.path}`."
    )


def _match_weights(files: WorkspaceFiles, entry: ModuleEntry, measures: ModuleMeasures) -> bool:
    try:
        record = files.load_record(entry)
    except ExplorerError:  # reported when the module is loaded
        return True
    return measures.weights_sha256 == record.weights_sha256
