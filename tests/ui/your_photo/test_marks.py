import math

import pytest

from explorer.ui.your_photo.marks import Marks

NAMES = ("back", "beak", "belly")


def make_marks() -> Marks:
    return Marks(200, 100, (20.0, 10.0, 100.0, 60.0), {0: (50.0, 40.0), 2: (90.0, 30.0)})


def test_box_begins_a_little_smaller_than_the_photo() -> None:
    assert Marks(200, 100).box == (10, 5, 180, 90)
    assert Marks(200, 100, (1.0, 2.0, 3.0, 4.0)).box == (1, 2, 3, 4)


def test_parts_are_placed_moved_and_taken_away() -> None:
    marks = make_marks()
    marks.place(1, 10, 20)
    marks.place(0, 60, 70.5)
    marks.hide(2)
    marks.hide(2)
    assert marks.points == {1: (10, 20), 0: (60, 70.5)}
    assert marks.version == 3


@pytest.mark.parametrize(
    ("place", "wanted"),
    [((-5, 50), (0, 50)), ((250, 101), (200, 100)), ((200, 0), (200, 0))],
)
def test_points_outside_are_moved_to_the_border(
    place: tuple[float, float], wanted: tuple[float, float]
) -> None:
    marks = make_marks()
    marks.place(1, *place)
    assert marks.points[1] == wanted


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_change_nothing(bad: float) -> None:
    marks = make_marks()
    marks.place(1, bad, 10)
    marks.place(1, 10, bad)
    marks.set_box(0, 0, bad, 10)
    marks.apply_table(marks.points, {0: {"x": bad}})
    assert (marks.points, marks.box) == (make_marks().points, make_marks().box)
    assert not marks.can_undo


@pytest.mark.parametrize(
    ("edges", "wanted"),
    [
        ((30, 20, 90, 80), (30, 20, 60, 60)),
        ((90, 80, 30, 20), (30, 20, 60, 60)),
        ((-10, -10, 500, 500), (0, 0, 200, 100)),
        ((50, 50, 50, 50), (50, 50, 2, 2)),
        ((200, 100, 200, 100), (198, 98, 2, 2)),
        ((400, 10, 500, 20), (198, 10, 2, 10)),
    ],
)
def test_box_keeps_within_the_photo_and_never_vanishes(
    edges: tuple[float, ...], wanted: tuple[float, ...]
) -> None:
    marks = make_marks()
    marks.set_box(*edges)
    assert marks.box == wanted


def test_every_step_can_be_taken_back() -> None:
    marks = make_marks()
    assert not marks.can_undo
    marks.place(1, 10, 20)
    marks.set_box(0, 0, 50, 50)
    marks.clear()
    marks.clear()
    marks.apply_table({}, {1: {"x": 5}})
    steps = 0
    versions = {marks.version}
    while marks.can_undo:
        marks.undo()
        versions.add(marks.version)
        steps += 1
    assert steps == 4
    assert len(versions) == 5
    assert (marks.points, marks.box) == (make_marks().points, make_marks().box)
    marks.undo()
    assert marks.points == make_marks().points


def test_only_the_last_hundred_steps_are_kept() -> None:
    marks = Marks(200, 100)
    for x in range(130):
        marks.place(0, x, 1)
    while marks.can_undo:
        marks.undo()
    assert marks.points == {0: (29, 1)}


@pytest.mark.parametrize(
    ("edits", "wanted"),
    [
        ({1: {"x": 12.5}}, {0: (50, 40), 1: (12.5, 50), 2: (90, 30)}),  # the middle where untold
        ({1: {"seen": True}}, {0: (50, 40), 1: (100, 50), 2: (90, 30)}),
        ({1: {"seen": False, "x": 3}}, {0: (50, 40), 2: (90, 30)}),
        ({0: {"y": 7}}, {0: (50, 7), 2: (90, 30)}),
        ({0: {"seen": False}}, {2: (90, 30)}),
        ({0: {"x": None}}, {0: (50, 40), 2: (90, 30)}),
        ({0: {"x": 999}, 2: {"y": -1}}, {0: (200, 40), 2: (90, 0)}),
    ],
)
def test_table_says_which_parts_are_seen_and_where(
    edits: dict[int, dict], wanted: dict[int, tuple[float, float]]
) -> None:
    marks = make_marks()
    marks.apply_table(dict(marks.points), edits)
    assert marks.points == wanted
    # A new version redraws the table, which would lose the focus.
    assert marks.version == 0


def test_edits_of_a_table_add_to_what_it_was_drawn_from() -> None:
    marks = make_marks()
    base = dict(marks.points)
    marks.apply_table(base, {0: {"x": 1}})
    marks.apply_table(base, {0: {"x": 1}, 2: {"seen": False}})
    assert marks.points == {0: (1, 40)}
    marks.undo()
    assert marks.points == {0: (1, 40), 2: (90, 30)}


def test_parts_of_other_names_are_dropped() -> None:
    marks = make_marks()
    marks.name_parts(NAMES)
    marks.place(1, 5, 5)
    marks.name_parts(NAMES)
    assert set(marks.points) == {0, 1, 2}
    marks.name_parts(("wheel", "door"))
    assert marks.points == {}
    assert not marks.can_undo
    assert marks.box == make_marks().box


def make_found() -> Marks:
    marks = Marks(200, 100)
    marks.suggest((20, 10, 500, 60), {0: (50, 40), 2: (250, 30)}, {0: 0.9, 2: 0.6})
    return marks


def test_what_is_found_is_marked_as_found_and_clipped() -> None:
    marks = make_found()
    assert marks.box == (20, 10, 180, 60)
    assert marks.points == {0: (50, 40), 2: (200, 30)}
    assert marks.found == {0: 0.9, 2: 0.6}
    assert marks.is_box_found
    marks.undo()
    assert (marks.points, marks.found, marks.is_box_found) == ({}, {}, False)


def test_what_the_visitor_touches_is_no_longer_found() -> None:
    marks = make_found()
    marks.place(0, 60, 40)
    assert marks.found == {2: 0.6}
    assert marks.is_box_found
    marks.set_box(0, 0, 50, 50)
    assert not marks.is_box_found
    marks.undo()
    marks.undo()
    assert marks.found == {0: 0.9, 2: 0.6}
    marks.hide(2)
    assert marks.found == {0: 0.9}
    marks.undo()
    marks.apply_table(dict(marks.points), {0: {"x": 55.0}})
    assert marks.found == {2: 0.6}
    marks.clear()
    assert marks.found == {}


def test_other_part_names_forget_what_was_found() -> None:
    marks = make_found()
    marks.name_parts(NAMES)
    assert marks.found
    marks.name_parts(("tail",))
    assert (marks.points, marks.found) == ({}, {})
