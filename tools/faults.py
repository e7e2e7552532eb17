"""Kills commands and fills the disk, and checks the workspace afterwards.

``kill`` runs commands of the explorer on a small workspace of painted birds and kills them with
SIGKILL, at random times and before each change to the disk. Each time, the workspace must open
without damage and contain everything that was finished before. The command, run again, must produce
the same bytes as an uninterrupted run. ``together`` runs two processes of a command at the same
time in one workspace and kills one of them. ``disk`` runs commands on a full disk, then on a
read-only one (a small file system in memory, which needs permission to mount it).

The exit status is 1 if anything was lost, could not be opened or has a different result.
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

PAINTED = PaintedSettings(photos_per_category=3, test_photos_per_category=1, size=64, plan="pairs")
CHANGE_EVENTS = (
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.truncate",
    "os.link",
    "os.chmod",
)
_SHORT_TRAINING = (
    *("--epochs", "2", "--pretrain-epochs", "1", "--widths", "16,8", "--batch-size", "16"),
    *("--group-size", "1"),  # modules in a larger group differ by rounding
)


@dataclass(frozen=True)
class Command:
    """A command, the commands it requires, and the files it creates."""

    name: str
    arguments: Callable[[Path, Path], Sequence[str]]  # for a workspace and the birds
    requires: tuple[str, ...]
    results: tuple[str, ...]  # patterns of files that must be the same after each run
    has_finished: Callable[[Path], bool] | None = None  # for commands that refuse to run again

    @property
    def runs_once(self) -> bool:
        return self.has_finished is not None

    def is_done(self, folder: Path) -> bool:
        """Return whether running the command again is an error."""
        return self.has_finished is not None and self.has_finished(folder)


def _has_classifier(folder: Path) -> bool:
    return bool(Workspace(folder).settings.classifier_sha256)


COMMANDS = {
    command.name: command
    for command in (
        Command(
            "new",
            lambda folder, birds: ("new", str(folder), "--cub", str(birds), "--arch",
                            "vgg_small", "--held-out", "last:1"),
            (),
            ("workspace.json",),
            lambda folder: (folder / "workspace.json").exists(),
        ),
        Command(
            "finetune",
            lambda folder, _: ("finetune", str(folder), "--epochs", "2", "--batch-size", "20"),
            ("new",),
            ("workspace.json", "classifier.safetensors"),
            _has_classifier,
        ),
        Command(
            "train",
            lambda folder, _: ("train", str(folder), "--category", "moonbar warbler",
                               "--category", "plainsong warbler", "--missing", *_SHORT_TRAINING),
            ("new", "finetune"),
            ("features/*/*.npy", "modules/*/*/module.safetensors", "modules/*/*/metrics.json"),
        ),
        Command(
            "evaluate",
            lambda folder, _: ("evaluate", str(folder), "--methods", "srae:epochs=2,z",
                            "--categories", "1"),
            ("new", "finetune", "train"),
            ("metrics.json", "results/*.csv", "results/*.md"),
        ),
        Command(
            "maps",
            lambda folder, _: ("maps", str(folder), "--all"),
            ("new", "finetune", "train"),
            ("modules/*/*/maps/*",),
        ),
    )
}  # fmt: skip


@dataclass
class Tally:
    """Numbers of kills, and the failures."""

    kills: int = 0
    late_kills: int = 0  # after the command had ended
    failures: list[str] = field(default_factory=list)


def fork(work: Callable[[], None], log: Path) -> int:
    """Call a function in a child process, with its output in a file; return the process id.

    Forking saves the time for importing torch. It is safe because only the child computes.
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
    """Wait for a child; return its exit status, negative for the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run_command(command: Command, folder: Path, birds: Path) -> None:
    sys.argv = ["explorer", *command.arguments(folder, birds)]
    command_line.main()


def watch_changes(folder: Path, callback: Callable[[], None]) -> None:
    """Call `callback` before each change that this process makes to the contents of `folder`."""

    def check_event(event: str, arguments: tuple[object, ...]) -> None:
        is_write = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_ACCMODE
        if (event in CHANGE_EVENTS or is_write) and str(folder) in str(arguments[0]):
            callback()

    sys.addaudithook(check_event)


def hash_results(command: Command, folder: Path) -> dict[str, str]:
    """Return the hashes of the files that a command creates, by name."""
    files = (path for pattern in command.results for path in folder.glob(pattern) if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if not path.name.startswith(".")
    }


def check_workspace(folder: Path) -> None:
    """Raise an error if the workspace cannot be opened or is damaged."""
    if not (folder / "workspace.json").exists():
        return
    workspace = Workspace(folder)
    if not workspace.settings.classifier_sha256:
        return
    for entry in workspace.list_modules():
        load_module(entry.path, workspace.networks.backbone)
        load_module_measures(workspace, entry)
    errors = [found for found in run(examine(folder)) if found.severity is Severity.ERROR]
    if errors:
        raise ExplorerError(f"{errors[0].path}: {errors[0].problem}")


class Case:
    """A copy of a prepared workspace, on which a command is killed and then completed."""

    def __init__(
        self, command: Command, template: Path, expected: dict[str, str], tally: Tally
    ) -> None:
        self.command, self.expected, self.tally = command, expected, tally
        self.birds = template.parent / "birds"
        self.root = Path(tempfile.mkdtemp(prefix="faults-"))
        self.folder = self.root / "workspace"
        shutil.copytree(template, self.folder)
        self.log = self.root / "log.txt"
        self.finished: dict[str, str] = {}

    def fail(self, reason: str) -> None:
        self.tally.failures.append(f"{self.command.name}: {reason}; {self.root}")
        print(f"FAILED {self.tally.failures[-1]}", flush=True)

    def check_killed(self, child: int, *, may_be_refused: bool = False) -> None:
        """Check the workspace after a child was killed, or has ended before that."""
        status = wait_for(child)
        if status == -signal.SIGKILL:
            self.tally.kills += 1
        elif status == 0 or (status == 1 and may_be_refused):
            self.tally.late_kills += 1
        else:
            self.fail(f"ended with status {status}")
        self.check()

    def check(self) -> None:
        """Open the workspace and compare the results that were already finished."""
        if wait_for(fork(partial(check_workspace, self.folder), self.log)):
            self.fail(f"cannot be opened: {self.log.read_text().splitlines()[-1]}")
        found = hash_results(self.command, self.folder)
        lost = [name for name in self.finished if found.get(name) != self.finished[name]]
        if lost:
            self.fail(f"lost {lost[0]}")
        finished = (name for name in found if found[name] == self.expected.get(name))
        self.finished = {name: found[name] for name in finished}

    def complete(self) -> None:
        """Run the command without interruption and compare all results."""
        if not self.command.is_done(self.folder):
            status = wait_for(
                fork(partial(run_command, self.command, self.folder, self.birds), self.log)
            )
            if status:
                self.fail(f"does not continue: status {status}")
        self.check()
        found = hash_results(self.command, self.folder)
        if found != self.expected:
            differ = {n for n in found.keys() | self.expected.keys()
                      if found.get(n) != self.expected.get(n)}  # fmt: skip
            self.fail(f"different results: {sorted(differ)[:3]}")

    def close(self, failures_before: int) -> None:
        if len(self.tally.failures) == failures_before:
            shutil.rmtree(self.root)


def prepare(command: Command, root: Path) -> Path:
    """Return a workspace in which the required commands have been run."""
    if not command.requires:
        folder = root / "new"
        if not folder.exists():
            folder.mkdir()
            child = fork(lambda: run(paint_dataset(root / "birds", PAINTED)), root / "log.txt")
            assert wait_for(child) == 0, (root / "log.txt").read_text()
        return folder
    before, folder = COMMANDS[command.requires[-1]], root / command.name
    if not folder.exists():
        shutil.copytree(prepare(before, root), folder)
        child = fork(partial(run_command, before, folder, root / "birds"), root / "log.txt")
        assert wait_for(child) == 0, (root / "log.txt").read_text()
    return folder


def run_uninterrupted(
    command: Command, template: Path, root: Path
) -> tuple[dict[str, str], float, int]:
    """Run a command; return its results, time in seconds and number of changes to the disk."""
    folder = root / f"{command.name}-complete"
    shutil.copytree(template, folder)
    counted = root / f"{command.name}-changes.txt"

    def work() -> None:
        changes = itertools.count()
        watch_changes(folder, lambda: next(changes))
        try:
            run_command(command, folder, root / "birds")
        finally:
            counted.write_text(str(next(changes)))

    start = time.monotonic()
    status = wait_for(fork(work, root / "log.txt"))
    assert status == 0, (root / "log.txt").read_text()
    results = hash_results(command, folder)
    assert results, f"{command.name} creates none of {command.results}"
    return results, time.monotonic() - start, int(counted.read_text())


def kill_at_random(case: Case, seconds: float, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 3)):
        if case.command.is_done(case.folder):
            break
        child = fork(partial(run_command, case.command, case.folder, case.birds), case.log)
        time.sleep(rng.uniform(0, 1.05 * seconds))
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        case.check_killed(child)
    case.complete()


def kill_at_change(case: Case, count: int) -> None:
    changes = itertools.count(1)

    def kill_if_reached() -> None:
        if next(changes) == count:
            os.kill(os.getpid(), signal.SIGKILL)

    def work() -> None:
        watch_changes(case.folder, kill_if_reached)
        run_command(case.command, case.folder, case.birds)

    case.check_killed(fork(work, case.log))
    case.complete()


def kill_one_of_two(case: Case, seconds: float, rng: random.Random) -> None:
    """Run a command in two processes at once and kill one, which must not affect the other."""
    work = partial(run_command, case.command, case.folder, case.birds)
    killed, other = fork(work, case.log), fork(work, case.root / "other.txt")
    time.sleep(rng.uniform(0, 2.5 * seconds))
    with contextlib.suppress(ProcessLookupError):
        os.kill(killed, signal.SIGKILL)
    status, output = wait_for(other), (case.root / "other.txt").read_text()
    # Some commands refuse to run a second time.
    if status not in ((0, 1) if case.command.runs_once else (0,)) or "Traceback" in output:
        case.fail(f"the other process ended with status {status}: {output[-200:]}")
    case.check_killed(killed, may_be_refused=case.command.runs_once)
    case.complete()


MODES = {"kill": kill_at_random, "together": kill_one_of_two}


def kill_all(
    names: Sequence[str], cases: int, seed: int, mode: str, *, every_change: bool
) -> Tally:
    """Run `cases` cases of each command, and optionally one for each change to the disk."""
    rng, total = random.Random(seed), Tally()
    root = Path(tempfile.mkdtemp(prefix="faults-"))
    print(f"{'command':10}{'s':>6}{'changes':>9}{'kills':>7}{'too late':>10}{'failures':>10}")
    for name in names:
        command, tally = COMMANDS[name], Tally()
        template = prepare(command, root)
        expected, seconds, changes = run_uninterrupted(command, template, root)
        counts = [0] * cases + (list(range(1, changes + 1)) if every_change else [])
        for count in counts:
            before = len(tally.failures)
            case = Case(command, template, expected, tally)
            if count:
                kill_at_change(case, count)
            else:
                MODES[mode](case, seconds, rng)
            case.close(before)
        print(f"{name:10}{seconds:6.1f}{changes:9}{tally.kills:7}{tally.late_kills:10}", end="")
        print(f"{len(tally.failures):10}", flush=True)
        total.failures += tally.failures
        total.kills += tally.kills
    shutil.rmtree(root)
    return total


@contextlib.contextmanager
def mount(folder: Path, size: str) -> Iterator[Callable[[str], None]]:
    """Mount a small file system in memory at `folder`; yield a function that remounts it."""
    folder.mkdir(parents=True, exist_ok=True)

    def call(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True)

    call("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    try:
        yield lambda options: call("mount", "-o", f"remount,{options}", str(folder))
    finally:
        call("umount", "-l", str(folder))


def run_on_bad_disks(names: Sequence[str], steps: int) -> Tally:
    """Run each command on disks with different amounts of free space, and on a read-only one."""
    total = Tally()
    root = Path(tempfile.mkdtemp(prefix="faults-"))
    print(f"{'command':10}{'disk':>22}{'status':>8}  output")
    for name in names:
        command = COMMANDS[name]
        template = prepare(command, root)
        expected, *_ = run_uninterrupted(command, template, root)
        needed = measure_disk_usage(root / f"{name}-complete") - measure_disk_usage(template)
        for step in [*range(steps), None]:
            before = len(total.failures)
            case = Case(command, template, expected, total)
            shutil.rmtree(case.folder)
            with mount(case.folder, "1g") as remount:
                shutil.copytree(template, case.folder, dirs_exist_ok=True)
                used = measure_disk_usage(case.folder)
                state = "read-only"
                if step is None:
                    remount("ro")
                else:
                    free = needed * step // steps
                    state = f"{free // 1024} KiB free"
                    remount(f"size={max(4096, used + free)}")  # 0 would mean no limit
                status = wait_for(
                    fork(partial(run_command, command, case.folder, case.birds), case.log)
                )
                output = case.log.read_text().strip().splitlines() if case.log.exists() else []
                last = " ".join(" ".join(output[-5:]).split())[-300:]
                print(f"{name:10}{state:>22}{status:8}  {last}", flush=True)
                if status not in (0, 1) or any("Traceback" in line for line in output):
                    case.fail(f"{state}: status {status}, or a traceback")
                remount("rw,size=1g")
                case.check()
                case.complete()
            total.kills += 1
            case.close(before)
    shutil.rmtree(root)
    return total


def measure_disk_usage(folder: Path) -> int:
    """Return the size of a folder on a disk with pages of 4 KiB, in bytes."""
    return sum(-(-path.stat().st_size // 4096) * 4096 + 4096 for path in folder.rglob("*"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=(*MODES, "disk"))
    parser.add_argument("--commands", default=",".join(COMMANDS), help="separated by commas")
    parser.add_argument("--cases", type=int, default=20, help="random cases per command")
    parser.add_argument(
        "--only-random", action="store_true", help="do not also kill before each change"
    )
    parser.add_argument("--steps", type=int, default=5, help="disk sizes per command")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    names = options.commands.split(",")
    if options.mode == "disk":
        tally = run_on_bad_disks(names, options.steps)
    else:
        every_change = options.mode == "kill" and not options.only_random
        tally = kill_all(
            names, options.cases, options.seed, options.mode, every_change=every_change
        )
    print(f"{tally.kills} faults, {len(tally.failures)} failures")
    return bool(tally.failures)


if __name__ == "__main__":
    sys.exit(main())
