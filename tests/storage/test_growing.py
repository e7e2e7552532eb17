from pathlib import Path

import numpy as np
import pytest

from explorer.storage.growing import GrowingArray, count_rows, open_rows
from explorer.storage.writing import sync_file

ROWS = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
RECORDS = np.array([(1, [2, 3]), (4, [5, 6])], dtype=[("id", "<i8"), ("heat", "<f2", (2,))])


def write(path: Path, rows: np.ndarray, total: int, keep: int = 0) -> int:
    with GrowingArray(path, rows.dtype, (total, *rows.shape[1:]), keep) as array:
        kept = array.rows
        array.append(rows)
    return kept


def read(path: Path) -> list[np.ndarray]:
    with open_rows(path) as rows:
        return list(rows)


@pytest.mark.parametrize("expected", [ROWS, RECORDS])
def test_appended_rows_give_the_same_file_as_numpy(tmp_path: Path, expected: np.ndarray) -> None:
    path = tmp_path / "a.npy"
    for row in range(len(expected)):
        assert write(path, expected[row : row + 1], len(expected), keep=row) == row
        assert count_rows(path) == row + 1
    sync_file(path)
    mapped = np.load(path, mmap_mode="r")
    assert isinstance(mapped, np.memmap)
    assert np.array_equal(mapped, expected)
    np.save(tmp_path / "b.npy", expected)
    assert path.read_bytes() == (tmp_path / "b.npy").read_bytes()


def test_data_after_the_kept_rows_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    write(path, ROWS, 4)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 1)  # as if killed while writing the last row
    assert count_rows(path) == 3
    assert np.array_equal(read(path), ROWS[:3])
    assert write(path, ROWS[2:], 4, keep=2) == 2
    assert np.array_equal(np.load(path), ROWS)


def test_only_existing_rows_are_kept(tmp_path: Path) -> None:
    write(tmp_path / "a.npy", ROWS[:2], 4)
    assert write(tmp_path / "a.npy", ROWS[2:], 4, keep=3) == 2
    assert np.array_equal(np.load(tmp_path / "a.npy"), ROWS)


def test_an_array_of_another_shape_or_type_is_started_again(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    write(path, ROWS, 4)
    assert write(path, ROWS[:1], 5, keep=4) == 0
    assert count_rows(path) == 1
    assert write(path, ROWS[:1].astype(np.float64), 5, keep=1) == 0
    assert np.array_equal(read(path), ROWS[:1])
    path.write_bytes(b"junk")
    assert write(path, ROWS, 4, keep=4) == 0
    assert np.array_equal(np.load(path), ROWS)


@pytest.mark.parametrize("content", [None, b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00\x10\x00nonsense"])
def test_files_that_are_not_arrays_have_no_rows(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "a.npy").write_bytes(content)
    assert read(tmp_path / "a.npy") == []
    assert count_rows(tmp_path / "a.npy") == 0


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert read(tmp_path / "a.npy") == []
    assert count_rows(tmp_path / "a.npy") == 0
