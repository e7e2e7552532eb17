from pathlib import Path

import pytest

from explorer.storage.json_records import read_json, write_json


def test_json_round_trip_keeps_unicode_readable(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"ŷ": [1.5, None, True]})
    assert read_json(tmp_path / "a.json") == {"ŷ": [1.5, None, True]}
    assert "ŷ" in (tmp_path / "a.json").read_text(encoding="utf-8")


def test_nan_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []
