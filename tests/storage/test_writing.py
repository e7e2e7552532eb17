import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from explorer.storage.writing import open_atomic, stage_folder, write_bytes, write_text

PROJECT = Path(__file__).parents[2]


def test_files_are_written_to_new_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "text.txt"
    write_text(path, "Schöne Vögel\n")
    assert path.read_bytes() == "Schöne Vögel\n".encode()
    write_bytes(path, b"\x00\x01")
    assert path.read_bytes() == b"\x00\x01"
    assert list(path.parent.iterdir()) == [path]


def test_files_can_be_read_by_others(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "x")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, GeneratorExit])
def test_an_interrupted_write_keeps_the_old_file(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(error), open_atomic(path) as file:  # noqa: PT012
        file.write(b"half of the n")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_file_is_visible_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with open_atomic(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_data_is_synced_before_the_file_is_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    seen: list[tuple[int, bool]] = []

    def record(descriptor: int) -> None:
        seen.append((os.fstat(descriptor).st_size, path.exists()))

    monkeypatch.setattr(os, "fsync", record)
    write_bytes(path, b"12345")
    assert seen == [(5, False)]


def test_a_full_disk_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=r"No space left on device: '.*file'"):
        write_text(tmp_path / "file", "text")
    assert list(tmp_path.iterdir()) == []


def test_a_staged_folder_appears_only_when_complete(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder"
    with stage_folder(target) as draft:
        (draft / "a.txt").write_text("1")
        assert not target.exists()
    assert (target / "a.txt").read_text() == "1"
    assert [file.name for file in target.parent.iterdir()] == ["folder"]
    assert target.stat().st_mode & 0o777 == 0o755


def test_a_staged_folder_replaces_only_an_empty_one(tmp_path: Path) -> None:
    empty, full = tmp_path / "empty", tmp_path / "full"
    empty.mkdir()
    (empty / ".DS_Store").touch()  # macOS shows the folder as empty
    full.mkdir()
    (full / "mine.txt").write_text("keep")
    with stage_folder(empty) as draft:
        (draft / "a.txt").write_text("1")
    assert [file.name for file in empty.iterdir()] == ["a.txt"]
    with pytest.raises(OSError, match="not empty"), stage_folder(full) as draft:
        (draft / "a.txt").write_text("1")
    assert [file.name for file in full.iterdir()] == ["mine.txt"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["empty", "full"]


def test_a_staged_folder_is_removed_when_its_writer_is_interrupted(tmp_path: Path) -> None:
    def write() -> None:
        with stage_folder(tmp_path / "folder") as draft:
            (draft / "a.txt").write_text("1")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert list(tmp_path.iterdir()) == []


def test_a_killed_writer_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    script = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from explorer.storage.writing import open_atomic\n"
        f"with open_atomic(Path({str(target)!r})) as file:\n"
        "    file.write(b'half'); file.flush()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert target.read_text() == "old"
