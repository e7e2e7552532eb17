import hashlib
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from explorer.config import ExplorerError
from explorer.data.cub import load_cub
from explorer.data.fetching.archive import ArchiveLimits
from explorer.data.fetching.cub import CUB_200_2011, CubRelease, fetch_cub
from explorer.data.fetching.transfer import DownloadError, RemoteFile, RetryPolicy

Run = Callable[[Any], Any]
QUICK = RetryPolicy(connect_timeout=2, read_timeout=1, attempts=2, pause_seconds=0)


def publish(server: Any, archive: Path) -> CubRelease:
    """Serve an archive of the three photos of `cub_folder`."""
    server.data = archive.read_bytes()
    sha256 = hashlib.sha256(server.data).hexdigest()
    file = RemoteFile(server.url, "CUB_200_2011.tgz", sha256, len(server.data))
    return CubRelease(file, 3, 2, 2, 10_000, ArchiveLimits(10_000_000, 100))


@pytest.fixture
def release(server: Any, cub_folder: Path, tmp_path: Path) -> CubRelease:
    with tarfile.open(tmp_path / "made.tgz", "w:gz") as tar:
        tar.add(cub_folder, "CUB_200_2011")
        tar.add(cub_folder / "classes.txt", "attributes.txt")  # as in the real archive
    return publish(server, tmp_path / "made.tgz")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def list_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_data_set_is_fetched_and_unpacked_without_leftovers(
    release: CubRelease, home: Path, cub_folder: Path
) -> None:
    steps, stages = fetch_cub(home, release, QUICK), []
    while True:
        try:
            stages.append(next(steps).stage)
        except StopIteration as stop:
            fetched = stop.value
            break
    assert (fetched.path, fetched.already_existed) == (home / "CUB_200_2011", False)
    assert [p.path.name for p in load_cub(fetched.path).photos] == ["c.jpg", "a.jpg", "b.jpg"]
    photo = "images/007.Red_Bird/a.jpg"
    assert (fetched.path / photo).read_bytes() == (cub_folder / photo).read_bytes()
    names = fetched.path / "attributes" / "attributes.txt"
    assert names.read_bytes() == (cub_folder / "classes.txt").read_bytes()
    assert list_names(home) == ["CUB_200_2011"]
    assert list(dict.fromkeys(stages)) == [
        "Downloading CUB_200_2011.tgz, MB",
        "Checking CUB_200_2011.tgz, MB",
        "Unpacking CUB_200_2011.tgz, MB",
        "Checking the data set",
    ]


def test_the_archive_can_be_kept_and_used_again(
    release: CubRelease, home: Path, run: Run, server: Any
) -> None:
    run(fetch_cub(home, release, QUICK, keep_archive=True))
    assert list_names(home) == ["CUB_200_2011", "CUB_200_2011.tgz"]
    shutil.rmtree(home / "CUB_200_2011")
    assert not run(fetch_cub(home, release, QUICK)).already_existed
    assert len(server.requests) == 1
    assert list_names(home) == ["CUB_200_2011"]


def test_an_existing_data_set_is_checked_without_the_network(
    release: CubRelease, home: Path, run: Run, server: Any, cub_folder: Path
) -> None:
    run(fetch_cub(home, release, QUICK))
    fetched = run(fetch_cub(home, release, QUICK))
    assert (fetched.path, fetched.already_existed) == (home / "CUB_200_2011", True)
    assert run(fetch_cub(cub_folder, release, QUICK)).path == cub_folder, (
        "it is the data set itself"
    )
    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", ["photo missing", "photo empty", "table missing", "folder empty"])
def test_an_incomplete_folder_is_refused_and_not_changed(
    release: CubRelease, home: Path, run: Run, cub_folder: Path, fault: str
) -> None:
    target = home / "CUB_200_2011"
    shutil.copytree(cub_folder, target)
    photo = target / "images/007.Red_Bird/a.jpg"
    if fault == "photo missing":
        photo.unlink()
    elif fault == "photo empty":
        photo.write_bytes(b"")
    elif fault == "table missing":
        (target / "bounding_boxes.txt").unlink()
    else:
        shutil.rmtree(target)
        target.mkdir()
    before = sorted(target.rglob("*"))
    with pytest.raises(DownloadError, match=r"exists, but is not the complete.*Move it away"):
        run(fetch_cub(home, release, QUICK))
    assert sorted(target.rglob("*")) == before
    assert list_names(home) == ["CUB_200_2011"]


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("photos", "3 photos instead of 4"),
        ("categories", "2 categories instead of 4"),
        ("training_photos", "2 photos for training instead of 4"),
    ],
)
def test_another_data_set_is_recognised_by_its_counts(
    release: CubRelease, home: Path, run: Run, field: str, words: str
) -> None:
    with pytest.raises(DownloadError, match=words):
        run(fetch_cub(home, replace(release, **{field: 4}), QUICK))
    assert list_names(home) == ["CUB_200_2011.tgz"]


def test_a_hostile_archive_leaves_nothing_behind(
    server: Any, home: Path, run: Run, tmp_path: Path, cub_folder: Path
) -> None:
    with tarfile.open(tmp_path / "made.tgz", "w:gz") as tar:
        tar.add(cub_folder, "CUB_200_2011")
        tar.add(cub_folder / "classes.txt", "../../outside.txt")
    with pytest.raises(DownloadError, match="outside the target folder"):
        run(fetch_cub(home, publish(server, tmp_path / "made.tgz"), QUICK))
    assert list_names(home) == ["CUB_200_2011.tgz"]
    assert not list(tmp_path.rglob("outside.txt"))


def test_an_archive_of_something_else_is_refused(
    server: Any, home: Path, run: Run, tmp_path: Path, cub_folder: Path
) -> None:
    with tarfile.open(tmp_path / "made.tgz", "w:gz") as tar:
        tar.add(cub_folder, "birds")
    with pytest.raises(DownloadError, match="does not hold the complete"):
        run(fetch_cub(home, publish(server, tmp_path / "made.tgz"), QUICK))
    assert list_names(home) == ["CUB_200_2011.tgz"]


def test_stopping_during_unpacking_keeps_the_archive(
    release: CubRelease, home: Path, run: Run, server: Any
) -> None:
    steps = fetch_cub(home, release, QUICK)
    while not next(steps).stage.startswith("Unpacking"):
        pass
    steps.close()
    assert list_names(home) == ["CUB_200_2011.tgz"]
    run(fetch_cub(home, release, QUICK))
    assert len(server.requests) == 1


def test_leftovers_of_a_killed_process_are_removed(
    release: CubRelease, home: Path, run: Run
) -> None:
    left = home / ".CUB_200_2011.unpacking/CUB_200_2011"
    left.mkdir(parents=True)
    (left / "images.txt").write_text("half")
    run(fetch_cub(home, release, QUICK))
    assert list_names(home) == ["CUB_200_2011"]


def test_free_space_for_archive_and_photos_is_checked_first(
    release: CubRelease, home: Path, run: Run, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: real._replace(free=1_000_000_000))
    with pytest.raises(ExplorerError, match=r"Fetching and unpacking .* needs 2\.6 GB.*1\.0 GB"):
        run(fetch_cub(home, CUB_200_2011, QUICK))
    assert not server.requests


def test_a_failed_download_can_be_resumed(
    release: CubRelease, home: Path, run: Run, server: Any
) -> None:
    half = len(server.data) // 2

    def break_off(handler: Any) -> None:
        handler.send(200, server.data[:half], Content_Length=str(len(server.data)), ETag=server.tag)

    server.script = [break_off, *[lambda handler: handler.send(500)] * 3]
    with pytest.raises(DownloadError, match="kept"):
        run(fetch_cub(home, release, QUICK))
    assert list_names(home) == ["CUB_200_2011.tgz.part"]
    server.script = []
    run(fetch_cub(home, release, QUICK))
    assert server.requests[-1]["range"] == f"bytes={half}-"
    assert list_names(home) == ["CUB_200_2011"]
