"""The demo workspace that is shipped."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from explorer.config import DEMO_WORKSPACE, REPOSITORY_ROOT, ExplorerError
from explorer.data.painted.plans import PLANS
from explorer.data.painted.truth import load_truth
from explorer.data.transforms import prepare_image
from explorer.demo import build_demo, is_demo
from explorer.evaluation.results import load_results
from explorer.evaluation.sanity_results import load_sanity
from explorer.measuring.module import measure_module
from explorer.measuring.parts import load_parts
from explorer.measuring.records import ModuleMeasures, load_module_measures
from explorer.methods.registry import DEFAULT
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

Run = Callable[[Any], Any]
NOT_SHIPPED = {"maps", ".lock"}
MOST_BYTES = 18_000_000


@pytest.fixture(scope="module")
def demo() -> Workspace:
    return Workspace(DEMO_WORKSPACE)


@pytest.fixture(scope="module")
def metrics(demo: Workspace) -> list[ModuleMeasures]:
    found = [load_module_measures(demo, entry) for entry in demo.list_modules()]
    return [item for item in found if item is not None]


def list_shipped_files() -> list[Path]:
    return [
        path
        for path in DEMO_WORKSPACE.rglob("*")
        if path.is_file() and not NOT_SHIPPED & set(path.relative_to(DEMO_WORKSPACE).parts)
    ]


def test_the_demo_is_small_enough_to_ship() -> None:
    files = list_shipped_files()
    assert files
    assert sum(path.stat().st_size for path in files) <= MOST_BYTES


def test_the_demo_contains_only_expected_files() -> None:
    names = {path.suffix for path in list_shipped_files()}
    assert names == {".jpg", ".txt", ".json", ".safetensors", ".csv", ".npy"}
    assert not [path for path in list_shipped_files() if path.name.startswith(".")]


def test_features_are_shipped_so_that_no_page_computes_them(demo: Workspace) -> None:
    assert list(demo.networks.compute_features()) == []
    assert len([path for path in list_shipped_files() if path.suffix == ".npy"]) == 2


def test_the_demo_does_not_depend_on_its_path(demo: Workspace) -> None:
    assert not Path(demo.settings.dataset).is_absolute()
    assert demo.dataset.root.is_relative_to(demo.path)


def test_the_birds_of_the_demo_are_painted(demo: Workspace) -> None:
    assert demo.is_painted
    assert len(demo.dataset.photos) == 960
    assert len(demo.dataset.categories) == 16
    assert {len(demo.dataset.photos_of(c)) for c in demo.dataset.categories} == {60}
    assert demo.dataset.warnings == ()


def test_every_category_has_a_module_that_fits_the_classifier(demo: Workspace) -> None:
    entries = demo.list_modules()
    assert tuple(entry.category for entry in entries) == demo.dataset.categories
    for entry in entries:
        module, record = demo.networks.load_module(entry)
        assert record.category == entry.category
        assert record.settings["method"] == DEFAULT.name
        assert module.settings.x_features == 5
        held_out = {photo.image_id for photo in demo.held_out}
        assert set(record.split["test"]) <= held_out
        assert not set(record.split["test"]) & set(record.split["train"])


def test_recorded_accuracy_is_high(demo: Workspace) -> None:
    assert demo.networks.classifier_report["test_accuracy"] >= 0.95
    assert demo.networks.classifier_report["photos"]["test"] == len(demo.held_out) == 240


def test_the_recorded_accuracy_can_be_reproduced(demo: Workspace) -> None:
    architecture = demo.networks.backbone.architecture
    right = 0
    for start in range(0, len(demo.held_out), 30):
        photos = demo.held_out[start : start + 30]
        pixels = np.stack(
            [
                prepare_image(
                    load_parts(photo).image,
                    architecture.input_size,
                    architecture.mean,
                    architecture.std,
                )
                for photo in photos
            ]
        )
        _, logits = demo.networks.backbone.compute_features(torch.from_numpy(pixels))
        found = logits.argmax(1).tolist()
        right += sum(a == b.category_index for a, b in zip(found, photos, strict=True))
    accuracy = right / len(demo.held_out)
    assert accuracy >= 0.95
    # A borderline photo may be classified differently with another linear algebra library.
    assert accuracy == pytest.approx(
        demo.networks.classifier_report["test_accuracy"], abs=1.01 / 240
    )


def test_modules_are_faithful(metrics: list[ModuleMeasures]) -> None:
    assert len(metrics) == 16
    relative = [item.test.faithfulness.relative_f_reg for item in metrics]
    assert np.mean(relative) <= 0.02, relative


def test_x_features_are_alive(metrics: list[ModuleMeasures]) -> None:
    assert min(sum(item.live) for item in metrics) >= 3


def test_x_features_are_different_concepts(metrics: list[ModuleMeasures]) -> None:
    found = [item.concepts for item in metrics]
    assert min(one.effective_number for one in found) >= 2.5
    assert np.mean([one.effective_number for one in found]) >= 3.5
    assert np.mean([one.top_share for one in found]) <= 0.45
    assert np.mean([one.overlap for one in found]) <= 0.2


def test_most_x_features_are_named_by_the_marks_of_their_category(demo: Workspace) -> None:
    truth = load_truth(demo.dataset.root)
    assert truth is not None
    named = []
    for entry in demo.list_modules():
        measures = load_module_measures(demo, entry)
        assert measures is not None
        traits = asdict(truth.traits[entry.category])
        marks = {f"{traits[mark.trait]} {mark.trait}" for mark in truth.list_marks(entry.category)}
        assert len(marks) == 4
        words = {name.words.replace("wing bar", "wing_bar") for name in measures.names}
        named.append(len(words & marks))
    assert np.mean(named) >= 3, "of four marks"


def test_maps_are_on_parts(metrics: list[ModuleMeasures]) -> None:
    for item in metrics:
        assert item.locality.test.mean_locality < np.log(15)


@pytest.mark.slow
def test_measurements_can_be_repeated(demo: Workspace, run: Run, tmp_path: Path) -> None:
    """Measures a copy of one module, so that no shipped file is written."""
    ignore = shutil.ignore_patterns("features", "maps")
    copied = Workspace(Path(shutil.copytree(demo.path, tmp_path / "demo", ignore=ignore)))
    entry = copied.list_modules()[6]
    stored = load_module_measures(copied, entry)
    assert stored is not None
    measured = run(measure_module(copied, entry))
    compare(asdict(measured), asdict(stored), entry.category)


def compare(found: Any, stored: Any, where: str) -> None:
    """Compare nested measurements; numbers may differ in their last digits."""
    if isinstance(stored, dict):
        assert found.keys() == stored.keys(), where
        for name in stored:
            compare(found[name], stored[name], f"{where}.{name}")
    elif isinstance(stored, tuple):
        assert len(found) == len(stored), where
        for index, value in enumerate(stored):
            compare(found[index], value, f"{where}[{index}]")
    elif isinstance(stored, float):
        assert found == pytest.approx(stored, rel=1e-3, abs=1e-4), where
    else:
        assert found == stored, where


def test_a_finished_demo_is_not_built_again(demo: Workspace, tmp_path: Path) -> None:
    copy = tmp_path / "demo"
    shutil.copytree(demo.path, copy, ignore=shutil.ignore_patterns(*NOT_SHIPPED))
    assert is_demo(copy)
    assert list(build_demo(copy)) == []
    (copy / "diary.txt").write_text("mine")
    assert not is_demo(copy)


def test_birds_of_another_plan_are_not_taken_for_those_asked_for(
    demo: Workspace, tmp_path: Path
) -> None:
    copy = tmp_path / "demo"
    shutil.copytree(demo.path, copy, ignore=shutil.ignore_patterns(*NOT_SHIPPED, "images"))
    painted = load_truth(copy / "birds")
    assert painted is not None
    other = next(plan for plan in PLANS if plan != painted.settings.plan)
    with pytest.raises(ExplorerError, match=f"not {other}.*--force"):
        next(build_demo(copy, other))
    with pytest.raises(ExplorerError, match=f"Choose among: {', '.join(PLANS)}"):
        next(build_demo(tmp_path / "new", "striped"))
    assert not (tmp_path / "new").exists()


def test_building_again_builds_only_what_is_missing(
    demo: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    copy = tmp_path / "demo"
    shutil.copytree(demo.path, copy, ignore=shutil.ignore_patterns(*NOT_SHIPPED))
    gone, unmeasured = Workspace(copy).list_modules()[2:4]
    gone.path.unlink()
    unmeasured.metrics_path.unlink()
    asked: list[tuple[str, ...]] = []
    measured: list[ModuleEntry] = []

    def train(workspace: Workspace, categories: list[str], *_: Any) -> Iterator[Any]:
        asked.append(tuple(categories))
        yield from ()
        return ()

    def measure(workspace: Workspace, entry: ModuleEntry) -> Iterator[Any]:
        measured.append(entry)
        yield from ()

    monkeypatch.setattr("explorer.shipping.building.train_modules", train)
    monkeypatch.setattr("explorer.shipping.building.measure_module", measure)
    run(build_demo(copy))
    assert asked == [(gone.category,)]
    assert measured == [unmeasured]


def test_the_documented_comparison_is_that_of_the_demo(demo: Workspace) -> None:
    results, sanity = load_results(demo.path), load_sanity(demo.path)
    assert results is not None
    assert sanity is not None
    assert {row.category for row in results.rows} == set(demo.dataset.categories)
    assert {row.seed for row in results.rows} == {0, 1, 2}
    reported = (REPOSITORY_ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    for table in (*results.tables, *sanity.tables):
        assert table.text in reported, table.section.title
