"""Array files that grow row by row, so that an interrupted run can continue where it stopped.

The format is NumPy's ``.npy``, with the final shape in the header from the start. Rows are appended
with plain writes, which, unlike writes to a memory map, use none of the process's memory.
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

_MAX_ROW_BYTES = 2**30


class GrowingArray:
    """An array file to append rows to; use it in a ``with`` block.

    Parameters
    ----------
    path : Path
        File to write. Its folder must exist.
    dtype : np.dtype
        Type of the elements; not of Python objects.
    shape : tuple of int
        Shape of the complete array.
    rows : int
        Number of existing rows to keep; further rows are cut off. A file with another dtype or
        shape is overwritten.

    Attributes
    ----------
    rows : int
        Number of rows that were kept.
    """

    def __init__(
        self, path: Path, dtype: np.dtype[Any], shape: tuple[int, ...], rows: int = 0
    ) -> None:
        refuse_if_public()
        header = _make_header(dtype, shape)
        row_bytes = dtype.itemsize * math.prod(shape[1:])
        self._path = path
        self._file = path.open("r+b" if _has_file(path) else "w+b")
        is_same = self._file.read(len(header)) == header
        existing = (path.stat().st_size - len(header)) // row_bytes if is_same else 0
        self.rows = min(rows, existing)
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
        """Append rows, (n, ...), of the array's dtype; other processes can read them at once."""
        with name_in_errors(self._path):
            self._file.write(rows.tobytes())
            self._file.flush()


def _has_file(path: Path) -> bool:
    """Return whether there is a regular file to continue; a link or anything else is removed."""
    if not os.path.lexists(path):
        return False
    if path.is_symlink() or not path.is_file():
        path.unlink()  # writing through a link would change a file elsewhere
        return False
    return True


@contextmanager
def open_rows(path: Path) -> Generator[Iterator[NDArray[Any]], None, None]:
    """Iterate once over the complete rows of an array file, each (...), in order.

    The file may be incomplete. A file that is missing or not an array has no rows.
    """
    try:
        file = open_regular(path)
    except OSError:
        yield iter(())
        return
    with file:
        yield _read_rows(file)


def count_rows(path: Path) -> int:
    """Count the complete rows of an array file, which may be incomplete, by its size."""
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
    if row_bytes > _MAX_ROW_BYTES:
        return
    for _ in range(shape[0]):
        data = file.read(row_bytes)
        if len(data) < row_bytes:
            return
        yield np.frombuffer(data, dtype).reshape(shape[1:])


def _read_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[Any], int] | None:
    """Read the shape, dtype and bytes per row; None if the header is invalid or unsupported."""
    try:
        if np.lib.format.read_magic(file) != (1, 0):
            return None
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    except Exception:  # NumPy evaluates it as Python code, so damage may raise nearly anything
        return None
    if is_fortran or not all(type(size) is int and size >= 0 for size in shape):
        return None
    row_bytes = dtype.itemsize * math.prod(shape[1:])
    return (shape, dtype, row_bytes) if shape and row_bytes and not dtype.hasobject else None


def map_array(path: Path) -> NDArray[Any] | None:
    """Map an array file into memory, read-only.

    Returns
    -------
    NDArray or None
        None if the file is missing, incomplete or not in the format of `GrowingArray`.
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
