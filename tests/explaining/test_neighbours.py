from types import SimpleNamespace

import numpy as np
import pytest

from explorer.explaining.neighbours import find_neighbours
from explorer.workspace.features import Features


def make_features(count: int) -> Features:
    ids = np.arange(11, 11 + count)
    return Features(ids, 5 * np.eye(count, dtype=np.float32), np.zeros((count, 2), np.float32))


def hold_out(*image_ids: int) -> SimpleNamespace:
    return SimpleNamespace(held_out=[SimpleNamespace(image_id=image_id) for image_id in image_ids])


def test_the_most_similar_training_photos_come_first() -> None:
    z = np.array([3, 0, 4, 9], np.float32)
    found = find_neighbours(hold_out(14), make_features(4), z)
    assert [one.image_id for one in found] == [13, 11, 12]
    length = np.linalg.norm(z)
    assert [one.likeness for one in found] == pytest.approx([4 / length, 3 / length, 0])


def test_there_are_at_most_six() -> None:
    found = find_neighbours(hold_out(), make_features(9), np.arange(9, dtype=np.float32))
    assert [one.image_id for one in found] == [19, 18, 17, 16, 15, 14]


def test_without_training_photos_there_are_none() -> None:
    assert find_neighbours(hold_out(11, 12), make_features(2), np.ones(2, np.float32)) == ()
