"""The engine that runs tasks with Ray, on a real local cluster."""

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from explorer.config import ExplorerError
from explorer.engines.features import compute_features
from explorer.engines.tasks import run_all, run_locally
from explorer.evaluation.compare import compare_methods
from explorer.evaluation.settings import EvaluationSettings
from explorer.evaluation.sweep.plan import (
    SweepError,
    SweepSettings,
    SweepTask,
    list_tasks,
    sweep_modules,
)
from explorer.maps.drawing import DrawingTask, count_drawn, draw_maps
from explorer.measuring.module import MeasuringTask, measure_module
from explorer.methods.base import Method, TrainedMethod
from explorer.methods.registry import get_methods, get_trained_methods
from explorer.training.modules.settings import TrainingSettings
from explorer.workspace.layout import get_module_entry
from explorer.workspace.workspace import Workspace

if find_spec("ray") is None and not os.environ.get("CI"):  # in CI, Ray is required
    pytest.skip("Ray is not installed: pip install .[cluster]", allow_module_level=True)

from explorer.engines.ray_engine import make_engine, ray

pytestmark = pytest.mark.slow

Run = Callable[[Any], Any]
TRAINING = TrainingSettings(epochs=30, pretrain_epochs=2, batch_size=16)
PATIENCE = 120  # seconds until a worker runs; long, as the machine may be busy


@pytest.fixture(scope="module", autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the token that Ray creates for its processes out of the home directory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        yield


class KillOne(threading.Thread):
    """Kills the first descendant process that runs a task, and stores its id."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.killed = 0

    def run(self) -> None:
        end = time.monotonic() + PATIENCE
        while not self.killed and time.monotonic() < end:
            for process in find_working():
                os.kill(process, signal.SIGKILL)
                self.killed = process
                return
            time.sleep(0.01)


def find_working() -> list[int]:
    """Return the descendant processes that run a task of Ray."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title = (folder / "cmdline").read_bytes()
            if title.startswith(b"ray::_run_remotely") and is_below(int(folder.name)):
                found.append(int(folder.name))
        except OSError:  # it has ended in the meantime
            continue
    return found


def is_below(process: int) -> bool:
    while process > 1:
        if process == os.getpid():
            return True
        status = Path(f"/proc/{process}/stat").read_text()
        process = int(status.rpartition(")")[2].split()[1])
    return False


def plan(workspace: Workspace, methods: str) -> SweepSettings:
    return SweepSettings(
        categories=workspace.dataset.categories[3:6],
        methods=get_trained_methods(methods, "", TRAINING),
        seeds=(0, 1),
    )


def block_module_folder(workspace: Workspace, task: SweepTask) -> None:
    """Put a file where the task will create the folder of its module."""
    folder = get_module_entry(workspace.path, task.category, task.run).path.parent
    folder.parent.mkdir(exist_ok=True)
    folder.touch()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc to find processes")
def test_a_killed_worker_changes_no_module(own_workspace: Path, tmp_path: Path, run: Run) -> None:
    here = Workspace(own_workspace)
    there = Workspace(Path(shutil.copytree(own_workspace, tmp_path / "other")))
    good = plan(here, "srae:widths=8,nn:widths=8")
    expected = run(sweep_modules(here, good))

    killer = KillOne()
    killer.start()
    both = plan(there, "srae:widths=8,nn:widths=8,sae:widths=8")
    bad = list_tasks(there, plan(there, "sae:widths=8"))
    for task in bad:
        block_module_folder(there, task)
    with pytest.raises(SweepError, match="File exists") as caught:
        run(sweep_modules(there, both, make_engine(workers=2)))
    killer.join()

    assert killer.killed
    assert not ray.is_initialized()
    assert set(caught.value.done) == set(expected)
    assert len(bad) == str(caught.value).count("File exists") == 6
    assert all(f"{task.category}, {task.run}: " in str(caught.value) for task in bad)
    for task in expected:
        entries = [get_module_entry(w.path, task.category, task.run) for w in (here, there)]
        for name in ("path", "metrics_path"):
            one, other = (getattr(entry, name).read_bytes() for entry in entries)
            assert one == other, f"{task.category}, {task.run}"


def hurry(method: Method) -> Method:
    return replace(method, training=TRAINING) if isinstance(method, TrainedMethod) else method


def compare(workspace: Workspace, run: Run, *engine: Any) -> Any:
    methods = tuple(map(hurry, get_methods("nn:widths=8,pca,excitation-bp")))
    settings = EvaluationSettings(methods=methods, categories=4, stop="pool4")
    return run(compare_methods(workspace, settings, *engine))


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc to find processes")
def test_a_comparison_with_a_killed_worker_is_that_of_one_process(
    own_workspace: Path, tmp_path: Path, run: Run
) -> None:
    here = Workspace(own_workspace)
    there = Workspace(Path(shutil.copytree(own_workspace, tmp_path / "other")))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the workers
    try:
        expected = compare(here, run)
    finally:
        torch.set_num_threads(threads)
    killer = KillOne()
    killer.start()
    found = compare(there, run, make_engine(workers=2))
    killer.join()
    assert killer.killed
    assert len(found) == 4 * 3
    assert found == expected

    record = next((there.path / "results" / "pca").glob("*.json"))
    known = json.loads(record.read_text())
    record.unlink()
    times = {path: path.stat().st_mtime_ns for path in there.path.rglob("results/*/*.json")}
    assert compare(there, run, make_engine(workers=2)) == expected
    assert json.loads(record.read_text()) == known
    assert times == {path: path.stat().st_mtime_ns for path in times}


def test_modules_are_measured_and_drawn_as_in_one_process(
    own_workspace: Path, tmp_path: Path, run: Run
) -> None:
    for entry in Workspace(own_workspace).list_modules():
        entry.metrics_path.unlink()
    here = Workspace(own_workspace)
    there = Workspace(Path(shutil.copytree(own_workspace, tmp_path / "other")))
    entries = here.list_modules()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the workers
    try:
        for entry in entries:
            run(measure_module(here, entry))
        run(draw_maps(here, entries, "pool4"))
    finally:
        torch.set_num_threads(threads)
    names = [(entry.category, entry.run) for entry in entries]
    tasks = [task for name in names for task in (MeasuringTask(*name), DrawingTask(*name, "pool4"))]
    run(run_all(there, tasks, make_engine(workers=2), "Working", "Not done"))
    for one, other in zip(entries, there.list_modules(), strict=True):
        assert one.metrics_path.read_bytes() == other.metrics_path.read_bytes()
        mine, theirs = (entry.get_maps_path("pool4").read_bytes() for entry in (one, other))
        assert mine == theirs
    assert count_drawn(there, there.list_modules(), "pool4") == sum(
        len(there.dataset.photos_of(entry.category)) for entry in entries
    )


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc to find processes")
def test_features_with_a_killed_worker_are_those_of_one_process(
    own_workspace: Path, tmp_path: Path, run: Run
) -> None:
    def read(workspace: Workspace) -> dict[str, bytes]:
        (cache,) = (path for path in (workspace.path / "features").iterdir() if path.is_dir())
        return {path.name: path.read_bytes() for path in cache.iterdir()}

    shutil.rmtree(own_workspace / "features", ignore_errors=True)
    here = Workspace(own_workspace)
    there = Workspace(Path(shutil.copytree(own_workspace, tmp_path / "other")))
    run(compute_features(here, run_locally))
    killer = KillOne()
    killer.start()
    assert there.networks.features.list_missing_shards() == [0, 64]
    found = run(compute_features(there, make_engine(workers=2)))
    killer.join()
    assert killer.killed
    assert not list(there.path.glob("features/.*.shards"))
    assert len(found.z) == len(here.dataset.photos)
    assert read(there) == read(here)


def test_failed_tasks_are_named_at_the_end(own_workspace: Path, run: Run) -> None:
    workspace = Workspace(own_workspace)
    (entry, *_) = workspace.list_modules()
    tasks = [MeasuringTask(entry.category, "none"), MeasuringTask(entry.category, entry.run)]
    steps = run_all(workspace, tasks, run_locally, "Measuring", "Not measured")
    assert [next(steps).done, next(steps).done] == [1, 2]
    with pytest.raises(ExplorerError, match=r"^Not measured:\n.*, none: .*Train the module again"):
        next(steps)


def test_an_interrupted_sweep_stops_its_tasks(own_workspace: Path) -> None:
    workspace = Workspace(own_workspace)
    settings = plan(workspace, "srae:widths=8,nn:widths=8")
    steps = sweep_modules(workspace, settings, make_engine(workers=1))
    assert next(steps).done == 1
    assert [node["NodeManagerAddress"] for node in ray.nodes()] == ["127.0.0.1"]
    steps.close()
    assert not ray.is_initialized()
    tasks = list_tasks(workspace, settings)
    paths = [get_module_entry(workspace.path, task.category, task.run).path for task in tasks]
    assert 1 <= sum(path.exists() for path in paths) < len(paths)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"workers": -1}, "at least 1"),
        ({"address": "127.0.0.1:1", "workers": 2}, "use only one of --workers and --address"),
    ],
)
def test_impossible_workers_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ExplorerError, match=words):
        make_engine(**options)


def test_an_unreachable_cluster_is_reported(own_workspace: Path, run: Run) -> None:
    workspace = Workspace(own_workspace)
    engine = make_engine(address="127.0.0.1:1")
    with pytest.raises(ExplorerError, match="Check --address"):
        run(sweep_modules(workspace, plan(workspace, "nn:widths=8"), engine))
