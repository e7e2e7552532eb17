from pathlib import Path

import pytest

from explorer.measuring.parts import load_parts
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace


@pytest.fixture(scope="module")
def workspace(tiny_workspace: Path) -> Workspace:
    return Workspace(tiny_workspace)


@pytest.fixture(scope="module")
def entry(workspace: Workspace) -> ModuleEntry:
    (found,) = workspace.list_modules()
    return found


def test_histogram_adds_up_to_at_most_one(workspace: Workspace, entry: ModuleEntry) -> None:
    photo = workspace.dataset.photos_of(entry.category)[1]
    parts = load_parts(photo)
    histogram = parts.measure(workspace.networks.explain(entry, parts.image).maps)
    values, is_live = histogram.values, histogram.is_live
    assert values.shape == (5, len(workspace.dataset.part_names))
    assert (values[:, ~photo.visible] == 0).all()
    assert (values.sum(axis=1) <= 1 + 1e-9).all()
    assert is_live.any()


def test_parts_and_box_are_inside_the_photo(workspace: Workspace) -> None:
    photo = workspace.dataset.photos[0]
    parts = load_parts(photo)
    height, width = parts.image.shape[:2]
    seen = parts.points[parts.visible]
    assert (seen >= 0).all()
    assert (seen <= [width, height]).all()
    x, y, box_width, box_height = parts.box
    assert min(x, y) >= 0
    assert x + box_width <= width
    assert y + box_height <= height
