"""Damage the files of a small workspace in thousands of ways, and test the code that loads them.

Each case damages one file of an intact workspace and runs all code that reads this file. A loader
may succeed, or raise an `ExplorerError` that names the file. Anything else is a failure: another
exception, a crash, a hang, or excessive use of memory. Cases run in a worker process, so that all
of these are detected.

    python tools/fuzz_loaders.py                          # 1,000 cases, a few minutes
    python tools/fuzz_loaders.py --cases 5000 --seed 3
    python tools/fuzz_loaders.py --only module --verbose  # each case that damages a module

A case is determined by its number and the seed: `--first 731 --cases 1` repeats one. The exit
status is 1 if any case failed.
"""

import argparse
import collections
import contextlib
import faulthandler
import json
import multiprocessing
import os
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

import file_mutations as mutations

from explorer.config import ExplorerError, run
from explorer.measuring.classifier import measure_classifier
from explorer.measuring.module import measure_module
from explorer.measuring.records import load_classifier_measures, load_module_measures
from explorer.methods.srae import SraeSettings
from explorer.training.modules.train import train_module
from explorer.workspace.create import create_workspace
from explorer.workspace.settings import WorkspaceSettings

_START_SECONDS = 300.0
REFUSED, DONE, FAILED = "refused", "done", "failed"


class Outcome(NamedTuple):
    """The result of a case; `kind` is `REFUSED`, `DONE` or `FAILED`."""

    kind: str
    target: str
    damage: str
    words: str


@dataclass(frozen=True)
class Target:
    """A file, the code that reads it, and mutations for its format."""

    name: str
    path: str
    load: Callable[[Path, Path], None]
    format_mutations: tuple[mutations.Mutation, ...] = ()


# Functions that load files; they take the folder of the workspace and the damaged file.


def load_files(folder: Path, file: Path) -> None:
    from explorer.workspace.files import WorkspaceFiles

    opened = WorkspaceFiles(folder)
    _ = (opened.dataset, opened.held_out, opened.is_painted)
    load_classifier_measures(opened)
    for entry in opened.list_modules():
        opened.load_record(entry)
        load_module_measures(opened, entry)


def load_all(folder: Path, file: Path) -> None:
    from explorer.workspace.workspace import Workspace

    load_files(folder, file)
    opened = Workspace(folder)
    _ = opened.networks.backbone
    for entry in opened.list_modules():
        opened.networks.load_module(entry)


def load_modules(folder: Path, file: Path) -> None:
    from explorer.workspace.files import WorkspaceFiles

    opened = _open(folder)
    damaged = {entry for entry, _ in WorkspaceFiles(folder).list_damaged()}
    good = [entry for entry in opened.list_modules() if entry.path != file]
    if not good or damaged & set(good):
        raise AssertionError("a damaged module hides good ones")
    for entry in sorted(opened.list_modules(), key=lambda entry: entry.path == file):
        opened.networks.load_module(entry)


_OPENED: dict[Path, Any] = {}


def _open(folder: Path) -> Any:
    """Open the workspace once, as the cases that use this do not damage the network."""
    from explorer.workspace.workspace import Workspace

    if folder not in _OPENED:
        _OPENED[folder] = Workspace(folder)
        _ = _OPENED[folder].networks.backbone
    return _OPENED[folder]


def load_features(folder: Path, file: Path) -> None:
    import numpy as np

    found = run(_open(folder).networks.compute_features())
    _ = np.isfinite(found.z).all(), np.isfinite(found.logits).all()


def load_partial_features(folder: Path, file: Path) -> None:
    for done in folder.glob("features/[!.]*/done.json"):
        done.unlink()
    load_features(folder, file)


def load_maps(folder: Path, file: Path) -> None:
    import numpy as np

    from explorer.maps.cache import load_maps

    opened = _open(folder)
    for entry in opened.list_modules():
        for photo in opened.dataset.photos_of(entry.category):
            maps = load_maps(opened, entry, photo, "relu1")
            if maps is not None:
                explanation = maps.unpack_explanation()
                _ = maps.unpack_score()
                if not np.isfinite(explanation.maps).all():
                    raise AssertionError("non-finite maps are accepted")


def load_notes(folder: Path, file: Path) -> None:
    from explorer.workspace.notes import load_notes

    entry = next(e for e in _open(folder).list_modules() if e.path.parent == file.parent)
    _ = load_notes(entry).names


def load_results(folder: Path, file: Path) -> None:
    from explorer.evaluation.results import load_results
    from explorer.evaluation.sanity_results import load_sanity

    for results in (load_results(folder), load_sanity(folder)):
        if results is not None:
            _ = results.markdown


def load_trace(folder: Path, file: Path) -> None:
    from explorer.evaluation.repeatability import load_trace, measure_repeatability

    measure_repeatability([load_trace(file), load_trace(file)])


def load_data_set(folder: Path, file: Path) -> None:
    from explorer.data.cub import load_cub
    from explorer.data.painted.truth import load_truth
    from explorer.data.splits import draw_module_split, get_held_out

    dataset = load_cub(folder / "birds")
    held_out = get_held_out(dataset, "official")
    for category in dataset.categories:
        with contextlib.suppress(ExplorerError):  # a category may have lost all photos of one side
            draw_module_split(dataset, category, held_out, 0)
    load_truth(folder / "birds")


def load_photo(folder: Path, file: Path) -> None:
    from explorer.measuring.parts import load_parts

    photo = next(photo for photo in _open(folder).dataset.photos if photo.path == file)
    load_parts(photo)


def load_jobs(folder: Path, file: Path) -> None:
    from explorer.jobs.history import list_columns, load_history
    from explorer.jobs.store import list_damaged, list_jobs, read_log

    os.environ["SRAE_STATE"] = str(folder / "state")
    for job in list_jobs():
        _ = (job.fraction_done, read_log(job))
        for category in job.request.categories:
            list_columns(load_history(job.folder, category))
    list_damaged()


def load_snapshot(folder: Path, file: Path) -> None:
    from explorer.training.classifier.snapshots import load_snapshot

    load_snapshot(file, {}).build_start("vgg_small")


def load_weights(folder: Path, file: Path) -> None:
    from explorer.nn.backbones.build import build_network_from_weights
    from explorer.nn.foreign import load_foreign_weights

    try:
        build_network_from_weights("vgg_small", load_foreign_weights(file, "vgg_small").tensors)
    except ExplorerError as error:  # the caller adds the name of the file
        raise ExplorerError(f"{file}: {error}") from error


_MODULE = "modules/001.Ember_capped_Finch/*"
_SAFETENSORS = (mutations.change_safetensors,) * 8 + (mutations.overwrite_weights,) * 2
_JSON = (mutations.change_json,) * 12
_TEXT = (mutations.change_word,) * 12
_ARRAY = (mutations.change_array,) * 8
TARGETS = (
    Target("settings", "workspace.json", load_all, _JSON),
    Target("classifier", "classifier.safetensors", load_all, _SAFETENSORS),
    Target("module", f"{_MODULE}/module.safetensors", load_modules, _SAFETENSORS),
    Target("module", f"{_MODULE}/module.safetensors", load_modules, _SAFETENSORS),
    Target("measures", f"{_MODULE}/metrics.json", load_files, _JSON),
    Target("accuracy", "metrics.json", load_files, _JSON),
    Target("notes", f"{_MODULE}/notes.json", load_notes, _JSON),
    Target("maps", f"{_MODULE}/maps/relu1.npy", load_maps, _ARRAY),
    Target("z", "features/[!.]*/z.npy", load_features, _ARRAY),
    Target("logits", "features/[!.]*/logits.npy", load_features, _ARRAY),
    Target("partial features", "features/.*.tmp/note.json", load_partial_features, _JSON),
    Target("results", "results/results.csv", load_results, _TEXT),
    Target("sanity", "results/sanity.csv", load_results, _TEXT),
    Target("trace", "results/srae/trace-s0.npz", load_trace),
    *(
        Target(f"birds/{name}", f"birds/{name}", load_data_set, _TEXT)
        for name in (
            "images.txt",
            "classes.txt",
            "image_class_labels.txt",
            "bounding_boxes.txt",
            "train_test_split.txt",
            "parts/parts.txt",
            "parts/part_locs.txt",
        )
    ),
    Target("traits", "birds/traits.json", load_data_set, _JSON),
    Target("photo", "birds/images/*/*.jpg", load_photo),
    Target("job", "state/jobs/one/job.json", load_jobs, _JSON),
    Target("status", "state/jobs/one/status.json", load_jobs, _JSON),
    Target("history", "state/jobs/one/history.jsonl", load_jobs, _JSON),
    Target("snapshot", "finetuning.safetensors", load_snapshot, _SAFETENSORS),
    Target("weights", "weights.safetensors", load_weights, _SAFETENSORS),
    Target("pth", "weights.pth", load_weights),
)


def build_workspace(folder: Path) -> Path:
    """Create a small workspace with all kinds of files."""
    import torch
    from safetensors.torch import save_file

    from explorer.data.painted import PaintedSettings, paint_dataset
    from explorer.maps.drawing import draw_maps
    from explorer.nn.backbones.build import build_network
    from explorer.training.modules.settings import TrainingSettings

    size = PaintedSettings(
        photos_per_category=3, test_photos_per_category=1, size=64, supersampling=1, plan="pairs"
    )
    run(paint_dataset(folder / "birds", size))
    torch.manual_seed(0)
    state = build_network("vgg_small", 12, batch_norm=False).state_dict()
    save_file(state, folder / "weights.safetensors")
    torch.save(state, folder / "weights.pth")
    own = WorkspaceSettings(dataset="birds", half=True)
    workspace = create_workspace(folder, own, folder / "weights.safetensors")
    run(measure_classifier(workspace))
    training = TrainingSettings(epochs=1, pretrain_epochs=0)
    for category in workspace.dataset.categories[:2]:
        entry = run(train_module(workspace, category, SraeSettings(widths=(16, 8)), training))
        run(measure_module(workspace, entry))
    entry = workspace.list_modules()[0]
    run(draw_maps(workspace, [entry]))
    _add_records(folder, entry)
    _save_snapshot(folder / "finetuning.safetensors", state)
    return folder


def _add_records(folder: Path, entry: Any) -> None:
    """Write the files of a comparison, a background training and a user."""
    import numpy as np

    from explorer.analysis.table import Row
    from explorer.config import Progress
    from explorer.evaluation.repeatability import Trace, save_trace
    from explorer.evaluation.results import Results, write_files
    from explorer.jobs.history import format_record
    from explorer.jobs.store import save_request, save_status
    from explorer.jobs.types import JobRequest, JobState, JobStatus
    from explorer.workspace.notes import load_notes, save_note
    from explorer.workspace.notes_file import Note

    notes = load_notes(entry)
    note = Note("red crown", "What the crown looks like.")
    save_note(entry, 0, note, base=Note(), module_sha256=notes.module_sha256)
    rows = [Row("srae", entry.category, 0, "f_reg_test", 0.1)]
    write_files(folder, Results.from_rows(rows), "results")
    rows = [Row("srae@trained", entry.category, 0, "f_reg_test", 0.1)]
    write_files(folder, Results.from_rows(rows, titles={"srae@trained": "SRAE"}), "sanity")
    trace = Trace(
        np.ones((4, 5), np.float32), np.ones((2, 5, 4, 4), np.float32), np.ones(5, np.bool_)
    )
    save_trace(folder / "results/srae/trace-s0.npz", trace)
    (cache,) = (folder / "features").glob("*/")
    partial = Path(shutil.copytree(cache, cache.with_name(f".{cache.name}.tmp")))
    (partial / "done.json").unlink()
    checks = {n: zlib.crc32(np.load(partial / f"{n}.npy")[:20].tobytes()) for n in ("z", "logits")}
    (partial / "note.json").write_text(json.dumps({"rows": 20, **checks}))
    job = folder / "state/jobs/one"
    job.mkdir(parents=True)
    names = (entry.category, "002.Harebell_capped_Finch")
    save_request(job, JobRequest(str(folder), names, entry.run, {"method": "srae"}, {"epochs": 1}))
    save_status(job, JobStatus(JobState.FINISHED, "Done.", names[0], "Training", 1, 2, names, 1.5))
    record = format_record(names[0], Progress("Training", 1, 2, {"loss": 0.5}))
    (job / "history.jsonl").write_text(record * 3)


def _save_snapshot(path: Path, state: dict[str, Any]) -> None:
    from safetensors.torch import save_file

    stored = {f"network.{name}": tensor for name, tensor in state.items()}
    values = {"history": [], "best": {"epoch": 0}, "stage": 0, "fresh": ["classifier.6"]}
    header = {"format": 2, "description": {}, "values": values}
    save_file(stored, path, {"srae_explorer_finetuning": json.dumps(header)})


def choose_target(rng: random.Random, only: str) -> Target:
    return rng.choice([target for target in TARGETS if only in target.name])


def run_case(source: Path, folder: Path, settings: argparse.Namespace, number: int) -> Outcome:
    """Damage a file of `folder`, a copy of `source`, run the code that reads it, and restore it."""
    rng = random.Random(f"{settings.seed}-{number}")
    target = choose_target(rng, settings.only)
    original = rng.choice(sorted(source.glob(target.path)))
    file = folder / original.relative_to(source)
    if not file.parent.is_dir():  # a cache that was removed in an earlier case
        shutil.copytree(original.parent, file.parent)
    content = original.read_bytes()
    mutation = rng.choice((*target.format_mutations, *mutations.RANDOM, *mutations.REPLACEMENTS))
    damage = mutation(rng, file)
    try:
        target.load(folder, file)
    except ExplorerError as error:
        names = {
            file.name,
            *(p.name for p in file.parents if file.is_relative_to(folder / "birds")),
        }
        is_named = any(name in str(error) for name in names) or target.name.startswith("birds/")
        kind = REFUSED if is_named else FAILED
        return Outcome(kind, target.name, damage, f"{'' if is_named else 'unnamed: '}{error}")
    except BaseException as error:
        where = "".join(traceback.format_tb(error.__traceback__)[-2:])
        words = f"{type(error).__name__}: {str(error)[:200]}\n{where}"
        return Outcome(FAILED, target.name, damage, words)
    finally:
        _restore(file, content)
    return Outcome(DONE, target.name, damage, "")


def _restore(file: Path, content: bytes) -> None:
    if file.is_dir() and not file.is_symlink():
        shutil.rmtree(file)
    elif os.path.lexists(file):
        file.unlink()
    file.parent.mkdir(parents=True, exist_ok=True)  # caches may have been removed
    file.write_bytes(content)


def run_worker(source: Path, copy: Path, channel: Connection, settings: argparse.Namespace) -> None:
    """Run the cases whose numbers are received, in a worker process."""
    faulthandler.enable()
    warnings.simplefilter("error")  # loaders must not warn about damaged files
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    import torch

    import explorer.evaluation.sanity  # noqa: F401

    torch.set_num_threads(1)
    folder = Path(shutil.copytree(source, copy))
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = used + settings.memory * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    channel.send("ready")
    while True:
        number = channel.recv()
        if number is None:
            return
        outcome = run_case(source, folder, settings, number)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        channel.send((outcome, peak))


class Worker:
    """A process that runs cases, and is replaced if a case crashes or hangs it."""

    def __init__(self, source: Path, copy: Path, settings: argparse.Namespace) -> None:
        context = multiprocessing.get_context("spawn")
        self.channel, theirs = context.Pipe()
        self.process = context.Process(
            target=run_worker, args=(source, copy, theirs, settings), daemon=True
        )
        self.process.start()
        theirs.close()
        if not self.channel.poll(_START_SECONDS) or self.channel.recv() != "ready":
            raise RuntimeError("the worker does not start")

    def run(self, number: int, timeout: float) -> tuple[Outcome, int] | str:
        """Run a case; return its outcome and peak memory, or why there is no result."""
        self.channel.send(number)
        try:
            if self.channel.poll(timeout):
                answer: tuple[Outcome, int] = self.channel.recv()
                return answer
        except EOFError:
            self.process.join()
            return f"the process ended with {self.process.exitcode}"
        return f"no answer within {timeout:.0f} s"

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.channel.close()


def run_cases(source: Path, settings: argparse.Namespace) -> Iterator[tuple[int, Outcome, int]]:
    """Yield the number, outcome and peak memory (KiB) of each case."""
    worker: Worker | None = None
    copies = 0
    for number in range(settings.first, settings.first + settings.cases):
        if worker is None:
            copies += 1
            worker = Worker(source, source.with_name(f"copy-{copies}"), settings)
        answer = worker.run(number, settings.patience)
        if isinstance(answer, str):
            worker.stop()
            worker = None
            rng = random.Random(f"{settings.seed}-{number}")
            target = choose_target(rng, settings.only)
            yield number, Outcome(FAILED, target.name, "", answer), 0
        else:
            yield number, *answer
    if worker is not None:
        worker.stop()


def report(cases: Iterator[tuple[int, Outcome, int]], settings: argparse.Namespace) -> int:
    """Print the results; return the number of failures."""
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    failures, peak, start = [], 0, time.monotonic()
    for number, outcome, memory in cases:
        counts[outcome.target][outcome.kind] += 1
        peak = max(peak, memory)
        if outcome.kind == FAILED:
            failures.append(number)
        if outcome.kind == FAILED or settings.verbose:
            words = outcome.words if outcome.kind == FAILED else outcome.words[:300]
            print(f"case {number}, {outcome.target}, {outcome.damage}: {outcome.kind} {words}")
    total = sum(sum(found.values()) for found in counts.values())
    print(f"{'file':32} {'cases':>6} {REFUSED:>8} {'loaded':>8} {FAILED:>7}")
    for name, found in sorted(counts.items()):
        cells = (sum(found.values()), found[REFUSED], found[DONE], found[FAILED])
        print(f"{name:32} {cells[0]:6} {cells[1]:8} {cells[2]:8} {cells[3]:7}")
    print(
        f"{total:,} cases of seed {settings.seed} in {time.monotonic() - start:.0f} s; peak "
        f"memory {peak / 1024:.0f} MiB; {len(failures)} failed"
        + (f": {', '.join(map(str, failures[:50]))}" if failures else ".")
    )
    return len(failures)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="only targets whose names contain this")
    parser.add_argument("--patience", type=float, default=20.0, help="maximum seconds per case")
    parser.add_argument(
        "--memory", type=int, default=2048, help="maximum MiB in addition to the libraries"
    )
    parser.add_argument("--verbose", action="store_true", help="print every case")
    settings = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        source.mkdir()
        build_workspace(source)
        return min(1, report(run_cases(source, settings), settings))


if __name__ == "__main__":
    sys.exit(main())
