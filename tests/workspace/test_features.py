import numpy as np
import pytest

from explorer.config import ExplorerError
from explorer.workspace.features import Features


def test_rows_by_image_id_with_gaps_and_out_of_order() -> None:
    ids = np.array([30, 5, 12, 700])
    found = Features(ids, np.zeros((4, 1), np.float32), np.zeros((4, 1), np.float32))
    assert found.get_rows([12, 30, 700, 5, 12]).tolist() == [2, 0, 3, 1, 2]
    assert found.get_rows([]).tolist() == []


@pytest.mark.parametrize("unknown", [1, 6, 701])
def test_an_unknown_id_is_never_mistaken_for_another(unknown: int) -> None:
    ids = np.array([30, 5, 12, 700])
    found = Features(ids, np.zeros((4, 1), np.float32), np.zeros((4, 1), np.float32))
    with pytest.raises(ExplorerError, match=f"id {unknown}"):
        found.get_rows([5, unknown])
