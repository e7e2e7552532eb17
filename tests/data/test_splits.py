import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.config import ExplorerError
from explorer.data.cub import CubDataset, load_cub
from explorer.data.photo import Photo
from explorer.data.splits import draw_module_split, get_held_out


def make_dataset(photo_counts: list[int], test_share: float = 0.5, seed: int = 0) -> CubDataset:
    """Return a data set without image files, its ids shuffled and with gaps."""
    rng = np.random.default_rng(seed)
    names = tuple(f"{n:03d}.Bird_{n}" for n in range(1, len(photo_counts) + 1))
    owners = [index for index, count in enumerate(photo_counts) for _ in range(count)]
    ids = rng.permutation(3 * len(owners))[: len(owners)] + 1
    parts, visible = np.zeros((1, 2)), np.zeros(1, dtype=bool)
    photos = tuple(
        Photo(
            int(image_id), Path(f"{image_id}.jpg"), names[owner], owner, (0, 0, 1, 1),
            parts, visible, bool(rng.random() >= test_share),
        )
        for image_id, owner in zip(ids, owners, strict=True)
    )  # fmt: skip
    return CubDataset(Path("nowhere"), names, ("beak",), photos, ())


@pytest.fixture(scope="module")
def full_size() -> CubDataset:
    """Return a data set of the size of CUB: 11,788 photos of 200 categories, half for testing."""
    return make_dataset([59] * 188 + [58] * 12, 0.5)


def get_categories(dataset: CubDataset, ids: tuple[int, ...]) -> list[str]:
    return [dataset.get_photo(image_id).category for image_id in ids]


def test_official_split_is_read_from_its_file(cub_folder: Path) -> None:
    held_out = get_held_out(load_cub(cub_folder), "official")
    assert [photo.image_id for photo in held_out] == [12]


def test_last_n_counts_in_the_order_of_the_file() -> None:
    dataset = make_dataset([4, 6])
    held_out = get_held_out(dataset, "last:2")
    assert list(held_out) == [*dataset.photos[2:4], *dataset.photos[8:10]]


@pytest.mark.parametrize(
    "rule",
    ["", "first:3", "last:0", "last:-1", "last:", "last:two", "last:03", "last:1 ", "OFFICIAL"],
)
def test_unknown_rules_are_refused(rule: str) -> None:
    with pytest.raises(ExplorerError, match=r"'official' or 'last:N'"):
        get_held_out(make_dataset([4, 4]), rule)


@pytest.mark.parametrize("rule", ["last:4", "last:5"])
def test_a_rule_that_leaves_no_training_photos_is_refused(rule: str) -> None:
    with pytest.raises(ExplorerError, match=r"no training photo for 002\.Bird_2, which has 4"):
        get_held_out(make_dataset([6, 4]), rule)


def test_full_size_split_has_the_paper_s_numbers(full_size: CubDataset) -> None:
    assert len(full_size.photos) == 11788
    held_out = get_held_out(full_size, "official")
    for category in (full_size.categories[0], full_size.categories[-1]):
        split = draw_module_split(full_size, category, held_out, seed=0)
        train, test = (get_categories(full_size, ids) for ids in (split.train, split.test))
        assert 8 <= test.count(category) <= 10
        assert len(test) - test.count(category) == 2000
        assert len(train) - train.count(category) == 8000
        assert train.count(category) == len(full_size.photos_of(category)) - test.count(category)


def test_small_set_keeps_a_sixth_and_a_fifth() -> None:
    dataset = make_dataset([12, 60, 40])
    held_out = dataset.photos  # enough candidates for everything
    test = get_categories(dataset, draw_module_split(dataset, "001.Bird_1", held_out, 0).test)
    assert test.count("001.Bird_1") == 2
    assert len(test) - 2 == 20
    test = get_categories(dataset, draw_module_split(dataset, "002.Bird_2", held_out, 0).test)
    assert test.count("002.Bird_2") == 10
    assert len(test) - 10 == round(52 / 5)


def test_few_held_out_photos_make_a_smaller_test_set() -> None:
    dataset = make_dataset([60, 60])
    held_out = get_held_out(dataset, "last:3")
    split = draw_module_split(dataset, "001.Bird_1", held_out, 0)
    assert sorted(split.test) == sorted(photo.image_id for photo in held_out)
    assert len(split.train) == 114


@given(
    counts=st.lists(st.integers(3, 30), min_size=2, max_size=5),
    seed=st.integers(0, 99),
    held=st.integers(1, 2),
)
def test_a_split_is_always_valid(counts: list[int], seed: int, held: int) -> None:
    dataset = make_dataset(counts, seed=seed)
    held_out = get_held_out(dataset, f"last:{held}")
    category = dataset.categories[0]
    split = draw_module_split(dataset, category, held_out, seed)
    assert not set(split.train) & set(split.test)
    assert set(split.test) <= {photo.image_id for photo in held_out}
    assert len(set(split.train)) == len(split.train)
    assert list(split.train) == sorted(split.train)
    assert list(split.test) == sorted(split.test)
    assert category in get_categories(dataset, split.train)
    assert category in get_categories(dataset, split.test)
    assert {type(image_id) for image_id in split.train + split.test} == {int}
    assert draw_module_split(dataset, category, held_out, seed) == split


def test_splits_depend_on_seed_and_category(full_size: CubDataset) -> None:
    held_out = get_held_out(full_size, "official")
    first, second = full_size.categories[:2]
    splits = [
        draw_module_split(full_size, category, held_out, seed)
        for category, seed in ((first, 0), (first, 1), (second, 0))
    ]
    assert len({split.test for split in splits}) == 3


def test_order_of_held_out_photos_does_not_matter() -> None:
    dataset = make_dataset([20, 20])
    held_out = get_held_out(dataset, "official")
    assert draw_module_split(dataset, "001.Bird_1", held_out, 0) == draw_module_split(
        dataset, "001.Bird_1", held_out[::-1], 0
    )


def test_category_without_a_held_out_photo_is_refused() -> None:
    dataset = make_dataset([5, 5])
    others = dataset.photos_of("002.Bird_2")
    with pytest.raises(ExplorerError, match=r"001\.Bird_1 needs at least one.*--held-out"):
        draw_module_split(dataset, "001.Bird_1", others, 0)


def test_category_of_one_photo_is_refused() -> None:
    dataset = make_dataset([1, 5])
    with pytest.raises(ExplorerError, match=r"001\.Bird_1 needs"):
        draw_module_split(dataset, "001.Bird_1", dataset.photos, 0)


def test_global_random_state_is_not_changed() -> None:
    dataset = make_dataset([9, 9])
    before = np.random.get_state()[1].copy()
    draw_module_split(dataset, "001.Bird_1", get_held_out(dataset, "last:2"), 0)
    assert np.array_equal(before, np.random.get_state()[1])


def test_split_only_depends_on_ids_and_categories() -> None:
    dataset = make_dataset([9, 9])
    moved = replace(
        dataset,
        root=Path("elsewhere"),
        photos=tuple(replace(photo, path=Path("x") / photo.path) for photo in dataset.photos),
    )
    assert draw_module_split(
        dataset, "001.Bird_1", get_held_out(dataset, "last:2"), 5
    ) == draw_module_split(moved, "001.Bird_1", get_held_out(moved, "last:2"), 5)


def test_a_copy_of_a_training_photo_is_not_held_out() -> None:
    dataset = make_dataset([4, 6])
    ids = [photo.image_id for photo in dataset.photos]
    copies = ((ids[0], ids[3]), (ids[2], ids[8]), (ids[1], ids[9], ids[4]), (ids[5], ids[6]))
    held_out = get_held_out(replace(dataset, identical=copies), "last:2")
    # The last two of both categories are 2, 3, 8 and 9. Only 2 and 8 have no copy beyond these.
    assert [photo.image_id for photo in held_out] == [ids[2], ids[8]]


@pytest.mark.parametrize("rule", ["official", "last:2"])
def test_held_out_photos_that_are_all_copies_are_refused(rule: str) -> None:
    dataset = make_dataset([4])
    copies = (tuple(photo.image_id for photo in dataset.photos),)
    with pytest.raises(ExplorerError, match=r"holds out is identical to one to train on\. Remove"):
        get_held_out(replace(dataset, identical=copies), rule)


def test_copies_of_test_photos_are_not_trained_on() -> None:
    dataset = make_dataset([12, 60, 40])
    category = "001.Bird_1"
    plain = draw_module_split(dataset, category, dataset.photos, 0)
    positive, negative = (
        next(i for i in plain.test if (dataset.get_photo(i).category == category) is is_own)
        for is_own in (True, False)
    )
    copies = (positive, plain.train[0]), (negative, plain.train[-1]), plain.test[:2]
    split = draw_module_split(replace(dataset, identical=copies), category, dataset.photos, 0)
    assert split.test == plain.test
    assert set(plain.train) - set(split.train) == {plain.train[0], plain.train[-1]}


def test_photos_without_copies_are_drawn_as_ever(full_size: CubDataset) -> None:
    """Stored splits are compared with drawn ones, so a draw must never change."""
    split = draw_module_split(full_size, "001.Bird_1", get_held_out(full_size, "official"), 0)
    drawn = hashlib.sha256(repr(split).encode()).hexdigest()
    assert drawn == "ddb2d26966bfce5fc3a437a625553183956611be104df9f24def712dd3d88192"


def test_a_category_without_photos_is_tolerated() -> None:
    """A subset may keep the full classes.txt."""
    dataset = make_dataset([6, 0, 6])
    assert len(get_held_out(dataset, "last:2")) == 4
