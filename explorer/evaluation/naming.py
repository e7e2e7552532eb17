"""Whether the names of x-features hold, on test photos and on birds that are painted again."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.naming import HAS_SHARE
from explorer.config import Progress, Steps
from explorer.data.attributes import AttributeTable, load_attributes
from explorer.data.painted.traits import TRAIT_PARTS
from explorer.data.painted.truth import PaintedTruth, load_truth
from explorer.data.photo import Photo
from explorer.measuring.name_records import FeatureName
from explorer.measuring.namer import group_parts
from explorer.measuring.parts import load_parts
from explorer.measuring.records import ModuleMeasures, load_module_measures
from explorer.measuring.scores import score_photos
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

_REPAINTED = 5  # test photos of each category


class Telling(NamedTuple):
    """How often the name of what contributes most tells a photo's species from its rival.

    A name tells if at least half of the species has the attribute and less than half of the rival,
    the other species to which the network gives the highest score.

    Attributes
    ----------
    photos : float
        Test photos.
    named : float
        Those on which the x-feature with the highest contribution is named by an attribute. All
        figures below are counted on these alone.
    telling : float
        Photos on which that name tells.
    chance, own_chance : float
        Expected number for an attribute drawn at random from all, and from those of the species.
    by_heat : float
        Photos on which the commonest attribute of the part with the most heat of ExcitationBP
        tells.
    """

    photos: float = 0
    named: float = 0
    telling: float = 0
    chance: float = 0
    own_chance: float = 0
    by_heat: float = 0


class Causing(NamedTuple):
    """How often the name of an x-feature of painted birds is the mark that causes it.

    The cause is the trait whose change alone lowers the contribution most.

    Attributes
    ----------
    named : float
        X-features that are named by an attribute and add to the score.
    right, chance : float
        Those that are named by a value of the trait that is the cause, and the number by chance.
    right_part, part_chance : float
        The same for the part: the name and the cause share one.
    """

    named: float = 0
    right: float = 0
    chance: float = 0
    right_part: float = 0
    part_chance: float = 0


def check_names(workspace: Workspace) -> Steps[tuple[Telling, Causing]]:
    """Check the names of all measured modules of a workspace.

    Returns
    -------
    Telling, Causing
        Sums over modules; zero without a table of attributes, and `Causing` unless birds are
        painted.

    Raises
    ------
    ExplorerError
        When there are no photos, or a file is damaged.
    """
    workspace.require_photos()
    table, truth = load_attributes(workspace.dataset), load_truth(workspace.dataset.root)
    named = list_named(workspace)
    telling, causing = [Telling()], [Causing()]
    for done, (entry, measures) in enumerate(named, start=1):
        if table is not None:
            telling.append((yield from _check_telling(workspace, entry, measures, table)))
        if table is not None and truth is not None:
            causing.append(_check_causing(workspace, entry, measures.names, table, truth))
        yield Progress("Checking names", done, len(named))
    return Telling(*np.sum(telling, axis=0).tolist()), Causing(*np.sum(causing, axis=0).tolist())


def list_named(workspace: Workspace) -> list[tuple[ModuleEntry, ModuleMeasures]]:
    """List the modules whose x-features have been named, with their measures."""
    pairs = [(entry, load_module_measures(workspace, entry)) for entry in workspace.list_modules()]
    return [(entry, found) for entry, found in pairs if found is not None and found.names]


def _check_telling(
    workspace: Workspace, entry: ModuleEntry, measures: ModuleMeasures, table: AttributeTable
) -> Steps[Telling]:
    features = yield from workspace.networks.compute_features()
    scores = score_photos(workspace, entry, features)
    test = workspace.load_record(entry).split["test"]
    rows = np.flatnonzero(scores.is_positive & np.isin(scores.image_ids, test))
    own = workspace.dataset.categories.index(entry.category)
    has = table.shares >= HAS_SHARE
    is_local = np.array([bool(parts) for parts in table.parts])
    telling = Telling(photos=len(rows))
    for row in rows.tolist():
        name = measures.names[int(np.argmax(scores.contributions[row]))]
        if not _is_listed(name, table) or scores.contributions[row].max() <= 0:
            continue
        rival = int(np.argmax(np.delete(scores.logits[row], own)))
        tells = has[own] & ~has[rival + (rival >= own)]
        photo = workspace.dataset.get_photo(int(scores.image_ids[row]))
        by_heat = find_commonest(
            table, table.shares[own], _find_hottest(workspace, entry.category, photo)
        )
        found = Telling(
            0,
            1,
            tells[table.words.index(name.words)],
            tells[is_local].mean(),
            tells[is_local & has[own]].mean(),
            by_heat is not None and tells[by_heat],
        )
        telling = Telling(*np.add(telling, found).tolist())
    return telling


def _is_listed(name: FeatureName, table: AttributeTable) -> bool:
    """Whether a name is an attribute of this table, and not of one that was there before."""
    return name.kind == "attribute" and name.words in table.words


def _find_hottest(workspace: Workspace, category: str, photo: Photo) -> frozenset[str]:
    """Find the parts, left and right together, with the most heat of ExcitationBP."""
    parts = load_parts(photo)
    heat = workspace.networks.explain_score(category, parts.image)
    shares = parts.measure(heat[np.newaxis]).values[0]
    part_names = workspace.dataset.part_names
    _, groups = group_parts(part_names)
    hottest = groups[np.argmax(groups @ shares)]
    return frozenset(name for name, is_in in zip(part_names, hottest, strict=True) if is_in)


def find_commonest(
    table: AttributeTable, shares: NDArray[np.float64], parts: frozenset[str]
) -> int | None:
    """Find the attribute of some parts, and no others, that most of a category has."""
    fitting = [n for n, seen in enumerate(table.parts) if seen and parts.issuperset(seen)]
    return max(fitting, key=lambda n: shares[n]) if fitting else None


def _check_causing(
    workspace: Workspace,
    entry: ModuleEntry,
    names: Sequence[FeatureName],
    table: AttributeTable,
    truth: PaintedTruth,
) -> Causing:
    test = set(workspace.load_record(entry).split["test"])
    photos = [p for p in workspace.dataset.photos_of(entry.category) if p.image_id in test]
    falls = _measure_falls(workspace, entry, photos[:_REPAINTED], truth)
    traits = list(TRAIT_PARTS)
    causing = Causing()
    for name, fall in zip(names, falls, strict=True):
        if not _is_listed(name, table) or name.is_against or not (fall > 0).any():
            continue
        cause = int(np.argmax(fall))
        is_right = table.groups[table.words.index(name.words)] == traits[cause]
        overlaps = [bool(set(name.parts) & set(TRAIT_PARTS[trait])) for trait in traits]
        part_chance = sum(overlaps) / len(traits)
        found = Causing(1, is_right, 1 / len(traits), overlaps[cause], part_chance)
        causing = Causing(*np.add(causing, found).tolist())
    return causing


def _measure_falls(
    workspace: Workspace, entry: ModuleEntry, photos: Sequence[Photo], truth: PaintedTruth
) -> NDArray[np.float64]:
    """Measure the mean fall of each contribution when a trait alone is changed, (K, T)."""
    networks = workspace.networks
    others = [choose_other_value(truth, entry.category, trait) for trait in TRAIT_PARTS]
    images = [
        image
        for photo in photos
        for image in (
            truth.repaint(photo),
            *(
                truth.repaint(photo, **{trait: value})
                for trait, value in zip(TRAIT_PARTS, others, strict=True)
            ),
        )
    ]
    z, _ = networks.compute_scores(np.stack([*map(networks.prepare_image, images)]))
    x_features, _ = networks.apply_module(entry, z)
    contributions = (x_features * networks.read_weights(entry)).reshape(
        len(photos), 1 + len(others), -1
    )
    falls: NDArray[np.float64] = (contributions[:, :1] - contributions[:, 1:]).mean(axis=0).T
    return falls


def choose_other_value(truth: PaintedTruth, category: str, trait: str) -> str:
    """Choose the value of a trait in the next category that has another one."""
    names = list(truth.traits)
    start = names.index(category)
    values: list[str] = [
        getattr(truth.traits[name], trait) for name in names[start:] + names[:start]
    ]
    return next((value for value in values if value != values[0]), values[0])
