import json

import pytest

from explorer.config import ExplorerError
from explorer.quiz.pooling import (
    FOLLOWED_RIGHT,
    FOLLOWED_WRONG,
    RIGHT,
    SECONDS,
    Sheet,
    list_differences,
    make_columns,
    measure_people,
    name_sheets,
    read_sheet,
)
from explorer.quiz.questions import ANSWERED, EXPLAINED, PHOTO_ONLY

Asked = tuple[str, str, str, str | None, float | None]  # condition, truth, network, answer, time


def make_file(
    *asked: Asked, participant: str = "P1", started: str = "2026-01-02", **about: object
) -> bytes:
    questions = [
        {
            "position": position,
            "image_id": 40 + position,
            "condition": condition,
            "true_category": truth,
            "network_answer": network,
            "options": ["Finch", "Wren", "Tern"],
            "answer": answer,
            "seconds": seconds,
        }
        for position, (condition, truth, network, answer, seconds) in enumerate(asked, start=1)
    ]
    quiz = {"participant": participant, "started": started, "classifier_sha256": "ab", "seed": 1}
    return json.dumps({"format": 1, "quiz": quiz | about, "questions": questions}).encode()


ANN = make_file(
    (PHOTO_ONLY, "Finch", "Finch", "Wren", 4.0),
    (PHOTO_ONLY, "Wren", "Finch", "Wren", 8.0),
    (EXPLAINED, "Wren", "Finch", "Finch", 2.0),
    (EXPLAINED, "Tern", "Tern", "Tern", 3.0),
    (EXPLAINED, "Tern", "Wren", None, None),
    participant="Ann",
)
BEN = make_file(
    (PHOTO_ONLY, "Finch", "Finch", "Wren", 1.0),
    (ANSWERED, "Wren", "Wren", "Wren", 1.0),
    (EXPLAINED, "Wren", "Finch", "Wren", 5.0),
    participant="Ben",
)


def read_class() -> dict[str, Sheet]:
    return name_sheets([read_sheet(ANN), read_sheet(BEN)])


def test_a_class_of_two() -> None:
    people = read_class()
    assert measure_people(people, RIGHT) == {
        PHOTO_ONLY: {"Ann": 0.5, "Ben": 0.0},
        ANSWERED: {"Ben": 1.0},
        EXPLAINED: {"Ann": 0.5, "Ben": 1.0},  # what Ann skipped does not count
    }
    assert measure_people(people, FOLLOWED_WRONG) == {
        PHOTO_ONLY: {"Ann": 0.0},
        EXPLAINED: {"Ann": 1.0, "Ben": 0.0},
    }
    assert measure_people(people, FOLLOWED_RIGHT)[EXPLAINED] == {"Ann": 1.0}
    assert measure_people(people, SECONDS)[PHOTO_ONLY] == {"Ann": 6.0, "Ben": 1.0}


def test_differences_are_within_people() -> None:
    differences = list_differences(measure_people(read_class(), RIGHT))
    assert differences == {
        (ANSWERED, PHOTO_ONLY): [1.0],
        (EXPLAINED, PHOTO_ONLY): [0.0, 1.0],
        (EXPLAINED, ANSWERED): [0.0],
    }


def test_copies_are_left_out_and_codes_that_repeat_are_told_apart() -> None:
    again = read_sheet(BEN.replace(b"2026-01-02", b"2026-01-03"))
    nobody = read_sheet(make_file((PHOTO_ONLY, "Wren", "Wren", "Wren", 1.0), participant=""))
    named = name_sheets([read_sheet(BEN), read_sheet(BEN), again, nobody])
    assert list(named) == ["Ben", "Ben, quiz 2", "anonymous"]
    assert named["Ben, quiz 2"].started == "2026-01-03"


def test_all_answers_as_a_table() -> None:
    columns = make_columns(read_class())
    assert columns["participant"] == ["Ann"] * 4 + ["Ben"] * 3
    assert columns["image_id"] == [41, 42, 43, 44, 41, 42, 43]
    assert columns["is_right"] == [0, 1, 0, 1, 0, 1, 1]
    assert columns["followed_network"] == [0, 0, 1, 1, 0, 1, 0]
    assert columns["seconds"][:2] == [4.0, 8.0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a file of quiz results"),
        (b"[]", "not a file of quiz results"),
        (b"\xff\xfe", "not a file of quiz results"),
        (b"[" * 100_000, "not a file of quiz results"),
        (ANN.replace(b'"seconds": 4.0', b'"seconds": "4"'), "not a file of quiz results"),
        (ANN.replace(b'"format": 1', b'"format": 2'), "Its format is 2"),
        (ANN.replace(b"photo only", b"photo + song"), "damaged"),
        (ANN.replace(b'"seconds": 4.0', b'"seconds": -4.0'), "damaged"),
        (make_file((PHOTO_ONLY, "Wren", "Wren", None, None)), "holds no answer"),
        (make_file(), "holds no answer"),
        (make_file(*[(PHOTO_ONLY, "Wren", "Wren", "Wren", 1.0)] * 1001), "more than 1,000"),
    ],
)
def test_other_files_are_refused(content: bytes, words: str) -> None:
    with pytest.raises(ExplorerError, match=words):
        read_sheet(content)
