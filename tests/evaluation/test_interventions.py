import numpy as np

from explorer.data.painted.truth import NEUTRAL_PARTS
from explorer.data.photo import load_photo
from explorer.evaluation.case import Case
from explorer.evaluation.interventions import Interventions


def test_the_unchanged_picture_equals_the_photo(
    painted_case: Case, interventions: Interventions
) -> None:
    for photo in painted_case.test_photos:
        one = interventions.repaint(photo)
        row = painted_case.features.get_rows([photo.image_id])
        np.testing.assert_allclose(one.photo.logits, painted_case.features.logits[row], atol=1e-4)
        assert interventions.repaint(photo) is one, "painted once"
        assert set(one.greyed) <= set(NEUTRAL_PARTS)
        assert "crown" in one.greyed
        assert len(one.backdrops.logits) == 2
        assert one.distractor.shape == load_photo(photo).shape[:2]
