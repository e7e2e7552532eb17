import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from explorer.analysis.voronoi import compute_cell_polygons, compute_partition

NAN = float("nan")


def label_slowly(parts, visible, box, image_size, map_size):
    labels = np.full(map_size, -1)
    for i, j in np.ndindex(*map_size):
        x = (j + 0.5) * image_size[1] / map_size[1]
        y = (i + 0.5) * image_size[0] / map_size[0]
        if not (box[0] <= x < box[0] + box[2] and box[1] <= y < box[1] + box[3]):
            continue
        best = np.inf
        for index, (px, py) in enumerate(parts):
            if visible[index] and (x - px) ** 2 + (y - py) ** 2 < best:
                best, labels[i, j] = (x - px) ** 2 + (y - py) ** 2, index
    return labels


def compute_area(polygon):
    x, y = polygon.T
    return abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2


def is_inside(polygon, point):
    edges = np.roll(polygon, -1, axis=0) - polygon
    offsets = point - polygon
    cross = edges[:, 0] * offsets[:, 1] - edges[:, 1] * offsets[:, 0]
    return len(polygon) > 0 and ((cross > 0).all() or (cross < 0).all())


@st.composite
def draw_photos(draw):
    seed = draw(st.integers(0, 10**6))
    generator = np.random.default_rng(seed)
    count = draw(st.integers(1, 8))
    image_size = (int(generator.integers(3, 25)), int(generator.integers(3, 25)))
    map_size = (int(generator.integers(1, 12)), int(generator.integers(1, 12)))
    parts = generator.uniform(-2, 27, (count, 2))
    visible = generator.random(count) < 0.7
    parts[~visible] = np.nan
    box = tuple(generator.uniform(-3, 12, 2)) + tuple(generator.uniform(0, 25, 2))
    return parts, visible, box, image_size, map_size


def test_partition_by_hand_with_part_between_columns():
    labels = compute_partition([(0.5, 1), (3.5, 1), (NAN, NAN)], [1, 1, 0], (1, 0, 3, 2), (3, 5))

    assert labels.dtype == np.int16
    # Column 2's centre is at 2.5: 2 from part 0 and 1 from part 1.
    assert_array_equal(labels, [[-1, 0, 1, 1, -1], [-1, 0, 1, 1, -1], [-1, -1, -1, -1, -1]])


def test_ties_go_to_the_lowest_index():
    labels = compute_partition([(3, 0.5), (0, 0.5)], [True, True], (0, 0, 3, 1), (1, 3))

    # The middle cell's centre, 1.5, is as far from 0 as from 3.
    assert_array_equal(labels, [[1, 0, 0]])


def test_distances_are_measured_in_the_photo_not_on_the_grid():
    # A photo ten times as wide as high on a square grid: on the grid part 0 would be nearer to
    # the cell at the top left; in the photo part 1 is.
    parts = [(45, 0.5), (5, 9.5)]
    labels = compute_partition(parts, [True, True], (0, 0, 100, 10), (10, 100), (10, 10))

    assert labels[0, 0] == 1
    assert_array_equal(labels, label_slowly(parts, [1, 1], (0, 0, 100, 10), (10, 100), (10, 10)))


def test_the_box_includes_its_left_edge_but_not_its_right():
    labels = compute_partition([(0, 0)], [True], (0.5, 0.5, 2, 1), (3, 4))

    assert_array_equal(labels == 0, [[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])


@pytest.mark.parametrize(
    ("visible", "box"),
    [
        ([False, False], (0, 0, 4, 4)),
        ([True, True], (0, 0, 0, 4)),
        ([True, True], (1, 1, -2, 2)),
        ([True, True], (50, 50, 4, 4)),
    ],
)
def test_without_visible_parts_or_box_all_is_outside(visible, box):
    parts = [(1, 1), (2, 2)]

    assert_array_equal(compute_partition(parts, visible, box, (4, 4)), np.full((4, 4), -1))
    assert [p.shape for p in compute_cell_polygons(parts, visible, box, (4, 4))] == [(0, 2)] * 2


def test_a_photo_without_parts():
    parts = np.empty((0, 2))

    assert_array_equal(compute_partition(parts, [], (0, 0, 2, 2), (2, 2)), np.full((2, 2), -1))
    assert compute_cell_polygons(parts, [], (0, 0, 2, 2), (2, 2)) == ()


@given(draw_photos())
def test_partition_agrees_with_brute_force(photo):
    assert_array_equal(compute_partition(*photo), label_slowly(*photo))


@given(draw_photos(), st.randoms(use_true_random=False))
def test_permuting_parts_permutes_labels(photo, random):
    parts, visible, box, image_size, map_size = photo
    order = list(range(len(parts)))
    random.shuffle(order)
    labels = compute_partition(*photo)
    permuted = compute_partition(parts[order], visible[order], box, image_size, map_size)

    renamed = np.append(order, -1)[permuted]
    assert_array_equal(renamed, labels)


@given(draw_photos())
def test_polygons_tile_the_box_and_agree_with_the_labels(photo):
    parts, visible, box, image_size, map_size = photo
    polygons = compute_cell_polygons(parts, visible, box, image_size)
    labels = compute_partition(*photo)

    width = min(box[0] + box[2], image_size[1]) - max(box[0], 0)
    height = min(box[1] + box[3], image_size[0]) - max(box[1], 0)
    area = max(width, 0) * max(height, 0) if visible.any() else 0
    assert_allclose(sum(map(compute_area, polygons)), area, rtol=1e-9, atol=1e-9)
    for i, j in np.ndindex(*map_size):
        centre = np.array(
            [(j + 0.5) * image_size[1] / map_size[1], (i + 0.5) * image_size[0] / map_size[0]]
        )
        owners = [part for part, polygon in enumerate(polygons) if is_inside(polygon, centre)]
        # A centre on a border is not strictly inside any cell.
        assert owners in ([], [labels[i, j]])


def test_polygons_by_hand():
    left, right = compute_cell_polygons([(1, 2), (3, 2)], [1, 1], (0, 0, 4, 4), (4, 4))

    assert set(map(tuple, left)) == {(0, 0), (2, 0), (2, 4), (0, 4)}
    assert set(map(tuple, right)) == {(2, 0), (4, 0), (4, 4), (2, 4)}


def test_a_photo_of_one_pixel_has_one_cell():
    (cell,) = compute_cell_polygons([(0.5, 0.5)], [1], (0, 0, 1, 1), (1, 1))

    assert compute_area(cell) == 1


@pytest.mark.parametrize("box", [(1, 0, 0, 4), (0, 1, 4, 0), (1, 1, 0, 0)])
def test_a_box_without_area_has_no_cells(box):
    polygons = compute_cell_polygons([(1, 2), (3, 2)], [1, 1], box, (4, 4))

    assert [len(polygon) for polygon in polygons] == [0, 0]


def test_a_cell_that_only_touches_the_box_is_empty():
    # The border between both parts is the left edge of the box.
    left, right = compute_cell_polygons([(1, 2), (3, 2)], [1, 1], (2, 0, 2, 4), (4, 4))

    assert len(left) == 0
    assert compute_area(right) == 8


def test_cells_at_a_corner_keep_their_area():
    # The sums of products of a cell at the origin may vanish.
    cells = compute_cell_polygons([(0, 0), (3, 3)], [1, 1], (0, 0, 4, 4), (4, 4))

    assert [compute_area(cell) for cell in cells] == [4.5, 11.5]


def test_of_parts_at_one_point_only_the_first_has_a_cell():
    parts = [(1, 2), (3, 2), (3, 2), (1, 2)]
    polygons = compute_cell_polygons(parts, [1, 1, 1, 1], (0, 0, 4, 4), (4, 4))

    assert [compute_area(polygon) for polygon in polygons] == [8, 8, 0, 0]
    assert [len(polygon) for polygon in polygons] == [4, 4, 0, 0]
    assert set(np.unique(compute_partition(parts, [1] * 4, (0, 0, 4, 4), (4, 4)))) == {0, 1}


def test_a_full_sized_photo_needs_memory_for_two_grids_at_most():
    generator = np.random.default_rng(0)
    parts = generator.uniform(0, 500, (15, 2))
    labels = compute_partition(parts, [True] * 15, (0, 0, 500, 400), (400, 500))

    i, j = 123, 321
    distances = np.hypot(*(parts - (j + 0.5, i + 0.5)).T)
    assert labels[i, j] == distances.argmin()
    assert set(np.unique(labels)) <= set(range(15))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([(1, 2, 3)], [True], (0, 0, 1, 1), (2, 2)), "shape"),
        (([(1, 2)], [True, False], (0, 0, 1, 1), (2, 2)), "visible"),
        (([(NAN, 2)], [True], (0, 0, 1, 1), (2, 2)), "finite position"),
        (([(1, 2)], [True], (0, 0, NAN, 1), (2, 2)), "box"),
        (([(1, 2)], [True], (0, 0, 1), (2, 2)), "box"),
        (([(1, 2)], [True], (0, 0, 1, 1), (0, 2)), "positive"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    for function in (compute_partition, compute_cell_polygons):
        with pytest.raises(ValueError, match=message):
            function(*arguments)


@pytest.mark.parametrize(
    ("image_size", "map_size"), [((2, 2), (0, 2)), ((2, 2), (2, 0)), ((0, 2), (2, 2))]
)
def test_invalid_sizes_are_refused(image_size, map_size):
    with pytest.raises(ValueError, match="positive"):
        compute_partition([(1, 1)], [True], (0, 0, 1, 1), image_size, map_size)
