import numpy as np
import pytest

from explorer.explaining.places import describe_exceptions, describe_places
from explorer.measuring.name_records import FeatureName
from explorer.measuring.parts import PhotoParts

PART_NAMES = ("crown", "breast", "left wing", "right wing")
# Four columns of the box, one for each part; the left half of the photo is outside of it.
PARTS = PhotoParts(
    np.zeros((8, 64, 3), np.uint8),
    (32.0, 0.0, 32.0, 8.0),
    np.array([(36.0, 4.0), (44.0, 4.0), (52.0, 4.0), (60.0, 4.0)]),
    np.ones(4, bool),
)
BREAST = FeatureName("attribute", "lemon breast", parts=("breast",), heat=0.4)
WINGS = FeatureName("part", "wings", parts=("left wing", "right wing"), heat=0.6)
BACKGROUND = FeatureName("background", "background", heat=0.8)
UNCLEAR = FeatureName("unclear", "unclear")


def make_map(background: float, *parts: float) -> np.ndarray:
    """Spread heat over the background and each part."""
    columns = [background / 32] * 32 + [share / 8 for share in parts for _ in range(8)]
    return np.tile(np.array(columns, np.float32), (1, 8, 1))


@pytest.mark.parametrize(
    ("name", "heat", "expected"),
    [
        (BREAST, make_map(0.0, 0.3, 0.4, 0.2, 0.1), {}),
        (BREAST, make_map(0.0, 0.5, 0.2, 0.2, 0.1), {}),  # half of the usual share is enough
        (BREAST, make_map(0.0, 0.7, 0.1, 0.1, 0.1), {0: "here on the crown"}),
        (BREAST, make_map(0.0, 0.1, 0.1, 0.4, 0.4), {0: "here on the wings"}),
        (BREAST, make_map(0.0, 0.3, 0.1, 0.3, 0.3), {}),  # nowhere in particular
        (BREAST, make_map(0.8, 0.0, 0.2, 0.0, 0.0), {0: "here beside the bird"}),
        (WINGS, make_map(0.0, 0.2, 0.2, 0.6, 0.0), {}),
        (BACKGROUND, make_map(0.5, 0.5, 0.0, 0.0, 0.0), {}),
        (BACKGROUND, make_map(0.2, 0.8, 0.0, 0.0, 0.0), {0: "here on the crown"}),
        (UNCLEAR, make_map(0.0, 0.0, 1.0, 0.0, 0.0), {0: "here on the breast"}),
        (UNCLEAR, make_map(0.0, 0.25, 0.25, 0.25, 0.25), {}),
        (BREAST, make_map(0.0, 0.0, 0.0, 0.0, 0.0), {}),
    ],
)
def test_it_is_said_where_the_heat_is_not_where_the_name_says(
    name: FeatureName, heat: np.ndarray, expected: dict[int, str]
) -> None:
    assert describe_places([name], PARTS, heat, PART_NAMES) == expected


def test_a_region_around_the_named_part_is_not_elsewhere() -> None:
    names = ("belly", "breast", "crown", "left wing")
    belly = FeatureName("attribute", "blue belly", parts=("belly",), heat=0.6)
    heat = make_map(0.0, 0.2, 0.25, 0.3, 0.25)
    assert describe_places([belly], PARTS, heat, names) == {}


def test_much_heat_beside_the_bird_is_told() -> None:
    heat = make_map(0.4, 0.4, 0.1, 0.05, 0.05)
    found = describe_places([BREAST], PARTS, heat, PART_NAMES)
    assert found == {0: "here on the crown and beside the bird"}


def test_a_sentence_names_what_looks_elsewhere_the_largest_first() -> None:
    places = {0: "here on the crown", 1: "here on the legs", 2: "here beside the bird", 3: "here"}
    names = {0: "wings", 1: "red tail", 3: "back"}
    found = describe_exceptions(places, [1.0, -3.0, 2.0, 0.5], names, str.upper)
    assert found == (
        "On this photo, heat is not always where the names say: RED TAIL (x-feature 2) on the legs "
        "and WINGS (x-feature 1) on the crown."
    )
    assert not describe_exceptions({}, [1.0], names)
    assert not describe_exceptions(places, [0.0] * 4, names)


def test_a_region_with_most_of_the_heat_is_named_beside_the_part() -> None:
    names = ("crown", "forehead", "breast", "left wing")
    breast = FeatureName("attribute", "lemon breast", parts=("breast",), heat=0.2)
    heat = make_map(0.0, 0.4, 0.4, 0.2, 0.0)
    assert describe_places([breast], PARTS, heat, names) == {0: "here mostly on the head"}
    crown = FeatureName("part", "crown", parts=("crown",), heat=0.4)
    assert describe_places([crown], PARTS, heat, names) == {}
