from pathlib import Path

import numpy as np
import pytest

from explorer.data.cub import load_cub
from explorer.data.cub_files import DatasetError
from explorer.data.photo import read_photo_size
from explorer.training.parts.targets import PartTargets, read_targets


def test_annotations_become_shares_of_the_photo(cub_folder: Path) -> None:
    photos = {photo.image_id: photo for photo in load_cub(cub_folder).photos}
    targets = read_targets([photos[5], photos[12]])
    # Photos of 20 × 10 pixels; the second part of the first is not visible.
    np.testing.assert_allclose(targets.points[0], [(3.5 / 20, 4 / 10), (np.nan, np.nan)])
    np.testing.assert_allclose(targets.points[1], [(1 / 20, 1 / 10), (2 / 20, 2 / 10)])
    np.testing.assert_allclose(targets.boxes[0], (1 / 20, 2 / 10, 11 / 20, 1))
    assert targets.sizes.tolist() == [[20, 10], [20, 10]]
    assert targets.visible.tolist() == [[True, False], [True, True]]


def test_a_damaged_photo_is_named(cub_folder: Path) -> None:
    photo = load_cub(cub_folder).photos[0]
    assert read_photo_size(photo) == (10, 20)
    photo.path.write_bytes(b"no photo")
    with pytest.raises(DatasetError, match=f"{photo.path.name}: the photo cannot be read"):
        read_targets([photo])
    photo.path.unlink()
    with pytest.raises(DatasetError, match=f"{photo.path.name}: the photo cannot be read"):
        read_targets([photo])


def test_mirrored_photos_have_mirrored_boxes_and_exchanged_sides() -> None:
    points = np.array([[(0.1, 0.2), (0.3, 0.4), (np.nan, np.nan)]], np.float32)
    boxes = np.array([(0.1, 0.2, 0.4, 0.6)], np.float32)
    targets = PartTargets(points, boxes, np.array([(20, 10)]))
    names = ("beak", "left eye", "right eye")
    mirrored = targets.mirror(names)
    np.testing.assert_allclose(
        mirrored.points[0], [(0.9, 0.2), (np.nan, np.nan), (0.7, 0.4)], rtol=1e-6
    )
    np.testing.assert_allclose(mirrored.boxes[0], (0.6, 0.2, 0.9, 0.6), rtol=1e-6)
    np.testing.assert_allclose(mirrored.mirror(names).points, points, rtol=1e-6)
