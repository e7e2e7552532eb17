import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.config import REPOSITORY_ROOT, ExplorerError
from explorer.maps import drawing
from explorer.maps.cache import load_maps
from explorer.maps.drawing import count_drawn, draw_maps
from explorer.workspace.layout import ModuleEntry, WorkspaceError
from explorer.workspace.workspace import Workspace

Run = Callable[[Any], Any]
STOP = "pool2"
SCRIPT = f"""
import sys
from pathlib import Path
from explorer.maps.drawing import draw_maps
from explorer.workspace.workspace import Workspace
workspace = Workspace(Path(sys.argv[1]))
for progress in draw_maps(workspace, workspace.list_modules(), {STOP!r}):
    print(progress.done, flush=True)
"""


@pytest.fixture
def own(own_workspace: Path) -> Workspace:
    return Workspace(own_workspace)


@pytest.fixture
def entry(own: Workspace) -> ModuleEntry:
    (entry,) = own.list_modules()
    return entry


@pytest.fixture(scope="module")
def uninterrupted(tiny_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the file of an uninterrupted run."""
    folder = shutil.copytree(tiny_workspace, tmp_path_factory.mktemp("maps") / "workspace")
    workspace = Workspace(Path(folder))
    (entry,) = workspace.list_modules()
    for _ in draw_maps(workspace, [entry], STOP):
        pass
    return entry.get_maps_path(STOP).read_bytes()


def list_files(entry: ModuleEntry) -> set[str]:
    folder = entry.get_maps_path(STOP).parent
    return {path.name for path in folder.iterdir()} - {".lock"}


def test_every_photo_of_the_category_is_drawn_once(
    own: Workspace, entry: ModuleEntry, run: Run
) -> None:
    progress = list(draw_maps(own, [entry], STOP))
    assert [step.done for step in progress] == [1, 2, 3, 4, 5, 6, 6]
    assert {step.total for step in progress} == {6}
    photos = own.dataset.photos_of(entry.category)
    mapped = np.load(entry.get_maps_path(STOP), mmap_mode="r")
    assert isinstance(mapped, np.memmap)
    assert mapped["image_id"].tolist() == [photo.image_id for photo in photos]
    assert (mapped["maps"].dtype, mapped["maps"].shape) == (np.float16, (6, 5, 32, 32))
    assert list_files(entry) == {"pool2.npy"}
    again = run(draw_maps(own, [entry], STOP))
    assert (again.drawn, again.kept) == (0, 6)
    assert again.size == entry.get_maps_path(STOP).stat().st_size


@pytest.mark.slow
@pytest.mark.parametrize("photos", [1, 3, 5])
def test_a_killed_run_is_resumed_with_the_same_bytes(
    own: Workspace, entry: ModuleEntry, uninterrupted: bytes, run: Run, photos: int
) -> None:
    command = [sys.executable, "-c", SCRIPT, str(own.path)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY_ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY_ROOT, env=environment
    ) as process:
        assert process.stdout is not None
        for _ in range(photos):
            assert process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert list_files(entry) == {"pool2.npy.tmp"}
    assert load_maps(own, entry, own.dataset.photos_of(entry.category)[0], STOP) is None
    drawn = run(draw_maps(own, [entry], STOP))
    assert drawn.drawn <= 6 - photos
    assert drawn.drawn + drawn.kept == 6
    assert entry.get_maps_path(STOP).read_bytes() == uninterrupted


@pytest.mark.parametrize("cut", [0, 1, 200, 3000, 13_000, 40_000, 75_600])
def test_a_run_is_resumed_wherever_its_file_was_truncated(
    own: Workspace, entry: ModuleEntry, uninterrupted: bytes, run: Run, cut: int
) -> None:
    file = entry.get_maps_path(STOP)
    file.parent.mkdir()
    file.with_name("pool2.npy.tmp").write_bytes(uninterrupted[: len(uninterrupted) - cut])
    record = (len(uninterrupted) - 1) // 6  # too large by a part of the header
    drawn = run(draw_maps(own, [entry], STOP))
    assert drawn.drawn == -(-cut // record)
    assert file.read_bytes() == uninterrupted


def test_damaged_maps_of_a_partial_file_are_drawn_again(
    own: Workspace, entry: ModuleEntry, uninterrupted: bytes, run: Run
) -> None:
    file = entry.get_maps_path(STOP)
    file.parent.mkdir()
    broken = bytearray(uninterrupted)
    broken[len(broken) // 2] ^= 1
    file.with_name("pool2.npy.tmp").write_bytes(broken)
    assert 0 < run(draw_maps(own, [entry], STOP)).kept < 6
    assert file.read_bytes() == uninterrupted


def test_a_closed_run_is_resumed(
    own: Workspace, entry: ModuleEntry, uninterrupted: bytes, run: Run
) -> None:
    steps = draw_maps(own, [entry], STOP)
    next(steps), next(steps)
    steps.close()
    assert run(draw_maps(own, [entry], STOP)).drawn == 4
    assert entry.get_maps_path(STOP).read_bytes() == uninterrupted


def test_maps_of_other_weights_are_replaced(
    own: Workspace, entry: ModuleEntry, uninterrupted: bytes, run: Run
) -> None:
    file = entry.get_maps_path(STOP)
    file.parent.mkdir()
    old = np.frombuffer(uninterrupted, np.uint8).copy()
    (key,) = set(np.load(_put(file, uninterrupted))["key"].tolist())
    stale = old.tobytes().replace(key, b"0" * 64)
    for path in (file, file.with_name("pool2.npy.tmp")):
        path.write_bytes(stale)
    steps = draw_maps(own, [entry], STOP)
    next(steps)
    assert file.read_bytes() == stale  # until all maps are drawn
    assert run(steps).drawn == 6
    assert file.read_bytes() == uninterrupted


def _put(file: Path, data: bytes) -> Path:
    file.write_bytes(data)
    return file


def test_two_runs_draw_the_same_maps_once(
    own: Workspace, entry: ModuleEntry, uninterrupted: bytes, run: Run
) -> None:
    first, second = draw_maps(own, [entry], STOP), draw_maps(own, [entry], STOP)
    next(first), next(first)
    assert next(second).done == 2  # it waits, and reports the progress of the first
    assert run(first).drawn == 6
    assert run(second).drawn == 0
    assert entry.get_maps_path(STOP).read_bytes() == uninterrupted


def test_a_module_replaced_while_drawing_is_detected(
    own: Workspace, entry: ModuleEntry, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = draw_maps(own, [entry], STOP)
    next(steps)
    keys: Iterator[bytes] = iter([b"another" * 9])
    monkeypatch.setattr(drawing, "compute_key", lambda *_: next(keys))
    with pytest.raises(WorkspaceError, match="trained again while its maps were drawn"):
        run(steps)
    assert list_files(entry) == {"pool2.npy.tmp"}


def test_one_bad_module_does_not_stop_the_others(
    own: Workspace, entry: ModuleEntry, run: Run
) -> None:
    other = Path(shutil.copytree(entry.path.parent, entry.path.parents[1] / "broken"))
    (other / entry.path.name).write_bytes(b"junk")
    entries = own.list_modules()
    assert next(e.run for e in entries) == "broken"
    with pytest.raises(WorkspaceError, match=r"broken: .*not a readable safetensors"):
        run(draw_maps(own, entries, STOP))
    photos = own.dataset.photos_of(entry.category)
    assert load_maps(own, entry, photos[-1], STOP) is not None
    assert count_drawn(own, entries, STOP) == len(photos)


def test_an_unknown_layer_is_refused_before_anything_is_drawn(
    own: Workspace, entry: ModuleEntry, run: Run
) -> None:
    with pytest.raises(ExplorerError, match="relu1"):
        run(draw_maps(own, [entry], "pool9"))
    assert not entry.get_maps_path(STOP).parent.exists()
