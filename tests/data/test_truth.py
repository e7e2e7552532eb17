import json
from pathlib import Path

import numpy as np
import pytest

from explorer.config import ExplorerError
from explorer.data.cub import CubDataset
from explorer.data.painted.pairs import PAIRS
from explorer.data.painted.traits import PART_NAMES
from explorer.data.painted.truth import (
    NEUTRAL_PARTS,
    PaintedTruth,
    get_region_parts,
    load_truth,
)
from explorer.data.photo import load_photo


@pytest.fixture(scope="module")
def truth(painted_root: Path) -> PaintedTruth:
    loaded = load_truth(painted_root)
    assert loaded is not None
    return loaded


def test_every_painted_category_has_telling_parts(truth: PaintedTruth) -> None:
    assert len(truth.relatives) == len(truth.traits) == len(PAIRS)
    assert all(truth.get_telling_parts(category) for category in truth.relatives)
    assert truth.get_telling_parts("001.Ember_capped_Finch") == {"crown"}
    assert truth.get_telling_parts("003.Moonbar_Warbler") == {"left wing", "right wing"}


def test_real_photos_have_no_ground_truth(cub_folder: Path) -> None:
    assert load_truth(cub_folder) is None


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"categories": [{"name": "a"}]})])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "traits.json").write_text(text)
    with pytest.raises(ExplorerError, match=r"traits\.json is damaged"):
        load_truth(tmp_path)


def test_repainting_a_photo_gives_the_same_pixels(
    truth: PaintedTruth, painted_dataset: CubDataset
) -> None:
    for photo in painted_dataset.photos[::17]:
        np.testing.assert_array_equal(truth.repaint(photo), load_photo(photo))


def test_a_changed_trait_changes_only_its_part(
    truth: PaintedTruth, painted_dataset: CubDataset
) -> None:
    photo = painted_dataset.photos_of("001.Ember_capped_Finch")[0]
    before, after = load_photo(photo), truth.repaint(photo, crown="azure")
    changed = np.abs(before.astype(int) - after).max(axis=2) > 40
    rows, columns = np.nonzero(changed)
    x, y = photo.parts[PART_NAMES.index("crown")]
    assert abs(columns.mean() - x) < 8
    assert abs(rows.mean() - y) < 8
    assert changed.mean() < 0.05


def test_every_region_has_parts_and_grey_feathers(
    truth: PaintedTruth, painted_dataset: CubDataset
) -> None:
    regions = [get_region_parts(region) for region in NEUTRAL_PARTS]
    legs = {"left leg", "right leg"}
    assert set().union(*regions) == set(PART_NAMES) - legs
    assert sum(map(len, regions)) == len(PART_NAMES) - len(legs), "no part is in two regions"
    photo = painted_dataset.photos_of("007.Poppy_bibbed_Bunting")[0]
    everything = {k: v for changes in NEUTRAL_PARTS.values() for k, v in changes.items()}
    grey = truth.repaint(photo, **everything)
    x, y = photo.parts[PART_NAMES.index("throat")]
    pixel = grey[int(y), int(x)].astype(int)
    assert np.ptp(pixel) < 40, "red throat before, grey now"
    assert np.ptp(load_photo(photo)[int(y), int(x)].astype(int)) > 80


def test_another_backdrop_does_not_change_the_bird(
    truth: PaintedTruth, painted_dataset: CubDataset
) -> None:
    photo = painted_dataset.photos_of("001.Ember_capped_Finch")[1]
    images = [load_photo(photo), *(truth.repaint_backdrop(photo, step) for step in (2, 4))]
    x, y, width, height = map(int, photo.box)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        difference = np.abs(images[one].astype(int) - images[other]).max(axis=2) > 25
        outside = difference.copy()
        outside[y : y + height, x : x + width] = False
        assert outside.mean() > 0.05
    bx, by = map(int, photo.parts[PART_NAMES.index("belly")])
    belly = [image[by - 2 : by + 2, bx - 2 : bx + 2].astype(int) for image in images]
    assert np.abs(belly[0] - belly[1]).max() < 25


def test_a_distractor_is_away_from_the_bird(
    truth: PaintedTruth, painted_dataset: CubDataset
) -> None:
    for photo in painted_dataset.photos[::23]:
        image, mask = truth.repaint_with_distractor(photo)
        assert 0.005 < mask.mean() < 0.15
        x, y, width, height = map(int, photo.box)
        assert mask[y : y + height, x : x + width].sum() < 0.3 * mask.sum()
        changed = np.abs(load_photo(photo).astype(int) - image).max(axis=2) > 60
        assert (changed & ~mask).sum() < 0.1 * mask.sum()
