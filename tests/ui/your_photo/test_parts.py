import pytest

from explorer.ui.your_photo.marks import Marks
from explorer.ui.your_photo.parts import move_part


@pytest.fixture
def marks() -> Marks:
    marks = Marks(200, 100)
    marks.suggest((0, 0, 200, 100), {0: (20, 30), 2: (50, 60)}, {0: 0.9, 2: 0.8})
    return marks


def test_a_part_that_is_dragged_is_no_longer_one_that_was_found(marks: Marks) -> None:
    move_part(marks, [2, 70.5, 140], 3)
    assert marks.points == {0: (20, 30), 2: (70.5, 100)}, "it stays on the photo"
    assert marks.found == {0: 0.9}


@pytest.mark.parametrize("move", [None, [], [2, 1], [3, 1, 1], [-1, 1, 1], [0, "a", 1], "abc"])
def test_what_no_page_sends_moves_nothing(marks: Marks, move: object) -> None:
    move_part(marks, move, 3)
    assert marks.points == {0: (20, 30), 2: (50, 60)}
