import pytest
from atlases import find, make_atlas, make_feature

from explorer.explaining.atlas_search import (
    BACKGROUND,
    ORDERS,
    Query,
    find_features,
    list_all_colours,
    list_sights,
)

ATLAS = make_atlas(
    Red_Finch=[
        make_feature(
            1, "red crown", found=find("red crown"), mean_contribution=2.0, auc=0.9, locality=1.5
        ),
        make_feature(2, "its Beak", found=find("unclear", "unclear"), note="like a cone, huge"),
        make_feature(3, mean_contribution=-1.0, auc=0.4, locality=0.5),
    ],
    Blue_Wren=[
        make_feature(1, "blue-grey wings", mean_contribution=3.0, auc=0.6, locality=2.0),
        make_feature(2, "tail", own_name="tail", found=find("buff tail"), mean_contribution=0.5),
    ],
)


def search(**asked: str) -> list[str]:
    found = find_features(ATLAS, Query(**asked))
    return [f"{one.module.category_name[0]}{one.feature.x_feature}" for one in found]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", "B1 R1 B2 R3 R2"),
        ("RED", "R1 R3 R2"),
        ("red crown", "R1"),
        ("crown finch", "R1"),
        ("beak", "R2"),
        ("cone", "R2"),
        ("wren", "B1 B2"),
        ("buff", "B2"),
        ("dodo", ""),
    ],
)
def test_words_are_found_in_names_notes_and_species(words: str, found: str) -> None:
    assert search(words=words) == found.split()


def test_names_that_have_all_words_come_before_species_that_do() -> None:
    assert search(words="red", order="locality") == ["R1", "R3", "R2"]


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("contribution", "B1 R1 B2 R3 R2"),
        ("AUC", "R1 B1 R3 R2 B2"),
        ("locality", "R3 R1 B1 R2 B2"),
        ("name", "B1 R2 R1 B2 R3"),
        ("category", "R1 R2 R3 B1 B2"),
    ],
)
def test_the_best_come_first_and_the_unknown_last(order: str, found: str) -> None:
    assert search(order=order) == found.split()
    assert order in ORDERS


def test_colours_are_words_of_names_found_and_given() -> None:
    assert list_all_colours(ATLAS) == ["blue", "buff", "grey", "red"]
    assert search(colour="grey") == ["B1"]
    assert search(colour="buff") == ["B2"]
    assert search(colour="red", words="wren") == []


def test_what_is_looked_at_has_a_quarter_of_the_heat() -> None:
    # Neither wing has a quarter, but both together have.
    wings = make_feature(shares=[0.25, 0.35, 0.2, 0.2])
    assert list_sights(wings) == {"beak", "crown", "wings"}
    assert list_sights(make_feature(shares=[0.24, 0.76, 0, 0])) == {"crown"}
    outside = make_feature(shares=[0.24, 0.26, 0.25, 0.25], outside=0.5)
    assert list_sights(outside) == {"crown", "wings", BACKGROUND}
    assert list_sights(make_feature()) == frozenset()
    atlas = make_atlas(Finch=[make_feature(1, shares=[1, 0, 0, 0]), make_feature(2), outside])
    for sight, numbers in {"beak": [1], BACKGROUND: [1], "": [1, 2, 1], "tail": []}.items():
        found = find_features(atlas, Query(looks_at=sight))
        assert [one.feature.x_feature for one in found] == numbers
