"""An array file that grows row by row, so that a killed run can go on with what it has written.

The file is NumPy's own ``.npy``, with the final shape in its header from the beginning. It is
written by plain appends, which, unlike a memory map, keep nothing in the process's memory.
"""

import io
import math
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from explorer.storage.reading import open_regular
from explorer.storage.writing import name_in_errors, refuse_if_public

_MOST_ROW_BYTES = 2**30


class GrowingArray:
    """An array that is appended to; use it in a ``with`` block.

    Parameters
    ----------
    path : Path
        File to write. Its folder must exist.
    dtype : np.dtype
        Of the elements; without Python objects.
    shape : tuple of int
        Of the whole array, once all rows are there.
    rows : int
        How many rows of what is there to keep; what follows is cut off. A file of another dtype
        or shape is begun anew.

    Attributes
    ----------
    rows : int
        Rows that are kept.
    """

    def __init__(
        self, path: Path, dtype: np.dtype[Any], shape: tuple[int, ...], rows: int = 0
    ) -> None:
        refuse_if_public()
        header = _make_header(dtype, shape)
        row_bytes = dtype.itemsize * math.prod(shape[1:])
        self._path = path
        self._file = path.open("r+b" if _is_plain(path) else "w+b")
        is_same = self._file.read(len(header)) == header
        there = (path.stat().st_size - len(header)) // row_bytes if is_same else 0
        self.rows = min(rows, there)
        if not is_same:
            self._file.seek(0)
            self._file.write(header)
        self._file.truncate(len(header) + self.rows * row_bytes)
        self._file.seek(0, os.SEEK_END)

    def __enter__(self) -> "GrowingArray":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def append(self, rows: NDArray[Any]) -> None:
        """Write rows, (n, ...), of the array's dtype; another process sees them at once."""
        with name_in_errors(self._path):
            self._file.write(rows.tobytes())
            self._file.flush()


def _is_plain(path: Path) -> bool:
    """Tell whether there is a file to continue; anything else in its place is removed."""
    if not os.path.lexists(path):
        return False
    if path.is_symlink() or not path.is_file():
        path.unlink()  # a link would lead what is written elsewhere
        return False
    return True


@contextmanager
def open_rows(path: Path) -> Generator[Iterator[NDArray[Any]], None, None]:
    """Open an array file for one reading of its whole rows, each (...), in their order.

    The file may be in the making. One that is missing, or that holds no array, has no rows.
    """
    try:
        file = open_regular(path)
    except OSError:
        yield iter(())
        return
    with file:
        yield _read_rows(file)


def count_rows(path: Path) -> int:
    """Count the whole rows of an array file that may be in the making, by its size."""
    try:
        with open_regular(path) as file:
            found = _read_header(file)
            return (path.stat().st_size - file.tell()) // found[2] if found else 0
    except OSError:
        return 0


def _read_rows(file: BinaryIO) -> Iterator[NDArray[Any]]:
    found = _read_header(file)
    if found is None:
        return
    shape, dtype, row_bytes = found
    if row_bytes > _MOST_ROW_BYTES:
        return
    for _ in range(shape[0]):
        data = file.read(row_bytes)
        if len(data) < row_bytes:
            return
        yield np.frombuffer(data, dtype).reshape(shape[1:])


def _read_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[Any], int] | None:
    """Read shape, type and bytes of a row; None where there is no header that is understood."""
    try:
        if np.lib.format.read_magic(file) != (1, 0):
            return None
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    except Exception:  # NumPy reads it as Python's source, in which damage raises nearly any kind
        return None
    if is_fortran or not all(type(size) is int and size >= 0 for size in shape):
        return None
    row_bytes = dtype.itemsize * math.prod(shape[1:])
    return (shape, dtype, row_bytes) if shape and row_bytes and not dtype.hasobject else None


def map_array(path: Path) -> NDArray[Any] | None:
    """Map an array file of plain values into memory, read-only.

    Returns
    -------
    NDArray or None
        None where there is no such file, it is not whole, or it holds no array as `GrowingArray`
        writes it.
    """
    try:
        with open_regular(path) as file:
            found = _read_header(file)
            if found is None:
                return None
            shape, dtype, row_bytes = found
            if os.fstat(file.fileno()).st_size != file.tell() + shape[0] * row_bytes:
                return None
            if shape[0] == 0:
                return np.empty(shape, dtype)
            return np.memmap(path, dtype, "r", file.tell(), shape)
    except (OSError, ValueError, OverflowError):
        return None


def _make_header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    description = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": shape,
    }
    np.lib.format.write_array_header_1_0(buffer, description)
    return buffer.getvalue()
