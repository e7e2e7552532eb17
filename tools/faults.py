"""Kills commands again and again, and fills the disk, and looks at what is left.

``kill`` runs a command of the explorer on a small workspace of painted birds and kills it with
SIGKILL, at random moments and before every single change that it makes to the disk. Each time the
workspace must open, without damage and with everything that was finished before; and the command,
run once more, must end with the same bytes as a run that nobody killed. ``together`` runs a command
twice at once in one workspace and kills one of both. ``disk`` runs commands on a disk that is full,
then on one that is read-only (a small file system in memory, which takes the rights to mount one).

Exit status 1 where anything was lost, could not be opened or came out otherwise.
"""

import argparse
import contextlib
import hashlib
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch

from explorer import __main__ as command_line
from explorer.attribution import explain  # noqa: F401, imported before the fork, once for all cases
from explorer.config import ExplorerError, run
from explorer.data.painted import PaintedSettings, paint_dataset
from explorer.doctor.examine import examine
from explorer.doctor.findings import Severity
from explorer.maps.cache import load_maps  # noqa: F401
from explorer.measuring.records import load_module_measures
from explorer.nn.checkpoint import load_module
from explorer.workspace.workspace import Workspace

PAINTED = PaintedSettings(photos_per_category=3, test_photos_per_category=1, size=64)
PATIENCE = 300.0
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.chmod")
_BRIEF = (
    *("--epochs", "2", "--pretrain-epochs", "1", "--widths", "16,8", "--batch-size", "16"),
    *("--group-size", "1"),  # what is trained beside a module changes it by the rounding of sums
)


@dataclass(frozen=True)
class Job:
    """A command, what must be there before it, and the files that it is for."""

    name: str
    arguments: Callable[[Path, Path], Sequence[str]]  # of the workspace and the birds
    needs: tuple[str, ...]
    results: tuple[str, ...]  # patterns of files that must have the same bytes in the end
    has_ended: Callable[[Path], bool] | None = None  # of a command that does its work but once

    @property
    def is_once(self) -> bool:
        return self.has_ended is not None

    def is_done(self, folder: Path) -> bool:
        """Tell whether running it once more is an error."""
        return self.has_ended is not None and self.has_ended(folder)


def _has_classifier(folder: Path) -> bool:
    return bool(Workspace(folder).settings.classifier_sha256)


JOBS = {
    job.name: job
    for job in (
        Job(
            "new",
            lambda folder, birds: ("new", str(folder), "--cub", str(birds), "--arch",
                            "vgg_small", "--held-out", "last:1"),
            (),
            ("workspace.json",),
            lambda folder: (folder / "workspace.json").exists(),
        ),
        Job(
            "finetune",
            lambda folder, _: ("finetune", str(folder), "--epochs", "2", "--batch-size", "20"),
            ("new",),
            ("workspace.json", "classifier.safetensors"),
            _has_classifier,
        ),
        Job(
            "train",
            lambda folder, _: ("train", str(folder), "--category", "moonbar warbler",
                               "--category", "plainsong warbler", "--missing", *_BRIEF),
            ("new", "finetune"),
            ("features/*/*.npy", "modules/*/*/module.safetensors", "modules/*/*/metrics.json"),
        ),
        Job(
            "evaluate",
            lambda folder, _: ("evaluate", str(folder), "--methods", "srae:epochs=2,z",
                            "--categories", "1"),
            ("new", "finetune", "train"),
            ("metrics.json", "results/*.csv", "results/*.md"),
        ),
        Job(
            "maps",
            lambda folder, _: ("maps", str(folder), "--all"),
            ("new", "finetune", "train"),
            ("modules/*/*/maps/*",),
        ),
    )
}  # fmt: skip


@dataclass
class Tally:
    """What has been tried and what went wrong."""

    kills: int = 0
    survived: int = 0  # kills that came too late, after the command had ended
    failures: list[str] = field(default_factory=list)


def fork(work: Callable[[], None], log: Path) -> int:
    """Do something in a child process, its words in a file; return the child's id.

    A fork saves the seconds in which torch is imported: here, only the child ever computes.
    """
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        with log.open("a") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            torch.set_num_threads(1)
            work()
            status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 0
    except BaseException:
        traceback.print_exc()
        status = 2
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def wait_for(child: int) -> int:
    """Return a child's exit status, negative for the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run_command(job: Job, folder: Path, birds: Path) -> None:
    sys.argv = ["explorer", *job.arguments(folder, birds)]
    command_line.main()


def watch_changes(folder: Path, tell: Callable[[], None]) -> None:
    """Have `tell` called before every change that this process makes to the disk in `folder`."""

    def look(event: str, arguments: tuple[object, ...]) -> None:
        is_write = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_ACCMODE
        if (event in CHANGES or is_write) and str(folder) in str(arguments[0]):
            tell()

    sys.addaudithook(look)


def hash_results(job: Job, folder: Path) -> dict[str, str]:
    """Return the hash of every file that the command is for, by its name."""
    files = (path for pattern in job.results for path in folder.glob(pattern) if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if not path.name.startswith(".")
    }


def check_workspace(folder: Path) -> None:
    """Raise where the workspace does not open or holds something damaged."""
    if not (folder / "workspace.json").exists():
        return
    workspace = Workspace(folder)
    if not workspace.settings.classifier_sha256:
        return
    for entry in workspace.list_modules():
        load_module(entry.path, workspace.networks.backbone)
        load_module_measures(workspace, entry)
    bad = [found for found in run(examine(folder)) if found.severity is Severity.ERROR]
    if bad:
        raise ExplorerError(f"{bad[0].path}: {bad[0].problem}")


class Case:
    """One copy of a prepared workspace, on which a command is killed until it is let through."""

    def __init__(self, job: Job, template: Path, expected: dict[str, str], tally: Tally) -> None:
        self.job, self.expected, self.tally = job, expected, tally
        self.birds = template.parent / "birds"
        self.root = Path(tempfile.mkdtemp(prefix="faults-"))
        self.folder = self.root / "workspace"
        shutil.copytree(template, self.folder)
        self.log = self.root / "log.txt"
        self.finished: dict[str, str] = {}

    def fail(self, words: str) -> None:
        self.tally.failures.append(f"{self.job.name}: {words}; {self.root}")
        print(f"FAILED {self.tally.failures[-1]}", flush=True)

    def kill(self, child: int, *, may_be_told: bool = False) -> None:
        """Look at what a child that was to be killed has left."""
        status = wait_for(child)
        if status == -signal.SIGKILL:
            self.tally.kills += 1
        elif status == 0 or (status == 1 and may_be_told):
            self.tally.survived += 1
        else:
            self.fail(f"ended with status {status}")
        self.look()

    def look(self) -> None:
        """Open the workspace and compare what was finished before."""
        if wait_for(fork(partial(check_workspace, self.folder), self.log)):
            self.fail(f"does not open: {self.log.read_text().splitlines()[-1]}")
        found = hash_results(self.job, self.folder)
        lost = [name for name in self.finished if found.get(name) != self.finished[name]]
        if lost:
            self.fail(f"lost {lost[0]}")
        whole = (name for name in found if found[name] == self.expected.get(name))
        self.finished = {name: found[name] for name in whole}

    def complete(self) -> None:
        """Run the command to its end and compare all results."""
        if not self.job.is_done(self.folder):
            status = wait_for(
                fork(partial(run_command, self.job, self.folder, self.birds), self.log)
            )
            if status:
                self.fail(f"does not go on: status {status}")
        self.look()
        found = hash_results(self.job, self.folder)
        if found != self.expected:
            differ = {n for n in found.keys() | self.expected.keys()
                      if found.get(n) != self.expected.get(n)}  # fmt: skip
            self.fail(f"comes out otherwise: {sorted(differ)[:3]}")

    def close(self, failures_before: int) -> None:
        if len(self.tally.failures) == failures_before:
            shutil.rmtree(self.root)


def prepare(job: Job, root: Path) -> Path:
    """Return a workspace as it is before the command."""
    if not job.needs:
        folder = root / "new"
        if not folder.exists():
            folder.mkdir()
            child = fork(lambda: run(paint_dataset(root / "birds", PAINTED)), root / "log.txt")
            assert wait_for(child) == 0, (root / "log.txt").read_text()
        return folder
    before, folder = JOBS[job.needs[-1]], root / job.name
    if not folder.exists():
        shutil.copytree(prepare(before, root), folder)
        child = fork(partial(run_command, before, folder, root / "birds"), root / "log.txt")
        assert wait_for(child) == 0, (root / "log.txt").read_text()
    return folder


def run_alone(job: Job, template: Path, root: Path) -> tuple[dict[str, str], float, int]:
    """Run a command that nobody kills: return its results, its seconds, its changes to the disk."""
    folder = root / f"{job.name}-whole"
    shutil.copytree(template, folder)
    counted = root / f"{job.name}-changes.txt"

    def work() -> None:
        changes = itertools.count()
        watch_changes(folder, lambda: next(changes))
        try:
            run_command(job, folder, root / "birds")
        finally:
            counted.write_text(str(next(changes)))

    start = time.monotonic()
    status = wait_for(fork(work, root / "log.txt"))
    assert status == 0, (root / "log.txt").read_text()
    results = hash_results(job, folder)
    assert results, f"{job.name} leaves nothing of {job.results}"
    return results, time.monotonic() - start, int(counted.read_text())


def kill_at_random(case: Case, seconds: float, draw: random.Random) -> None:
    for _ in range(draw.randint(1, 3)):
        if case.job.is_done(case.folder):
            break
        child = fork(partial(run_command, case.job, case.folder, case.birds), case.log)
        time.sleep(draw.uniform(0, 1.05 * seconds))
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        case.kill(child)
    case.complete()


def kill_at_change(case: Case, count: int) -> None:
    changes = itertools.count(1)

    def tell() -> None:
        if next(changes) == count:
            os.kill(os.getpid(), signal.SIGKILL)

    def work() -> None:
        watch_changes(case.folder, tell)
        run_command(case.job, case.folder, case.birds)

    case.kill(fork(work, case.log))
    case.complete()


def kill_one_of_two(case: Case, seconds: float, draw: random.Random) -> None:
    """Have two processes run a command at once, and kill one: the other must not mind."""
    work = partial(run_command, case.job, case.folder, case.birds)
    killed, other = fork(work, case.log), fork(work, case.root / "other.txt")
    time.sleep(draw.uniform(0, 2.5 * seconds))
    with contextlib.suppress(ProcessLookupError):
        os.kill(killed, signal.SIGKILL)
    status, said = wait_for(other), (case.root / "other.txt").read_text()
    # Whoever comes second is told so where a command does its work but once.
    if status not in ((0, 1) if case.job.is_once else (0,)) or "Traceback" in said:
        case.fail(f"the other one ended with status {status}: {said[-200:]}")
    case.kill(killed, may_be_told=case.job.is_once)
    case.complete()


WAYS = {"kill": kill_at_random, "together": kill_one_of_two}


def kill_all(names: Sequence[str], cases: int, seed: int, way: str, *, every_change: bool) -> Tally:
    """Kill each command `cases` times in a way, and perhaps before every change that it makes."""
    draw, total = random.Random(seed), Tally()
    root = Path(tempfile.mkdtemp(prefix="faults-"))
    print(f"{'command':10}{'s':>6}{'changes':>9}{'kills':>7}{'too late':>10}{'failures':>10}")
    for name in names:
        job, tally = JOBS[name], Tally()
        template = prepare(job, root)
        expected, seconds, changes = run_alone(job, template, root)
        counts = [0] * cases + (list(range(1, changes + 1)) if every_change else [])
        for count in counts:
            before = len(tally.failures)
            case = Case(job, template, expected, tally)
            if count:
                kill_at_change(case, count)
            else:
                WAYS[way](case, seconds, draw)
            case.close(before)
        print(f"{name:10}{seconds:6.1f}{changes:9}{tally.kills:7}{tally.survived:10}", end="")
        print(f"{len(tally.failures):10}", flush=True)
        total.failures += tally.failures
        total.kills += tally.kills
    shutil.rmtree(root)
    return total


@contextlib.contextmanager
def mount(folder: Path, size: str) -> Iterator[Callable[[str], None]]:
    """Mount a small file system in memory at `folder`; yield what changes its options."""
    folder.mkdir(parents=True, exist_ok=True)

    def call(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True)

    call("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    try:
        yield lambda options: call("mount", "-o", f"remount,{options}", str(folder))
    finally:
        call("umount", "-l", str(folder))


def use_bad_disk(names: Sequence[str], steps: int) -> Tally:
    """Run each command on a disk with less and less room, and on one that cannot be written."""
    total = Tally()
    root = Path(tempfile.mkdtemp(prefix="faults-"))
    print(f"{'command':10}{'disk':>22}{'status':>8}  what it said")
    for name in names:
        job = JOBS[name]
        template = prepare(job, root)
        expected, *_ = run_alone(job, template, root)
        whole = measure(root / f"{name}-whole") - measure(template)
        for step in [*range(steps), None]:
            before = len(total.failures)
            case = Case(job, template, expected, total)
            shutil.rmtree(case.folder)
            with mount(case.folder, "1g") as remount:
                shutil.copytree(template, case.folder, dirs_exist_ok=True)
                used = measure(case.folder)
                words = "read-only"
                if step is None:
                    remount("ro")
                else:
                    room = whole * step // steps
                    words = f"room for {room // 1024} KiB"
                    remount(f"size={max(4096, used + room)}")  # 0 would be no limit
                status = wait_for(
                    fork(partial(run_command, job, case.folder, case.birds), case.log)
                )
                said = case.log.read_text().strip().splitlines() if case.log.exists() else []
                last = " ".join(" ".join(said[-5:]).split())[-300:]
                print(f"{name:10}{words:>22}{status:8}  {last}", flush=True)
                if status not in (0, 1) or any("Traceback" in line for line in said):
                    case.fail(f"{words}: status {status}, or a traceback")
                remount("rw,size=1g")
                case.look()
                case.complete()
            total.kills += 1
            case.close(before)
    shutil.rmtree(root)
    return total


def measure(folder: Path) -> int:
    """Return what a folder takes on a disk of whole pages, in bytes."""
    return sum(-(-path.stat().st_size // 4096) * 4096 + 4096 for path in folder.rglob("*"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=(*WAYS, "disk"))
    parser.add_argument("--commands", default=",".join(JOBS), help="with commas between")
    parser.add_argument("--cases", type=int, default=20, help="kills at random, per command")
    parser.add_argument("--only-random", action="store_true", help="not before every change")
    parser.add_argument("--steps", type=int, default=5, help="sizes of a full disk, per command")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    names = options.commands.split(",")
    if options.what == "disk":
        tally = use_bad_disk(names, options.steps)
    else:
        every_change = options.what == "kill" and not options.only_random
        way = options.what
        tally = kill_all(names, options.cases, options.seed, way, every_change=every_change)
    print(f"{tally.kills} faults, {len(tally.failures)} failures")
    return bool(tally.failures)


if __name__ == "__main__":
    sys.exit(main())
