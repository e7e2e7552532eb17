import gzip
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from photos import hide_photos
from PIL import Image

from explorer.config import CUB_ROOT_VARIABLE
from explorer.data.cub import CubDataset, load_cub
from explorer.data.cub_files import CUB_FOLDER, TABLES, DatasetError
from explorer.data.photo import load_photo
from explorer.data.photo_folders import (
    find_photos_elsewhere,
    list_photo_folders,
    list_refused_folders,
    remember_photo_folder,
    stamp_photo_folders,
    use_photos_of,
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state_folder: Path) -> Path:
    """Return the user's cache folder, with nothing in it, and no folder named or remembered."""
    folder = tmp_path / "cache"
    hide_photos(monkeypatch, folder)
    return folder


@pytest.fixture
def tables(cub_folder: Path, tmp_path: Path) -> CubDataset:
    """Return the tables of `cub_folder`, packed, without its photos."""
    folder = tmp_path / "tables"
    for name in TABLES:
        packed = folder / f"{name}.gz"
        packed.parent.mkdir(parents=True, exist_ok=True)
        packed.write_bytes(gzip.compress((cub_folder / name).read_bytes()))
    return load_cub(folder)


def test_packed_tables_say_the_same_as_plain_ones(cub_folder: Path, tables: CubDataset) -> None:
    whole = load_cub(cub_folder)
    assert (whole.has_photos, tables.has_photos) == (True, False)
    assert tables.missing == frozenset()
    assert tables.present == tables.photos
    for plain, packed in zip(whole.photos, tables.photos, strict=True):
        np.testing.assert_array_equal(plain.parts, packed.parts)
        same = {"parts": plain.parts, "visible": plain.visible}
        assert replace(packed, path=plain.path, **same).__dict__ == plain.__dict__


def test_a_table_that_is_there_in_both_forms_is_read_plain(
    cub_folder: Path, tables: CubDataset
) -> None:
    (tables.root / "classes.txt").write_text("7 Red\n16 Blue\n")
    assert load_cub(tables.root).categories == ("Red", "Blue")


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: b"text" + data])
def test_a_damaged_packed_table_is_named(tables: CubDataset, damage: object) -> None:
    packed = tables.root / "images.txt.gz"
    packed.write_bytes(damage(packed.read_bytes()))
    with pytest.raises(DatasetError, match=r"images\.txt cannot be read"):
        load_cub(tables.root)


def test_a_packed_table_that_would_fill_the_memory_is_refused(
    tables: CubDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tables.root / "images.txt.gz").write_bytes(gzip.compress(b"0" * 70 * 2**20))
    with pytest.raises(DatasetError, match="unpacks to more than"):
        load_cub(tables.root)


def test_an_emptied_folder_of_photos_is_not_a_data_set_without_photos(cub_folder: Path) -> None:
    shutil.rmtree(cub_folder / "images")
    (cub_folder / "images").mkdir()
    with pytest.raises(DatasetError, match="is missing"):
        load_cub(cub_folder)


def test_names_of_absent_photos_are_checked_too(tables: CubDataset) -> None:
    names = tables.root / "images.txt"
    names.write_text("30 ../../c.jpg\n5 007.Red_Bird/a.jpg\n12 007.Red_Bird/b.jpg\n")
    with pytest.raises(DatasetError, match="leads out"):
        load_cub(tables.root)


def test_without_any_copy_the_tables_stay_as_they_are(tables: CubDataset) -> None:
    assert find_photos_elsewhere(tables) is tables
    assert list_refused_folders(tables) == {}


@pytest.mark.parametrize("place", ["named", "cache", "remembered"])
def test_a_copy_is_found_in_every_place(
    tables: CubDataset,
    cub_folder: Path,
    cache: Path,
    place: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = stamp_photo_folders()
    folder = cub_folder
    if place == "named":
        monkeypatch.setenv(CUB_ROOT_VARIABLE, str(folder))
    elif place == "cache":
        folder = Path(shutil.copytree(cub_folder, cache / CUB_FOLDER))
    else:
        remember_photo_folder(folder)
    found = find_photos_elsewhere(tables)
    assert stamp_photo_folders() != before
    assert (found.root, found.photos_root) == (tables.root, folder)
    assert found.has_photos
    assert not found.has_own_photos
    assert [load_photo(photo).shape for photo in found.photos] == [(10, 20, 3)] * 3


def test_the_named_copy_comes_first(
    cub_folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember_photo_folder(cub_folder)
    monkeypatch.setenv(CUB_ROOT_VARIABLE, "/somewhere")
    assert list_photo_folders() == (Path("/somewhere"), cache / CUB_FOLDER, cub_folder)


def test_boxes_and_parts_are_those_of_the_copy_at_its_own_size(
    tables: CubDataset, cub_folder: Path
) -> None:
    boxes = cub_folder / "bounding_boxes.txt"
    boxes.write_text("5 2.0 4.0 20.0 16.0\n12 0 0 40 20\n30 9 6 12 10\n")
    for photo in load_cub(cub_folder).photos:
        Image.new("RGB", (40, 20)).save(photo.path)
    found = use_photos_of(tables, cub_folder)
    assert found.get_photo(5).box == (2.0, 4.0, 20.0, 16.0)
    assert tables.get_photo(5).box == (1.0, 2.0, 10.0, 8.0)


def test_a_copy_may_hold_more_and_in_another_order(tables: CubDataset, cub_folder: Path) -> None:
    names = tables.root / "images.txt"
    names.write_text("12 007.Red_Bird/b.jpg\n30 016.Blue_Bird/c.jpg\n")
    found = use_photos_of(load_cub(tables.root), cub_folder)
    assert [photo.image_id for photo in found.photos] == [12, 30]
    assert [photo.category_index for photo in found.photos] == [0, 1]


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (("images.txt", "12 007.Red_Bird/b.jpg\n", ""), r"lacks 1 of 3 photos, such as b\.jpg"),
        (("images.txt", "5 007.Red_Bird/a.jpg", "6 007.Red_Bird/a.jpg"), "lacks 1 of 3"),
        (("train_test_split.txt", "12 0", "12 1"), "on another side"),
        (("image_class_labels.txt", "12 7", "12 16"), "in another category"),
        (("parts/parts.txt", "beak", "bill"), "other parts"),
    ],
)
def test_another_data_set_is_refused_with_the_reason(
    tables: CubDataset, cub_folder: Path, changed: tuple[str, str, str], message: str
) -> None:
    file, old, new = changed
    change(cub_folder / file, old, new)
    with pytest.raises(DatasetError, match=message):
        use_photos_of(tables, cub_folder)
    remember_photo_folder(cub_folder)
    assert find_photos_elsewhere(tables) is tables
    assert list(list_refused_folders(tables)) == [cub_folder]


def test_folders_without_photos_are_refused(tables: CubDataset, cub_folder: Path) -> None:
    with pytest.raises(DatasetError, match="no folder of photos"):
        use_photos_of(tables, tables.root)
    with pytest.raises(DatasetError, match="There is no folder"):
        use_photos_of(tables, cub_folder / "nowhere")


def test_a_damaged_memory_is_no_obstacle(tables: CubDataset, state_folder: Path) -> None:
    remember_photo_folder(tables.root)
    (state_folder / "photos.json").write_text("{")
    assert find_photos_elsewhere(tables) is tables
