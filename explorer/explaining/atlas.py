"""All x-features of a workspace as records, which the Atlas page lists and files are made of.

Everything comes from stored measures and notes; no network is loaded. The format of the JSON is
documented in ``docs/atlas.md``; a test compares the two.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from explorer.config import ExplorerError
from explorer.data.names import name_categories
from explorer.explaining.naming import merge_names
from explorer.measuring.name_records import FeatureName
from explorer.measuring.records import ModuleMeasures, load_module_measures
from explorer.nn.records import ModuleRecord
from explorer.storage.reading import hash_cached
from explorer.workspace.files import WorkspaceFiles
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.notes import load_notes
from explorer.workspace.notes_file import Note, NotesError

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class AtlasFeature:
    """An x-feature: its names, and what was measured of it on test photos.

    Attributes
    ----------
    x_feature : int
        Counted from 1.
    name : str or None
        A person's own name for it, or else the one that was found.
    own_name, note : str or None
        What a person called it and wrote about it.
    found : FeatureName or None
        The name that was found, with what speaks for it.
    live : bool or None
        Whether it contributes to any photo.
    mean_contribution : float or None
        Mean vₙEₙ on the category's own photos, signed, in the unit of the score.
    auc : float or None
        How well its activation alone tells the category from others, in [0, 1].
    locality : float or None
        In nats; low is local.
    outside : float or None
        Share of all its heat outside the bird's box.
    part_shares : dict or None
        Share of its heat on the bird that lies on each part.
    strongest : tuple of int
        Ids of the photos on which it fires most.
    """

    x_feature: int
    name: str | None
    own_name: str | None
    note: str | None
    found: FeatureName | None = None
    live: bool | None = None
    mean_contribution: float | None = None
    auc: float | None = None
    locality: float | None = None
    outside: float | None = None
    part_shares: dict[str, float] | None = None
    strongest: tuple[int, ...] = ()


@dataclass(frozen=True)
class AtlasModule:
    """A module: its category as in ``classes.txt`` and as shown, its run, and its x-features.

    ``module_sha256`` is the hash of its file, to which names and notes belong.
    """

    category: str
    category_name: str
    run: str
    module_sha256: str
    x_features: tuple[AtlasFeature, ...]


@dataclass(frozen=True)
class Atlas:
    """All x-features of a workspace.

    Attributes
    ----------
    schema_version : int
        Version of this format.
    workspace, classifier_sha256 : str
        Name of the workspace's folder, and the hash of its network.
    part_names : tuple of str
        The parts of the bird.
    modules : tuple of AtlasModule
        In the order of the data set's categories.
    """

    schema_version: int
    workspace: str
    classifier_sha256: str
    part_names: tuple[str, ...]
    modules: tuple[AtlasModule, ...]


def describe_atlas(files: WorkspaceFiles, entries: Iterable[ModuleEntry]) -> Atlas:
    """Describe the x-features of modules; modules and measures that are damaged are left out.

    Parameters
    ----------
    files : WorkspaceFiles
        The workspace.
    entries : iterable of ModuleEntry
        Its modules, or some of them.
    """
    place = {category: n for n, category in enumerate(files.dataset.categories)}
    ordered = sorted(entries, key=lambda entry: place[entry.category])
    names = name_categories(files.dataset.categories)
    described = (_describe_module(files, entry, names[entry.category]) for entry in ordered)
    return Atlas(
        SCHEMA_VERSION,
        files.path.name,
        files.settings.classifier_sha256,
        files.dataset.part_names,
        tuple(module for module in described if module is not None),
    )


def _describe_module(
    files: WorkspaceFiles, entry: ModuleEntry, category_name: str
) -> AtlasModule | None:
    try:
        count = count_x_features(files.load_record(entry))
        sha256 = hash_cached(entry.path)
    except (ExplorerError, OSError):
        return None
    try:
        measures = load_module_measures(files, entry)
    except ExplorerError:
        measures = None
    try:
        notes = load_notes(entry).current
    except NotesError:
        notes = {}
    features = [_name_feature(n, notes.get(n, Note()), measures) for n in range(count)]
    if measures is not None and len(measures.live) == count:
        parts = files.dataset.part_names
        features = [_add_measures(one, n, measures, parts) for n, one in enumerate(features)]
    return AtlasModule(entry.category, category_name, entry.run, sha256, tuple(features))


def count_x_features(record: ModuleRecord) -> int:
    """Return the number of x-features of a module; 0 if its file does not say."""
    count = record.settings.get("x_features")
    return count if isinstance(count, int) else 0


def _name_feature(feature: int, note: Note, measures: ModuleMeasures | None) -> AtlasFeature:
    own = {feature: note.name} if note.name else {}
    return AtlasFeature(
        x_feature=feature + 1,
        name=merge_names(own, measures).get(feature),
        own_name=note.name or None,
        note=note.text or None,
    )


def _add_measures(
    named: AtlasFeature, feature: int, measures: ModuleMeasures, part_names: tuple[str, ...]
) -> AtlasFeature:
    where = measures.locality.test
    firing = measures.firing[feature] if measures.firing else None
    measured = replace(
        named,
        found=measures.names[feature] if measures.names else None,
        live=measures.live[feature],
        mean_contribution=measures.test.mean_contribution[feature] + 0.0,  # turns −0.0 into 0.0
        auc=firing.auc if firing else None,
        strongest=firing.strongest if firing else (),
    )
    if not where.is_defined[feature]:
        return measured
    return replace(
        measured,
        locality=where.locality[feature],
        outside=where.outside[feature],
        part_shares=dict(zip(part_names, where.histogram[feature], strict=True)),
    )
