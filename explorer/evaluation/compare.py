"""The comparison of methods on many categories, with a record on disk for each result."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from explorer.config import Progress, Steps
from explorer.data.painted.truth import PaintedTruth, load_truth
from explorer.evaluation.case import Case
from explorer.evaluation.heat import draw_heat
from explorer.evaluation.interventions import Interventions
from explorer.evaluation.measures.base import Subject
from explorer.evaluation.measures.registry import measure_subject
from explorer.evaluation.records import Measures, Record
from explorer.evaluation.repeatability import (
    load_trace,
    make_trace,
    measure_repeatability,
    save_trace,
)
from explorer.evaluation.settings import EvaluationSettings, draw_categories
from explorer.methods.base import Method, Source
from explorer.storage.json_records import read_json, write_json
from explorer.workspace.layout import RESULTS_FOLDER, check_inside
from explorer.workspace.workspace import Workspace

_RECORD_FORMAT = 3


def compare_methods(workspace: Workspace, settings: EvaluationSettings) -> Steps[list[Record]]:
    """Measure each method on each category with each seed.

    Records of earlier runs with the same classifier and settings are kept, so an interrupted run
    continues where it stopped.

    Yields
    ------
    Progress
        One per record, and those of modules that have to be trained.

    Returns
    -------
    list of dict
        Records with ``method``, ``category``, ``seed`` and ``measures``, each a number or None.
    """
    workspace.require_photos()
    features = yield from workspace.networks.compute_features()
    truth = load_truth(workspace.dataset.root)
    categories = draw_categories(
        workspace.dataset.categories, settings.categories, settings.draw_seed, rest=settings.rest
    )
    total = len(categories) * len(settings.seeds) * len(settings.methods)
    records: list[Record] = []
    for category in categories:
        # Painting is slow, and the same pictures are used for all methods and seeds.
        interventions = Interventions(workspace, category, truth) if truth else None
        for seed in settings.seeds:
            case = Case(workspace, features, category, seed, settings.stop)
            for method in settings.methods:
                record = _load_record(case, method)
                if record is None:
                    source = yield from method.prepare(case)
                    rivals = yield from _prepare_rivals(case, method, truth)
                    measures = _measure(case, method, source, rivals, interventions)
                    record = _save_record(case, method, measures)
                records.append(record)
                yield Progress("Comparing methods", len(records), total)
    _add_repeatability(workspace, settings, records)
    return records


def _prepare_rivals(
    case: Case, method: Method, truth: PaintedTruth | None
) -> Steps[dict[str, Source]]:
    """Prepare the method for the nearest relatives of the category, by name."""
    sources = {}
    for relative in truth.relatives[case.category] if truth else ():
        rival = replace(case, category=relative.name)
        sources[relative.name] = yield from method.prepare(rival)
    return sources


def _measure(
    case: Case,
    method: Method,
    source: Source,
    rivals: dict[str, Source],
    interventions: Interventions | None,
) -> Measures:
    """Measure a method on a case, and save its trace if it has x-features."""
    workspace = case.workspace
    heats = [draw_heat(workspace, source.draw, photo) for photo in case.test_photos]
    subject = Subject(case, source, heats, rivals, interventions)
    if source.explain is not None:
        file = get_record_file(workspace.path, method.name, case.category, case.seed, "npz")
        save_trace(file, make_trace(subject))
    return measure_subject(subject)


def get_record_file(
    workspace: Path, method: str, category: str, seed: int, suffix: str = "json"
) -> Path:
    """Return the path of a record, or with suffix ``npz`` that of its trace."""
    file = workspace / RESULTS_FOLDER / method / f"{category}-s{seed}.{suffix}"
    check_inside(workspace, file)
    return file


def _load_record(case: Case, method: Method) -> Record | None:
    """Load the record of an earlier run; None if it is missing or not current."""
    file = get_record_file(case.workspace.path, method.name, case.category, case.seed)
    record: Record = read_json(file) if file.exists() else {}
    return record if record.get("key") == _make_key(case, method) else None


def _save_record(case: Case, method: Method, measures: Measures) -> Record:
    record: Record = {
        "key": _make_key(case, method),
        "method": method.name,
        "category": case.category,
        "seed": case.seed,
        "measures": measures,
    }
    write_json(get_record_file(case.workspace.path, method.name, case.category, case.seed), record)
    return record


def _make_key(case: Case, method: Method) -> str:
    """Hash everything that a record depends on besides its category and seed."""
    workspace, backbone = case.workspace, case.workspace.networks.backbone
    parts = {
        "format": _RECORD_FORMAT,
        "classifier": backbone.sha256,
        "layer": backbone.z_layer,
        "photos": [photo.image_id for photo in workspace.dataset.photos],
        "held_out": [photo.image_id for photo in workspace.held_out],
        "method": method.describe(),
        "stop": case.stop,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _add_repeatability(
    workspace: Workspace, settings: EvaluationSettings, records: Sequence[Record]
) -> None:
    """Add the measures that need several seeds."""
    if len(settings.seeds) < 2:
        return
    by_case: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        by_case.setdefault((record["method"], record["category"]), []).append(record)
    for (name, category), group in by_case.items():
        files = [get_record_file(workspace.path, name, category, r["seed"], "npz") for r in group]
        if not all(file.is_file() for file in files):
            continue
        repeated = measure_repeatability([load_trace(file) for file in files])
        for record, measures in zip(group, repeated, strict=True):
            record["measures"] = record["measures"] | measures
