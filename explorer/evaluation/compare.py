"""The comparison of methods on many categories, with a record on disk for each result."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from explorer.config import ExplorerError, Steps, run
from explorer.data.painted.truth import PaintedTruth, load_truth
from explorer.engines.features import compute_features
from explorer.engines.tasks import Engine, run_all, run_locally
from explorer.evaluation.case import Case
from explorer.evaluation.heat import PhotoHeat, draw_heat
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
from explorer.methods.base import Method, Source, TrainedMethod
from explorer.storage.json_records import read_json, write_json
from explorer.storage.writing import refuse_if_public
from explorer.training.modules.task import TrainingTask
from explorer.workspace.layout import RESULTS_FOLDER, check_inside
from explorer.workspace.workspace import Workspace

_RECORD_FORMAT = 7
_MOST_RIVALS = 2  # each needs modules and maps of its own, and crossed categories have four


@dataclass(frozen=True)
class ComparisonTask:
    """Methods to measure on a category with some seeds; current records are kept.

    A category is a single task, because painting its pictures is slow, and they are the same for
    all methods and seeds.
    """

    category: str
    methods: tuple[Method, ...]
    seeds: tuple[int, ...]
    stop: str

    @property
    def title(self) -> str:
        """The category."""
        return self.category

    def list_pending(self, workspace: Workspace) -> Iterator[tuple[int, list[Method]]]:
        """List the seeds and, for each, the methods that have no current record."""
        for seed in self.seeds:
            missing = [
                method
                for method in self.methods
                if _load_record(workspace, method, self.category, seed, self.stop) is None
            ]
            if missing:
                yield seed, missing

    def list_modules(self, workspace: Workspace, rivals: Sequence[str]) -> list[TrainingTask]:
        """List the missing modules of the category and its rivals."""
        tasks = [
            TrainingTask(category, method.settings, replace(method.training, seed=seed))
            for seed, methods in self.list_pending(workspace)
            for method in methods
            if isinstance(method, TrainedMethod)
            for category in (self.category, *rivals)
        ]
        return [task for task in tasks if task.find(workspace) is None]

    def execute(self, workspace: Workspace) -> None:
        """Measure the methods and store a record of each."""
        features = run(workspace.networks.compute_features())
        truth = load_truth(workspace.dataset.root)
        interventions = Interventions(workspace, self.category, truth) if truth else None
        for seed, methods in self.list_pending(workspace):
            case = Case(workspace, features, self.category, seed)
            sources = [run(method.prepare(case)) for method in methods]
            heats = _draw_heats(case, sources, self.stop)
            for method, source, own in zip(methods, sources, heats, strict=True):
                rivals = _prepare_rivals(case, method, truth)
                subject = Subject(case, source, own, rivals, interventions, self.stop)
                _save_record(subject, method, _measure(subject, method))


def compare_methods(
    workspace: Workspace, settings: EvaluationSettings, engine: Engine = run_locally
) -> Steps[list[Record]]:
    """Measure each method on each category with each seed.

    Records of earlier runs with the same classifier and settings are kept, so an interrupted run
    continues where it stopped.

    Parameters
    ----------
    workspace : Workspace
        A workspace with a classifier.
    settings : EvaluationSettings
        What to compare.
    engine : Engine
        Trains the missing modules, which are the same with every engine, and measures the
        categories. Measures may differ by rounding, which depends on the number of threads.

    Yields
    ------
    Progress
        One per trained module, and one per category.

    Returns
    -------
    list of dict
        Records with ``method``, ``category``, ``seed`` and ``measures``, each a number or None.

    Raises
    ------
    ExplorerError
        When modules could not be trained, or at the end, when categories could not be measured.
    PublicError
        On a public server.
    """
    refuse_if_public()
    workspace.require_photos()
    yield from compute_features(workspace, engine)
    names = draw_categories(
        workspace.dataset.categories, settings.categories, settings.draw_seed, rest=settings.rest
    )
    tasks = [
        ComparisonTask(name, settings.methods, settings.seeds, settings.stop) for name in names
    ]
    pending = [task for task in tasks if any(task.list_pending(workspace))]
    yield from _train_missing(workspace, pending, engine)
    yield from run_all(workspace, pending, engine, "Comparing methods", "Not measured")
    records = [record for task in tasks for record in _load_records(workspace, task)]
    _add_repeatability(workspace, settings, records)
    return records


def _train_missing(
    workspace: Workspace, tasks: Sequence[ComparisonTask], engine: Engine
) -> Steps[None]:
    """Train the modules that several tasks may need, so that each is trained once."""
    truth = load_truth(workspace.dataset.root)
    missing = [
        module
        for task in tasks
        for module in task.list_modules(workspace, _list_rivals(truth, task.category))
    ]
    unique = tuple(dict.fromkeys(missing))
    yield from run_all(workspace, unique, engine, "Training modules", "Not trained")


def _list_rivals(truth: PaintedTruth | None, category: str) -> list[str]:
    relatives = truth.relatives[category] if truth else ()
    return [relative.name for relative in relatives[:_MOST_RIVALS]]


def _prepare_rivals(case: Case, method: Method, truth: PaintedTruth | None) -> dict[str, Source]:
    """Prepare the method for the category's rivals, by name."""
    return {
        name: run(method.prepare(replace(case, category=name)))
        for name in _list_rivals(truth, case.category)
    }


def _draw_heats(case: Case, sources: Sequence[Source], stop: str) -> list[list[PhotoHeat]]:
    """Draw the maps of all sources photo by photo, so that they share its forward pass."""
    heats: list[list[PhotoHeat]] = [[] for _ in sources]
    for photo in case.test_photos:
        for source, own in zip(sources, heats, strict=True):
            own.append(draw_heat(case.workspace, source.draw, photo, stop))
    return heats


def _measure(subject: Subject, method: Method) -> Measures:
    """Measure a method, and save its trace if it has x-features."""
    case = subject.case
    if subject.source.explain is not None:
        file = get_record_file(case.workspace.path, method.name, case.category, case.seed, "npz")
        save_trace(file, make_trace(subject))
    return measure_subject(subject)


def get_record_file(
    workspace: Path, method: str, category: str, seed: int, suffix: str = "json"
) -> Path:
    """Return the path of a record, or with suffix ``npz`` that of its trace."""
    file = workspace / RESULTS_FOLDER / method / f"{category}-s{seed}.{suffix}"
    check_inside(workspace, file)
    return file


def _load_records(workspace: Workspace, task: ComparisonTask) -> Iterator[Record]:
    for seed in task.seeds:
        for method in task.methods:
            record = _load_record(workspace, method, task.category, seed, task.stop)
            if record is None:
                raise ExplorerError(
                    f"A record of {method.title} on {task.category} was removed or replaced "
                    "while methods were compared. Run the comparison again."
                )
            yield record


def _load_record(
    workspace: Workspace, method: Method, category: str, seed: int, stop: str
) -> Record | None:
    """Load the record of an earlier run; None if it is missing or not current."""
    file = get_record_file(workspace.path, method.name, category, seed)
    record: Record = read_json(file) if file.exists() else {}
    return record if record.get("key") == _make_key(workspace, method, stop) else None


def _save_record(subject: Subject, method: Method, measures: Measures) -> None:
    case = subject.case
    record: Record = {
        "key": _make_key(case.workspace, method, subject.stop),
        "method": method.name,
        "category": case.category,
        "seed": case.seed,
        "measures": measures,
    }
    write_json(get_record_file(case.workspace.path, method.name, case.category, case.seed), record)


def _make_key(workspace: Workspace, method: Method, stop: str) -> str:
    """Hash everything that a record depends on besides its category and seed."""
    backbone = workspace.networks.backbone
    parts = {
        "format": _RECORD_FORMAT,
        "classifier": backbone.sha256,
        "layer": backbone.z_layer,
        "photos": [photo.image_id for photo in workspace.dataset.photos],
        "held_out": [photo.image_id for photo in workspace.held_out],
        "method": method.describe(),
        "stop": stop,
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
