import csv
import io
import zipfile

import numpy as np
import pytest

from explorer.storage.packing import make_csv, make_npz, make_stem, make_zip


def test_stems_are_safe_everywhere():
    assert make_stem("Chuck-will's Widow", "srae-k5-s0", "a/b\\c:ö") == (
        "chuck-will-s-widow_srae-k5-s0_a-b-c"
    )


def test_csv_is_read_back_as_it_was_written():
    columns = {"name": ["a,b", 'say "x"', "ŷ"], "value": [1, -0.5, 2e-9]}
    rows = list(csv.DictReader(io.StringIO(make_csv(columns).decode())))
    assert [row["name"] for row in rows] == columns["name"]
    assert [float(row["value"]) for row in rows] == columns["value"]


def test_csv_refuses_columns_of_different_length():
    with pytest.raises(ValueError, match="shorter"):
        make_csv({"a": [1, 2], "b": [1]})


def test_zip_holds_the_files():
    with zipfile.ZipFile(io.BytesIO(make_zip({"a.csv": b"1", "b.png": b"2"}))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "a.csv": b"1",
            "b.png": b"2",
        }


def test_npz_holds_arrays_numbers_and_words():
    packed = make_npz({"maps": np.eye(2, dtype=np.float32), "score": 1.5, "names": ("a", "ŷ")})
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        assert set(arrays) == {"maps", "score", "names"}
        assert arrays["maps"].dtype == np.float32
        assert arrays["maps"].tolist() == [[1, 0], [0, 1]]
        assert float(arrays["score"]) == 1.5
        assert arrays["names"].tolist() == ["a", "ŷ"]


def test_npz_refuses_what_only_a_pickle_could_hold():
    with pytest.raises(ValueError, match="allow_pickle"):
        make_npz({"a": np.array([None, {}])})
