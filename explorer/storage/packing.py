"""Contents of files that people take along: tables, archives and arrays, and names for them."""

import csv
import io
import re
import zipfile
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

_LONGEST_PIECE = 60


def make_stem(*pieces: str) -> str:
    """Join words to a file name without its ending, of characters that every system accepts.

    Long pieces are cut; pieces without any such character are left out.
    """
    plain = (re.sub(r"[^A-Za-z0-9]+", "-", piece).strip("-").lower() for piece in pieces)
    return "_".join(piece[:_LONGEST_PIECE].rstrip("-") for piece in plain if piece) or "srae"


def make_csv(columns: Mapping[str, Sequence[object]]) -> bytes:
    """Write columns of equal length as CSV in UTF-8, with a header line.

    Raises
    ------
    ValueError
        When the columns differ in length.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue().encode()


def make_zip(files: Mapping[str, bytes]) -> bytes:
    """Pack files, by name, into a ZIP."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def make_npz(arrays: Mapping[str, ArrayLike]) -> bytes:
    """Write named arrays, numbers and strings as a compressed NPZ.

    Raises
    ------
    ValueError
        When one of them could only be stored as a pickle.
    """
    file = io.BytesIO()
    ready = {name: np.asarray(values) for name, values in arrays.items()}
    np.savez_compressed(file, allow_pickle=False, **ready)
    return file.getvalue()
