from pathlib import Path

import numpy as np
import pytest

from explorer.config import CUB_ROOT_VARIABLE
from explorer.data.attributes import (
    AttributeTable,
    describe_attribute,
    load_attributes,
    name_painted,
)
from explorer.data.cub import CubDataset, load_cub
from explorer.data.cub_files import DatasetError

NAMES = "1 has_wing_color::blue\n2 has_wing_color::red\n3 has_size::small_(5_-_9_in)\n"


@pytest.fixture(autouse=True)
def _no_other_cub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(CUB_ROOT_VARIABLE, str(tmp_path / "none"))


def write_attributes(root: Path, rows: dict[int, str]) -> Path:
    """Write shares of three attributes for 16 classes, of which the fixture has 7 and 16."""
    folder = root / "attributes"
    folder.mkdir()
    (folder / "attributes.txt").write_text(NAMES)
    table = folder / "class_attribute_labels_continuous.txt"
    table.write_text("\n".join(rows.get(n, "0.0 0.0 0.0") for n in range(1, 17)) + "\n")
    return table


ROWS = {7: "10.0 75.5 100.0", 16: "0.0 50.0 3.0"}


@pytest.mark.parametrize(
    ("name", "words", "parts"),
    [
        ("has_breast_color::red", "red breast", ("breast",)),
        ("has_wing_pattern::multi-colored", "multicoloured wings", ("left wing", "right wing")),
        ("has_bill_shape::curved_(up_or_down)", "curved bill", ("beak",)),
        ("has_bill_length::longer_than_head", "bill longer than the head", ("beak",)),
        ("has_tail_shape::forked_tail", "forked tail", ("tail",)),
        ("has_tail_shape::fan-shaped_tail", "fan-shaped tail", ("tail",)),
        ("has_wing_shape::rounded-wings", "rounded wings", ("left wing", "right wing")),
        ("has_upper_tail_color::buff", "buff uppertail", ("tail",)),
        ("has_under_tail_color::buff", "buff undertail", ("tail",)),
        ("has_bill_shape::hooked_seabird", "hooked seabird bill", ("beak",)),
        ("has_size::small_(5_-_9_in)", "size small (5 - 9 in)", ()),
        ("has_primary_color::red", "primary color red", ()),
        ("strange", "strange", ()),
    ],
)
def test_attributes_in_words(name: str, words: str, parts: tuple[str, ...]) -> None:
    found = describe_attribute(name)
    assert (found[0], found[2]) == (words, parts)


def test_eyebrows_are_no_heads() -> None:
    assert describe_attribute("has_head_pattern::eyebrow")[0] == "eyebrow"
    assert describe_attribute("has_head_pattern::crested")[0] == "crested head"


def test_shares_are_read_by_class_id(cub_folder: Path) -> None:
    write_attributes(cub_folder, ROWS)
    table = load_attributes(load_cub(cub_folder))
    assert table is not None
    assert table.words == ("blue wings", "red wings", "size small (5 - 9 in)")
    assert table.groups == ("wing_color", "wing_color", "size")
    assert table.parts == (("left wing", "right wing"), ("left wing", "right wing"), ())
    np.testing.assert_allclose(table.shares, [[0.1, 0.755, 1.0], [0.0, 0.5, 0.03]])


def test_names_may_lie_beside_the_folder(cub_folder: Path) -> None:
    write_attributes(cub_folder, ROWS)
    (cub_folder / "attributes" / "attributes.txt").rename(cub_folder.parent / "attributes.txt")
    assert load_attributes(load_cub(cub_folder)) is not None


def test_another_copy_of_cub_lends_its_table(
    cub_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_attributes(load_cub(cub_folder)) is None
    other = tmp_path / "whole"
    other.mkdir()
    (other / "classes.txt").write_text("1 016.Blue_Bird\n2 007.Red_Bird\n3 008.Other\n")
    write_attributes(other, {1: "0 0 16", 2: "0 0 7"})
    monkeypatch.setenv(CUB_ROOT_VARIABLE, str(other))
    table = load_attributes(load_cub(cub_folder))
    assert table is not None
    np.testing.assert_allclose(table.shares[:, 2], [0.07, 0.16])
    (other / "classes.txt").write_text("1 016.Blue_Bird\n")
    assert load_attributes(load_cub(cub_folder)) is None  # a bird is missing


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1 2", r"labels_continuous\.txt, line 7: .*3 numbers"),
        ("1 2 101", r"line 7: a percentage must lie in 0 … 100"),
        ("1 nan 3", r"line 7: a percentage"),
    ],
)
def test_damaged_tables_are_named(cub_folder: Path, row: str, message: str) -> None:
    write_attributes(cub_folder, ROWS | {7: row})
    with pytest.raises(DatasetError, match=message):
        load_attributes(load_cub(cub_folder))


def test_a_table_that_is_too_short_is_named(cub_folder: Path) -> None:
    table = write_attributes(cub_folder, ROWS)
    table.write_text("0 0 0\n" * 15)
    with pytest.raises(DatasetError, match=r"15 lines.*id 16"):
        load_attributes(load_cub(cub_folder))


def test_painted_birds_have_their_traits(painted_dataset: CubDataset) -> None:
    table = load_attributes(painted_dataset)
    assert isinstance(table, AttributeTable)
    assert table.shares.sum(axis=1).tolist() == [14.0] * 12  # one value a trait
    crown = table.words.index("ember crown")
    assert table.groups[crown] == "crown"
    assert table.parts[crown] == ("crown",)
    own = painted_dataset.categories.index("001.Ember_capped_Finch")
    assert np.flatnonzero(table.shares[:, crown]).tolist() == [own]
    assert len(set(table.words)) == len(table.words)


def test_painted_traits_in_words() -> None:
    assert name_painted("wing", "ink") == "ink wings"
    assert name_painted("wing_bar", "none") == "no wing bar"
    assert name_painted("beak_shape", "hooked") == "hooked beak"
    assert name_painted("belly", "lemon") == "lemon belly"
