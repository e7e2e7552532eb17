import shutil
from pathlib import Path

import pytest
from steps import run_steps

from explorer.config import Progress
from explorer.data.cub import load_cub
from explorer.data.identical import describe_identical, find_identical, label_contents
from explorer.storage import reading


@pytest.fixture
def folder(cub_folder: Path) -> Path:
    """Return a CUB folder whose three photos all differ."""
    for photo in load_cub(cub_folder).photos:
        with photo.path.open("ab") as file:  # bytes after a picture are ignored
            file.write(str(photo.image_id).zfill(3).encode())
    return cub_folder


def copy(folder: Path, source: int, target: int) -> None:
    dataset = load_cub(folder)
    shutil.copyfile(dataset.get_photo(source).path, dataset.get_photo(target).path)


def test_copies_are_found_by_their_content(folder: Path) -> None:
    assert run_steps(find_identical(load_cub(folder).photos)) == ()
    copy(folder, 30, 5)
    assert run_steps(find_identical(load_cub(folder).photos)) == ((5, 30),)
    copy(folder, 30, 12)
    assert run_steps(find_identical(load_cub(folder).photos)) == ((5, 12, 30),)


def test_two_names_of_one_file_are_copies(folder: Path) -> None:
    """As on a disk that does not distinguish ``a.jpg`` and ``A.jpg``."""
    dataset = load_cub(folder)
    path = dataset.get_photo(12).path
    path.unlink()
    path.hardlink_to(dataset.get_photo(5).path)
    assert run_steps(find_identical(dataset.photos)) == ((5, 12),)


def test_only_files_of_equal_size_are_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = load_cub(folder).photos
    for photo, content in zip(photos, (b"longer", b"same", b"size"), strict=True):
        photo.path.write_bytes(content)
    read: list[Path] = []
    original = reading.hash_regular

    def record(path: Path) -> str:
        read.append(path)
        return original(path)

    monkeypatch.setattr("explorer.data.identical.hash_regular", record)
    steps = list(find_identical(photos))
    assert read == [photo.path for photo in photos[1:]]
    assert steps == [Progress("Looking for identical photos", 2, 2)]


def test_files_that_are_missing_or_empty_are_no_copies(folder: Path) -> None:
    photos = load_cub(folder).photos
    photos[0].path.unlink()
    for photo in photos[1:]:
        photo.path.write_bytes(b"")
    assert run_steps(find_identical(photos)) == ()


def test_identical_photos_share_a_number() -> None:
    assert label_contents([7, 12, 5, 30], ((5, 12), (30, 31))).tolist() == [7, 5, 5, 30]
    assert label_contents([], ((5, 12),)).tolist() == []


def test_copies_with_different_labels_are_described(folder: Path) -> None:
    photos = load_cub(folder).photos
    assert describe_identical(photos, ()) == []
    same = "2 photos have the same file as another one, such as those with ids 5 and 12."
    assert describe_identical(photos, ((5, 12),)) == [same]
    assert describe_identical(photos, ((5, 30),)) == [
        same.replace("12", "30"),
        "1 file is labelled as several categories, such as the photos with ids 5 and 30. Only one "
        "label can be right.",
    ]
