import numpy as np
import pytest

from explorer.analysis.naming import Heat
from explorer.data.attributes import AttributeTable
from explorer.measuring.name_records import FeatureName
from explorer.measuring.namer import Namer, group_parts, group_regions

PARTS = ("beak", "left wing", "right wing", "tail")
COUNT = 12
CATEGORIES = tuple(f"{n:03d}.Bird" for n in range(COUNT))


def make_table() -> AttributeTable:
    """Make red wings of birds 0 to 3, a blue tail of the last four, and a size of all."""
    shares = np.zeros((COUNT, 3))
    shares[:4, 0] = [0.9, 0.8, 0.7, 0.4]
    shares[-4:, 1] = 0.9
    shares[:, 2] = 1.0
    return AttributeTable(
        words=("red wings", "blue tail", "size small"),
        groups=("wing", "tail", "size"),
        parts=(("left wing", "right wing"), ("tail",), ()),
        shares=shares,
    )


RED = np.where(np.arange(COUNT) < 4, [3, 2, 1.5, 1, *[0] * 8], 0.1)
BLUE = np.where(np.arange(COUNT) >= 8, [*[0] * 8, 1, 2, 3, 2.5], 0.1)
ON_WINGS = Heat(np.array([0.1, 0.4, 0.4, 0.1]), np.full(4, 0.25), 0.2, 0.6)
ON_TAIL = Heat(np.array([0.1, 0.1, 0.1, 0.7]), np.full(4, 0.25), 0.2, 0.6)
OUTSIDE = Heat(np.full(4, 0.25), np.full(4, 0.25), 0.8, 0.6)


def name(
    means: np.ndarray, heat: Heat, *, against: bool = False, known: bool = True
) -> FeatureName:
    namer = Namer(CATEGORIES, CATEGORIES[0], PARTS, means[:, np.newaxis], np.arange(COUNT))
    return namer.name(0, heat, make_table() if known else None, is_against=against)


def test_an_attribute_with_its_evidence() -> None:
    found = name(RED, ON_WINGS)
    assert (found.kind, found.words, found.is_against) == ("attribute", "red wings", False)
    assert found.parts == ("left wing", "right wing")
    assert found.heat == pytest.approx(0.8)
    assert found.also_on == CATEGORIES[1:3]  # the fourth fires, but is not red enough
    expected = np.corrcoef(RED[1:], make_table().shares[1:, 0])[0, 1]
    assert found.elsewhere == pytest.approx(expected)


def test_heat_on_another_part_leaves_the_part_alone() -> None:
    found = name(RED, ON_TAIL)
    assert (found.kind, found.words, found.parts) == ("part", "tail", ("tail",))
    assert found.correlation is None
    assert found.also_on == CATEGORIES[1:4]


def test_without_a_table_there_are_parts_alone() -> None:
    found = name(RED, ON_WINGS, known=False)
    assert (found.kind, found.words, found.heat) == ("part", "wings", pytest.approx(0.8))


def test_background_and_unclear() -> None:
    assert name(RED, OUTSIDE, known=False).kind == "background"
    assert name(RED, OUTSIDE, known=False).heat == pytest.approx(0.8)
    even = Heat(np.full(4, 0.25), np.full(4, 0.25), 0.3, 0.6)
    assert name(BLUE, even, known=False).kind == "unclear"


def test_what_speaks_against_is_a_mark_of_others() -> None:
    found = name(BLUE, ON_TAIL, against=True)
    assert (found.words, found.is_against) == ("blue tail", True)
    assert found.also_on == (CATEGORIES[10], CATEGORIES[11], CATEGORIES[9], CATEGORIES[8])
    # The bird itself has no blue tail, so that nothing that speaks for it is one.
    assert name(BLUE, ON_TAIL).kind == "part"
    # Red wings are its own, so they cannot speak against it.
    assert name(RED, ON_WINGS, against=True).kind == "part"


def test_what_fires_on_others_alone_is_their_likeness() -> None:
    even = Heat(np.full(4, 0.25), np.full(4, 0.25), 0.3, 0.6)
    found = name(BLUE, even, against=True, known=False)
    assert (found.kind, found.words) == ("others", "likeness to other birds")
    assert found.also_on == (CATEGORIES[10], CATEGORIES[11], CATEGORIES[9], CATEGORIES[8])
    # This one fires on the bird itself most of all.
    assert name(RED, even, against=True, known=False).kind == "unclear"
    assert name(np.zeros(COUNT), even, against=True, known=False).kind == "unclear"


HEAD_AND_BELLY = ("beak", "crown", "throat", "belly", "breast", "tail")


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ((0.2, 0.24, 0.2, 0.16, 0.1, 0.1), "head"),
        ((0.0, 0.1, 0.2, 0.24, 0.22, 0.24), "underparts"),
        ((0.0, 0.1, 0.2, 0.45, 0.1, 0.15), "belly"),  # a part goes first
        ((0.1, 0.14, 0.14, 0.24, 0.14, 0.24), None),  # no region has half more than its area
    ],
)
def test_a_region_is_named_where_no_part_is(shares: tuple[float, ...], words: str | None) -> None:
    areas = np.array([0.08, 0.08, 0.08, 0.13, 0.13, 0.5])
    heat = Heat(np.array(shares), areas if words else np.full(6, 1 / 6), 0.3, 0.6)
    namer = Namer(CATEGORIES, CATEGORIES[0], HEAD_AND_BELLY, RED[:, np.newaxis], np.arange(COUNT))
    found = namer.name(0, heat, None, is_against=False)
    assert found.words == (words or "unclear")
    if words == "head":
        assert found.parts == ("beak", "crown", "throat")
        assert found.heat == pytest.approx(0.64)
    assert namer.name(0, heat, None, is_against=True).words != "head"


def test_regions_of_one_part_are_left_out() -> None:
    words, groups = group_regions(("nape", "left wing", "right wing", "belly"))
    assert words == ("upperparts",)
    assert groups.tolist() == [[True, True, True, False]]
    assert group_regions(("belly", "tail"))[1].shape == (0, 2)


def test_an_x_feature_that_never_fires_is_named_by_heat_alone() -> None:
    assert name(np.zeros(COUNT), ON_WINGS) == FeatureName(
        "part", "wings", parts=("left wing", "right wing"), heat=pytest.approx(0.8)
    )


def test_left_and_right_go_together() -> None:
    words, groups = group_parts(PARTS)
    assert words == ("beak", "wings", "tail")
    assert groups.tolist() == [
        [True, False, False, False],
        [False, True, True, False],
        [False, False, False, True],
    ]
    assert group_parts(("left", "left ear"))[0] == ("left", "ear")


@pytest.mark.parametrize("words", ["", "two\nlines", "x" * 81, "\u202eback"])
def test_names_that_are_no_names_are_refused(words: str) -> None:
    with pytest.raises(ValueError, match="is not a name"):
        FeatureName("part", words)
