from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from explorer.config import ExplorerError
from explorer.engines.features import FeaturesTask
from explorer.engines.tasks import Outcome, Task, run_locally
from explorer.evaluation.sweep import plan as sweep_plan
from explorer.evaluation.sweep.plan import (
    SweepError,
    SweepSettings,
    SweepTask,
    list_tasks,
    sweep_modules,
)
from explorer.measuring.records import load_module_measures
from explorer.methods.base import TrainedMethod
from explorer.methods.joint_sae import JointSaeSettings
from explorer.methods.registry import get_trained_methods
from explorer.methods.srae import SraeSettings
from explorer.training.modules import task as training_task
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.train import find_module, train_module
from explorer.workspace.layout import get_module_entry
from explorer.workspace.workspace import Workspace

Run = Callable[[Any], Any]
SHORT = TrainingSettings(epochs=2, pretrain_epochs=1, batch_size=16)


class Diverging(SraeSettings):
    """A method whose loss is never finite."""

    method: ClassVar[str] = "hopeless"

    def compute_terms(self, *arguments: Any) -> dict[str, torch.Tensor]:
        return {name: term / 0 for name, term in super().compute_terms(*arguments).items()}


HOPELESS = TrainedMethod(
    name="hopeless",
    title="Diverging",
    colour="#000000",
    summary="Never learns.",
    settings=Diverging(widths=(8,)),
    training=SHORT,
)


@pytest.fixture
def opened(own_workspace: Path) -> Workspace:
    return Workspace(own_workspace)


def plan(workspace: Workspace, methods: str, variants: str = "", **others: Any) -> SweepSettings:
    return SweepSettings(
        categories=workspace.dataset.categories[3:5],
        methods=get_trained_methods(methods, variants, SHORT),
        **others,
    )


def read_times(workspace: Workspace, tasks: Sequence[SweepTask]) -> list[int]:
    entries = [get_module_entry(workspace.path, task.category, task.run) for task in tasks]
    files = [file for entry in entries for file in (entry.path, entry.metrics_path)]
    return [file.stat().st_mtime_ns for file in files]


def test_a_module_for_every_category_method_setting_and_seed(opened: Workspace, run: Run) -> None:
    variants = "beta=1,beta=10:pull_away=2"
    settings = plan(opened, "srae:widths=8,joint-sae:widths=8", variants, seeds=(0, 3))
    tasks = list_tasks(opened, settings)
    assert len(tasks) == 2 * 2 * 2 * 2
    assert tasks[0].training == SHORT
    assert {(task.category, task.module, task.training.seed) for task in tasks} == {
        (category, kind(widths=(8,), beta=beta, pull_away=pull_away), seed)
        for category in opened.dataset.categories[3:5]
        for kind in (SraeSettings, JointSaeSettings)
        for beta, pull_away in ((1.0, 0.0), (10.0, 2.0))
        for seed in (0, 3)
    }


def test_modules_are_trained_and_measured(opened: Workspace, run: Run) -> None:
    settings = plan(opened, "srae:widths=8,nn:widths=8", seeds=(0, 3))
    steps = list(sweep_modules(opened, settings))
    assert [(step.done, step.total) for step in steps] == [(n, 8) for n in range(1, 9)]
    for task in list_tasks(opened, settings):
        entry = find_module(opened, task.category, task.module, task.training)
        assert entry is not None
        assert entry.run == task.run
        assert load_module_measures(opened, entry) is not None


def test_the_same_module_is_trained_once(opened: Workspace) -> None:
    assert len(list_tasks(opened, plan(opened, "srae:widths=8", "beta=10,beta=10.0"))) == 2


def test_all_means_the_methods_that_train_a_module() -> None:
    names = [method.name for method in get_trained_methods("all")]
    assert names == ["srae", "srae-pull-away", "srae-concepts", "nn", "sae", "joint-sae"]


def test_missing_keeps_existing_modules_and_measures_the_rest(opened: Workspace, run: Run) -> None:
    there = run(sweep_modules(opened, plan(opened, "srae:widths=8")))
    before = read_times(opened, there)
    metrics = get_module_entry(opened.path, there[1].category, there[1].run).metrics_path
    metrics.unlink()  # as after an interruption
    again = plan(opened, "srae:widths=8", seeds=(0, 1), missing=True)
    done = run(sweep_modules(opened, again))
    assert [(task.category, task.run) for task in done] == [
        (there[1].category, there[1].run),
        *((task.category, task.run.replace("s0", "s1")) for task in there),
    ]
    assert read_times(opened, there)[:3] == before[:3]
    assert metrics.exists()
    assert run(sweep_modules(opened, again)) == ()


def test_without_missing_modules_are_trained_again(opened: Workspace, run: Run) -> None:
    there = run(sweep_modules(opened, plan(opened, "srae:widths=8")))
    path = get_module_entry(opened.path, there[0].category, there[0].run).path
    module = path.read_bytes()
    path.write_bytes(b"no module")
    run(sweep_modules(opened, plan(opened, "srae:widths=8")))
    assert path.read_bytes() == module


def test_a_failed_task_is_named_and_the_others_are_kept(opened: Workspace, run: Run) -> None:
    settings = plan(opened, "srae:widths=8")
    settings = replace(settings, methods=(HOPELESS, *settings.methods))
    bad = list_tasks(opened, settings)[:2]
    with pytest.raises(SweepError) as caught:
        run(sweep_modules(opened, settings))
    for task in bad:
        assert f"{task.category}, {task.run}: " in str(caught.value)
        assert find_module(opened, task.category, task.module, task.training) is None
    assert caught.value.done == list_tasks(opened, settings)[2:]
    assert len(read_times(opened, caught.value.done)) == 4


def test_a_write_error_fails_only_its_task(
    opened: Workspace, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = opened.dataset.categories[3]

    def fail(workspace: Workspace, category: str, *settings: Any) -> Any:
        if category == bad:
            raise OSError("No space left on device")
        return train_module(workspace, category, *settings)

    monkeypatch.setattr(training_task, "train_module", fail)
    with pytest.raises(SweepError, match=f"{bad}, .*: No space left on device") as caught:
        run(sweep_modules(opened, plan(opened, "srae:widths=8")))
    assert [task.category for task in caught.value.done] == [opened.dataset.categories[4]]


def test_tasks_run_with_one_thread_and_the_setting_is_restored(
    opened: Workspace, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def note(*_: Any) -> Iterator[None]:
        seen.append(torch.get_num_threads())
        yield from ()

    monkeypatch.setattr(training_task, "train_module", note)
    monkeypatch.setattr(sweep_plan, "measure_module", note)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        run(sweep_modules(opened, plan(opened, "nn")))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {1}


def test_features_are_computed_before_the_first_task(opened: Workspace, run: Run) -> None:
    def engine(workspace: Workspace, tasks: Sequence[Task]) -> Iterator[Outcome]:
        if isinstance(tasks[0], FeaturesTask):
            return run_locally(workspace, tasks)
        assert list(workspace.networks.compute_features()) == []  # nothing left to compute
        return run_locally(workspace, tasks[:1])

    for file in sorted((opened.path / "features").rglob("*.*")):
        if file.is_file():
            file.unlink()
    assert len(run(sweep_modules(opened, plan(opened, "nn:widths=8"), engine))) == 1


@pytest.mark.parametrize(
    ("names", "variants", "words"),
    [("srae,pca", "", "trains no module"), ("", "", "at least one"), ("nn", "depth=3", "depth")],
)
def test_impossible_sweeps_are_refused(
    opened: Workspace, names: str, variants: str, words: str
) -> None:
    with pytest.raises(ExplorerError, match=words):
        plan(opened, names, variants)
