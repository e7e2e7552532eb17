"""The comparison of methods on many categories: one record each, kept on disk, resumable."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from explorer.config import Progress, Steps
from explorer.data.painted.truth import PaintedTruth, load_truth
from explorer.evaluation.case import Case
from explorer.evaluation.curves import measure_curves
from explorer.evaluation.edit_test import measure_edit
from explorer.evaluation.funny_birds import measure_funny_birds
from explorer.evaluation.interventions import Interventions
from explorer.evaluation.maps import draw_heat, find_drawn, measure_maps
from explorer.evaluation.records import Measures, Record
from explorer.evaluation.repeatability import (
    load_trace,
    make_trace,
    measure_repeatability,
    save_trace,
)
from explorer.evaluation.scores import measure_scores
from explorer.evaluation.settings import EvaluationSettings, draw_categories
from explorer.methods.base import Method, Source
from explorer.storage.json_records import read_json, write_json
from explorer.workspace.layout import RESULTS_FOLDER, check_inside
from explorer.workspace.workspace import Workspace

_RECORD_FORMAT = 3


def compare_methods(workspace: Workspace, settings: EvaluationSettings) -> Steps[list[Record]]:
    """Measure every method on every category with every seed.

    Records that an earlier run has finished for the same classifier and settings are kept, so
    that a run that was cut short goes on where it stopped.

    Yields
    ------
    Progress
        One per record, and those of the training of modules that are not there yet.

    Returns
    -------
    list of dict
        The records: ``method``, ``category``, ``seed`` and ``measures``, a number or None each.
    """
    features = yield from workspace.networks.compute_features()
    truth = load_truth(workspace.dataset.root)
    categories = draw_categories(
        workspace.dataset.categories, settings.categories, settings.draw_seed, rest=settings.rest
    )
    total = len(categories) * len(settings.seeds) * len(settings.methods)
    records: list[Record] = []
    for category in categories:
        # Painting is slow, and what is painted is the same for all methods and seeds.
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
    """Make ready what the method says for the nearest relatives, by category."""
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
    """Measure one method on one case; scores on the split, maps on the category's test photos."""
    workspace = case.workspace
    heats = [draw_heat(workspace, source.draw, photo) for photo in case.test_photos]
    measures: Measures = {}
    live = find_drawn(heats)
    if source.module is not None:
        measures, live = measure_scores(case, source.module)
        trace = make_trace(case, source, live)
        save_trace(
            get_record_file(workspace.path, method.name, case.category, case.seed, "npz"), trace
        )
    telling = interventions.truth.get_telling_parts(case.category) if interventions else frozenset()
    measures |= measure_maps(heats, live, workspace.dataset.part_names, telling)
    measures |= measure_curves(case, source, heats, live)
    if interventions is not None and source.v is not None:
        measures |= measure_edit(case, source, heats, live, interventions)
        measures |= measure_funny_birds(case, source, rivals, heats, interventions)
    return measures


def get_record_file(
    workspace: Path, method: str, category: str, seed: int, ending: str = "json"
) -> Path:
    """Name the file of a record, or with ``npz`` that of its trace."""
    file = workspace / RESULTS_FOLDER / method / f"{category}-s{seed}.{ending}"
    check_inside(workspace, file)
    return file


def _load_record(case: Case, method: Method) -> Record | None:
    """Return the record of an earlier run; None where it is of something else."""
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
    """Name everything that a record depends on besides its category and seed."""
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
    """Add what can only be measured over several seeds."""
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
