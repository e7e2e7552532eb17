import json
from pathlib import Path

import pytest

from explorer.config import ExplorerError
from explorer.data.painted.traits import CATEGORIES
from explorer.data.painted.truth import load_telling_parts


def test_every_painted_category_has_telling_parts(painted_root: Path) -> None:
    truth = load_telling_parts(painted_root)
    assert truth is not None
    assert len(truth) == len(CATEGORIES)
    assert all(truth.values())
    assert truth["001.Ember_capped_Finch"] == {"crown"}
    assert truth["003.Moonbar_Warbler"] == {"left wing", "right wing"}


def test_real_photos_have_no_such_truth(cub_folder: Path) -> None:
    assert load_telling_parts(cub_folder) is None


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"categories": [{"name": "a"}]})])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "traits.json").write_text(text)
    with pytest.raises(ExplorerError, match=r"traits\.json is damaged"):
        load_telling_parts(tmp_path)
