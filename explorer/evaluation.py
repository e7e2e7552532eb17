"""The comparison of methods on many categories: one record each, kept on disk, resumable."""

import csv
import hashlib
import io
import json
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.agreement import (
    compute_mean_squared_cosine,
    compute_one_against_all_accuracy,
    compute_rank_agreement,
)
from explorer.analysis.faithfulness import (
    compute_contributions,
    compute_faithfulness,
    compute_live_mask,
)
from explorer.analysis.locality import compute_locality_summary
from explorer.analysis.table import Row, format_markdown, list_rows
from explorer.attribution.explain import DEFAULT_STOP
from explorer.attribution.rivals import (
    Draw,
    make_grad_cam_draw,
    make_logit_draw,
    make_module_draw,
    make_z_draw,
)
from explorer.config import ExplorerError, Progress, check_seed
from explorer.data.cub import Photo
from explorer.data.painted.truth import load_telling_parts
from explorer.data.splits import Split, draw_module_split
from explorer.files import write_text
from explorer.layout import (
    RESULTS_FOLDER,
    TIDY_FILE,
    ModuleEntry,
    get_module_entry,
    name_run,
    read_json,
    write_json,
)
from explorer.methods import METHODS, Method, list_paper_figures
from explorer.nn.pca import PcaProbe
from explorer.nn.srae import ExplanationModule, ModuleSettings, apply_module
from explorer.training.features import Features
from explorer.training.trainer import TrainingSettings
from explorer.workspace import Workspace

_RECORD_FORMAT = 1


@dataclass(frozen=True)
class EvaluationSettings:
    """What is compared.

    Attributes
    ----------
    methods : tuple of str
        Names in `explorer.methods.METHODS`.
    categories : int
        How many, drawn at random; 0 for all.
    seeds : tuple of int
        Of modules and splits; everything is repeated for each.
    draw_seed : int
        Of the draw of categories.
    z_dimensions : int
        Size of the sample of dimensions of Z, drawn anew for every category and seed.
    stop : str
        Where the maps are taken.
    """

    methods: tuple[str, ...] = tuple(METHODS)
    categories: int = 0
    seeds: tuple[int, ...] = (0,)
    draw_seed: int = 0
    z_dimensions: int = 16
    stop: str = DEFAULT_STOP

    def __post_init__(self) -> None:
        for seed in (*self.seeds, self.draw_seed):
            check_seed(seed)
        if not self.methods or not self.seeds or self.z_dimensions < 1 or self.categories < 0:
            raise ExplorerError(
                "Name at least one method, one seed and one dimension of Z, and no negative "
                "number of categories."
            )


def draw_categories(categories: Sequence[str], count: int, seed: int) -> tuple[str, ...]:
    """Draw `count` categories (0: all), kept in the order of the data set."""
    if count > len(categories):
        raise ExplorerError(f"There are only {len(categories)} categories, not {count}.")
    if not count:
        return tuple(categories)
    chosen = np.random.default_rng(seed).choice(len(categories), size=count, replace=False)
    return tuple(categories[index] for index in sorted(chosen))


def compare_methods(
    workspace: Workspace, settings: EvaluationSettings
) -> Generator[Progress, None, list[dict[str, Any]]]:
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
        The records, as kept under ``results/``; see `_measure`.
    """
    features = yield from workspace.compute_features()
    categories = draw_categories(
        workspace.dataset.categories, settings.categories, settings.draw_seed
    )
    tasks = [
        (category, seed, METHODS[name])
        for category in categories
        for seed in settings.seeds
        for name in settings.methods
    ]
    records = []
    for done, (category, seed, method) in enumerate(tasks, start=1):
        key = _make_key(workspace, method, settings)
        file = workspace.path / RESULTS_FOLDER / method.name / f"{category}-s{seed}.json"
        record = read_json(file) if file.exists() else {}
        if record.get("key") != key:
            case = _Case(workspace, features, category, seed)
            source = yield from _prepare(case, method, settings)
            record = {"key": key, "method": method.name, "category": category, "seed": seed}
            record |= _measure(case, source)
            write_json(file, record)
        records.append(record)
        yield Progress("Comparing methods", done, len(tasks))
    return records


def _make_key(workspace: Workspace, method: Method, settings: EvaluationSettings) -> str:
    """Name everything that a record depends on besides its category and seed."""
    parts = {
        "format": _RECORD_FORMAT,
        "classifier": workspace.backbone.sha256,
        "layer": workspace.backbone.z_layer,
        "photos": [photo.image_id for photo in workspace.dataset.photos],
        "held_out": [photo.image_id for photo in workspace.held_out],
        "module": method.settings and asdict(method.settings),
        "training": asdict(TrainingSettings()),
        "stop": settings.stop,
        "z_dimensions": settings.z_dimensions if method.name == "z" else 0,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class _Case:
    """What is explained: a category, with a seed for module and split."""

    workspace: Workspace
    features: Features
    category: str
    seed: int


@dataclass(frozen=True, eq=False)
class _Source:
    """What a method gives for one category: maps, and a module where it has one."""

    draw: Draw
    split: Split
    module: ExplanationModule | PcaProbe | None = None


def _prepare(
    case: _Case, method: Method, settings: EvaluationSettings
) -> Generator[Progress, None, _Source]:
    workspace, category, seed = case.workspace, case.category, case.seed
    backbone, stop = workspace.backbone, settings.stop
    split = draw_module_split(workspace.dataset, category, workspace.held_out, seed)
    if method.settings is not None:
        training = TrainingSettings(seed=seed)
        entry = get_module_entry(workspace.path, category, name_run(method.settings, training))
        if not _is_usable(workspace, entry, split):
            entry = yield from workspace.train_module(category, method.settings, training)
        module, _ = workspace.load_module(entry)
        draw = make_module_draw(backbone, module.get_attribution_layers(), stop)
        return _Source(draw, split, module)
    if method.name == "excitation-bp":
        return _Source(make_logit_draw(backbone, category, stop), split)
    if method.name == "grad-cam":
        return _Source(make_grad_cam_draw(backbone, category), split)
    z, y_hat, _ = workspace.select_scores(case.features, category, split.train)
    if method.name == "pca":
        probe = PcaProbe(z, y_hat, ModuleSettings().x_features)
        probe.to(backbone.device)
        draw = make_module_draw(backbone, probe.get_attribution_layers(), stop)
        return _Source(draw, split, probe)
    firing = np.flatnonzero(z.max(axis=0) > 0)
    rng = np.random.default_rng((seed, workspace.dataset.categories.index(category)))
    count = min(settings.z_dimensions, len(firing))
    dimensions = sorted(map(int, rng.choice(firing, size=count, replace=False)))
    return _Source(make_z_draw(backbone, dimensions, stop), split)


def _is_usable(workspace: Workspace, entry: ModuleEntry, split: Split) -> bool:
    """Tell whether a module on disk is of this network and has not seen the test photos."""
    if not entry.path.exists():
        return False
    record = workspace.load_record(entry)
    backbone = workspace.backbone
    return (
        (record.backbone_sha256, record.z_layer) == (backbone.sha256, backbone.z_layer)
        and set(record.split.get("train", ())) == set(split.train)
        and set(record.split.get("test", ())) == set(split.test)
    )


def _measure(case: _Case, source: _Source) -> dict[str, Any]:
    """Measure faithfulness on the split, and the maps on the category's own test photos.

    Returns
    -------
    dict
        ``faithfulness`` (None for a method without a module), ``live`` (K booleans),
        ``locality`` (K numbers, None where dead or without a map), ``outside`` (K shares),
        ``photos``, ``left_out`` (K counts), and on painted birds ``telling_share``: the share of
        the heat inside the box that lies on the parts that tell the category from its nearest
        relatives (None where not defined), beside ``telling_area``, their share of the box.
    """
    measured: dict[str, Any] = {"faithfulness": None}
    live = None
    if source.module is not None:
        measured["faithfulness"], live = _measure_scores(case, source.module, source.split)
    test = set(source.split.test)
    photos = [
        photo for photo in case.workspace.dataset.photos_of(case.category) if photo.image_id in test
    ]
    return measured | _measure_maps(case.workspace, source.draw, photos, live)


def _measure_scores(
    case: _Case, module: ExplanationModule | PcaProbe, split: Split
) -> tuple[dict[str, Any], NDArray[np.bool_]]:
    index = case.workspace.dataset.categories.index(case.category)
    v = module.v.weight[0].cpu().numpy()
    result: dict[str, Any] = {}
    contributions = []
    for name, image_ids in (("train", split.train), ("test", split.test)):
        z, y_hat, is_positive = case.workspace.select_scores(
            case.features, case.category, image_ids
        )
        x_features, y_bar = apply_module(module, z)
        contributions.append(compute_contributions(x_features, v))
        logits = case.features.logits[case.features.get_rows(image_ids)]
        rivals = np.delete(logits, index, axis=1)
        result[name] = asdict(compute_faithfulness(y_bar, y_hat)) | {
            "rank_agreement": compute_rank_agreement(y_bar, y_hat),
            "accuracy": compute_one_against_all_accuracy(y_bar, rivals, is_positive),
            "classifier_accuracy": compute_one_against_all_accuracy(y_hat, rivals, is_positive),
            "mean_squared_cosine": compute_mean_squared_cosine(x_features),
        }
    return result, compute_live_mask(np.concatenate(contributions))


def _measure_maps(
    workspace: Workspace, draw: Draw, photos: Sequence[Photo], live: NDArray[np.bool_] | None
) -> dict[str, Any]:
    truth = load_telling_parts(workspace.dataset.root)
    names = workspace.dataset.part_names
    histograms, outside, has_map, areas = [], [], [], []
    for photo in photos:
        parts = workspace.load_parts(photo)
        histogram = parts.measure(draw(workspace.prepare_image(parts.image)))
        histograms.append(histogram.values)
        outside.append(histogram.outside)
        has_map.append(histogram.is_live)
        areas.append(parts.compute_areas())
    summary = compute_locality_summary(np.stack(histograms), np.stack(has_map))
    is_measured = summary.is_defined if live is None else summary.is_defined & live
    measured: dict[str, Any] = {
        "live": (summary.is_defined if live is None else live).tolist(),
        "locality": _none_where_not(is_measured, summary.locality),
        "outside": _none_where_not(is_measured, summary.outside),
        "photos": len(photos),
        "left_out": summary.left_out.tolist(),
    }
    if truth is not None:
        telling = np.array([name in truth[photos[0].category] for name in names])
        shares = summary.histogram[:, telling].sum(axis=1)
        measured["telling_share"] = _none_where_not(is_measured, shares)
        measured["telling_area"] = float(np.mean([area[telling].sum() for area in areas]))
    return measured


def _none_where_not(mask: NDArray[np.bool_], values: NDArray[np.float64]) -> list[float | None]:
    return [float(value) if flag else None for flag, value in zip(mask, values, strict=True)]


@dataclass(frozen=True)
class Results:
    """A finished comparison, as it is kept.

    Attributes
    ----------
    rows : tuple of Row
        Every number.
    tidy, table : str
        The same as CSV, and their means in Markdown beside the paper's figures.
    titles : dict
        Methods in the order of tables, to their titles.
    paper : dict
        (method, measure) to the paper's figure.
    """

    rows: tuple[Row, ...]
    tidy: str
    table: str
    titles: dict[str, str]
    paper: dict[tuple[str, str], float]

    @classmethod
    def from_rows(cls, rows: Sequence[Row]) -> "Results":
        """Format `rows`."""
        text = io.StringIO()
        writer = csv.DictWriter(text, [f.name for f in fields(Row)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
        titles = {method.name: method.title for method in METHODS.values()}
        paper = list_paper_figures()
        table = format_markdown(rows, titles, paper)
        return cls(tuple(rows), text.getvalue(), table, titles, paper)


def write_results(workspace: Path, records: Sequence[dict[str, Any]]) -> tuple[Path, Path]:
    """Write records as one tidy CSV, a number a row, and as a table in Markdown.

    Returns
    -------
    tuple of Path
        ``results/results.csv`` and ``results/results.md`` of the workspace.
    """
    results = Results.from_rows(list_rows(records))
    folder = workspace / RESULTS_FOLDER
    write_text(folder / TIDY_FILE, results.tidy)
    write_text(folder / "results.md", results.table)
    return folder / TIDY_FILE, folder / "results.md"


def load_results(workspace: Path) -> Results | None:
    """Read what `write_results` wrote; None where no comparison has been finished.

    Raises
    ------
    ExplorerError
        When the file is damaged.
    """
    file = workspace / RESULTS_FOLDER / TIDY_FILE
    if not file.is_file():
        return None
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = [
                Row(r["method"], r["category"], int(r["seed"]), r["measure"], float(r["value"]))
                for r in csv.DictReader(lines)
            ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExplorerError(f"{file} is damaged ({error!r}). Run the comparison again.") from error
    return Results.from_rows(rows)
