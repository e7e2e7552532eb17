import csv
import io
import zipfile

import pytest

from explorer.ui.exports import make_csv, make_stem, make_zip


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
