from dataclasses import replace
from pathlib import Path

import pytest

from explorer.jobs.types import Job, JobRequest, JobState, JobStatus
from explorer.ui.shared.names import name_training
from explorer.ui.shared.training_status import describe_progress, format_seconds

REQUEST = JobRequest("/birds", ("001.Wren", "002.Black_Swan"), "srae-k5-s0", {}, {})
STATUS = JobStatus(
    JobState.RUNNING, "", "002.Black_Swan", "Training", 3, 9, ("001.Wren",), 200.0, 5
)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s"),
        (89, "89 s"),
        (90, "2 min"),
        (3600, "60 min"),
        (5400, "1 h 30 min"),
        (36_000, "10 h 0 min"),
    ],
)
def test_times_are_written_in_units_that_matter(seconds: float, words: str) -> None:
    assert format_seconds(seconds) == words


def test_progress_in_words() -> None:
    job = Job(Path("1"), REQUEST, STATUS, JobState.RUNNING)
    assert describe_progress(job) == "Black Swan, 2 of 2 · Training: 3 of 9 · about 3 min left"
    one = replace(job, request=replace(REQUEST, categories=("002.Black_Swan",)))
    early = replace(one, status=replace(STATUS, measured=(), seconds_left=None))
    assert describe_progress(early) == "Training: 3 of 9"
    assert describe_progress(replace(job, state=JobState.CANCELLING)) == "Stopping …"
    stage = "Finding where Z comes from"
    before = replace(one, status=replace(STATUS, stage=stage, measured=(), seconds_left=1.0))
    assert describe_progress(before) == f"{stage}: 3 of 9 · then training"
    begun = replace(job, status=replace(STATUS, stage=""))
    assert describe_progress(begun) == "Opening the workspace …"


def test_trainings_are_named_by_their_categories() -> None:
    assert name_training(REQUEST) == "Wren and Black Swan"
    many = ("001.Wren", "002.Black_Swan", "003.Robin", "004.Kite")
    assert name_training(replace(REQUEST, categories=many)) == "Wren, Black Swan and 2 more"
