import numpy as np
import pytest

from explorer.explaining.why_not import Row, describe_missed, find_missed, match_x_features

CROWN, WING, TAIL = np.eye(3)


def test_x_features_that_look_at_the_same_part_stand_side_by_side() -> None:
    own, other = [WING, CROWN, TAIL], [0.6 * TAIL + 0.4 * CROWN, WING, 0.9 * CROWN]
    assert match_x_features(own, other, {}, {}, [0.5, 3.0, 1.0]) == (
        Row(1, 2),
        Row(2, 0),
        Row(0, 1),
    )


def test_x_features_of_one_name_stand_side_by_side_where_places_do_not_decide() -> None:
    names, others = {0: "red crown", 1: "white wings"}, {0: "White wings", 1: "blue crown"}
    here = [0.5 * CROWN + 0.5 * WING] * 2
    assert match_x_features(here, here, names, others, [1.0, 2.0]) == (Row(1, 0), Row(0, 1))
    far = [0.5 * CROWN + 0.5 * WING, TAIL]
    assert match_x_features(far, far, names, others, [1.0, 2.0]) == (Row(1, 1), Row(0, 0))


def test_x_features_with_little_in_common_stand_alone() -> None:
    names, others = {0: "red belly"}, {0: "legs"}
    both = [[0.4 * CROWN + 0.6 * WING], [0.4 * CROWN + 0.6 * TAIL]]
    assert match_x_features(*both, names, others, [1.0]) == (Row(0, None), Row(None, 0))


def test_x_features_without_a_partner_stand_alone() -> None:
    assert match_x_features([CROWN], [WING, CROWN], {}, {}, [1.0]) == (Row(0, 1), Row(None, 0))
    assert match_x_features([CROWN, WING], [WING], {}, {}, [1.0, 2.0]) == (Row(1, 0), Row(0, None))


def test_only_what_usually_counts_is_missed() -> None:
    usual = [4.0, 3.0, 0.2, -1.0, 2.0]
    assert find_missed([0.0, 2.9, 0.0, 0.0, 0.9], usual).tolist() == [0, 4]


@pytest.mark.parametrize(
    ("here", "expected"),
    [
        ([0.0, 0.0], "No x-feature of Blue Jay adds anything here."),
        (
            [3.0, 1.0],
            "Nothing that usually counts is missing for Blue Jay: its x-features add up to 4.0 "
            "here, usually to 4.3.",
        ),
        (
            [0.12, 1.0],
            "What is missing for Blue Jay: blue crest (0.1 here, usually 3.1).",
        ),
        (
            [-0.01, 0.2],
            "What is missing for Blue Jay: blue crest (0.0 here, usually 3.1) and x-feature 2 "
            "(0.2 here, usually 1.2).",
        ),
    ],
)
def test_what_a_rival_misses_is_told(here: list[float], expected: str) -> None:
    assert describe_missed("Blue Jay", here, [3.1, 1.2], {0: "blue crest"}) == expected


@pytest.mark.parametrize(
    ("here", "expected"),
    [
        (
            [3.0, -0.2],
            "Nothing that usually counts is missing for Blue Jay: its x-features add up to 2.8 "
            "here, usually to 3.0.",
        ),
        (
            [3.0, -2.0],
            "Nothing that usually counts is missing for Blue Jay: its x-features add up to 1.0 "
            "here, usually to 3.0. What speaks against it: white wings (−2.0 here, usually −0.1).",
        ),
        (
            [0.5, -1.0],
            "What is missing for Blue Jay: x-feature 1 (0.5 here, usually 3.1). What speaks "
            "against it: white wings (−1.0 here, usually −0.1).",
        ),
        ([0.0, -2.0], "No x-feature of Blue Jay adds anything here."),
    ],
)
def test_what_speaks_against_a_rival_is_told(here: list[float], expected: str) -> None:
    assert describe_missed("Blue Jay", here, [3.1, -0.1], {1: "white wings"}) == expected


def test_what_another_x_feature_of_the_same_name_finds_is_not_missing() -> None:
    names = {0: "legs", 1: "legs", 2: "blue crest"}
    found = describe_missed("Blue Jay", [0.1, 3.0, 0.2], [1.0, 2.0, 3.1], names)
    assert found == "What is missing for Blue Jay: blue crest (0.2 here, usually 3.1)."
