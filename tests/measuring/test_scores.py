from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from explorer.measuring.parts import load_parts
from explorer.measuring.scores import score_photos
from explorer.workspace.workspace import Workspace

Run = Callable[[Any], Any]


@pytest.fixture(scope="module")
def workspace(tiny_workspace: Path) -> Workspace:
    return Workspace(tiny_workspace)


def test_scores_equal_those_of_single_explanations(workspace: Workspace, run: Run) -> None:
    (entry,) = workspace.list_modules()
    scores = score_photos(workspace, entry, run(workspace.networks.compute_features()))
    assert_array_equal(scores.image_ids, [photo.image_id for photo in workspace.dataset.photos])
    for row in (0, len(scores.image_ids) - 1):
        photo = workspace.dataset.get_photo(int(scores.image_ids[row]))
        single = workspace.networks.explain(entry, load_parts(photo).image)
        assert_allclose(scores.x_features[row], single.x_features, rtol=1e-3, atol=1e-4)
        assert_allclose(scores.contributions[row], single.contributions, rtol=1e-3, atol=1e-4)
        assert_allclose(scores.logits[row], single.logits, rtol=1e-3, atol=1e-4)
        assert scores.y_hat[row] == pytest.approx(single.y_hat, rel=1e-3, abs=1e-4)
        assert scores.y_bar[row] == pytest.approx(single.y_bar, rel=1e-3, abs=1e-4)
        assert scores.is_positive[row] == (photo.category == entry.category)


def test_contributions_add_up_and_positives_are_counted(workspace: Workspace, run: Run) -> None:
    (entry,) = workspace.list_modules()
    scores = score_photos(workspace, entry, run(workspace.networks.compute_features()))
    assert_allclose(scores.contributions.sum(axis=1), scores.y_bar, rtol=1e-4, atol=1e-4)
    assert scores.is_positive.sum() == len(workspace.dataset.photos_of(entry.category))
    index = workspace.dataset.categories.index(entry.category)
    assert_array_equal(scores.y_hat, scores.logits[:, index])
    assert (np.asarray(scores.x_features) >= 0).all()
