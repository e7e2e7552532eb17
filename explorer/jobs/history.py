"""What a job has measured so far, epoch by epoch, and how long it will take."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from explorer.config import Progress
from explorer.jobs.store import HISTORY_FILE
from explorer.storage.reading import read_regular

_TOO_MUCH = (OverflowError, RecursionError)
_LEAST_STEPS = 3
_MOST_RECORDS = 2000


def format_record(category: str, progress: Progress) -> str:
    """Write a record as a line of ``history.jsonl``, which begins with its category."""
    record = {
        "stage": progress.stage,
        "done": progress.done,
        "total": progress.total,
        "values": dict(progress.values),
    }
    return _begin_line(category) + json.dumps(record, ensure_ascii=False)[1:] + "\n"


def _begin_line(category: str) -> str:
    return json.dumps({"category": category}, ensure_ascii=False)[:-1] + ", "


def is_kept(progress: Progress) -> bool:
    """Tell whether a step goes into the history.

    Of a training of very many epochs a part is kept, evenly spaced, with the last.
    """
    step = max(1, progress.total // _MOST_RECORDS)
    return bool(progress.values) and (progress.done % step == 0 or progress.done == progress.total)


def load_history(folder: Path, category: str) -> list[Progress]:
    """Read the measured epochs of one category of a job.

    A line that is damaged, or that is being written at this very moment, is left out.
    """
    try:
        text = read_regular(folder / HISTORY_FILE).decode(errors="replace")
    except OSError:
        return []
    beginning, records = _begin_line(category), []
    for line in text.splitlines():
        if not line.startswith(beginning):
            continue
        try:
            record = json.loads(line)
            values = {str(name): float(value) for name, value in record["values"].items()}
            progress = Progress(
                str(record["stage"]), int(record["done"]), int(record["total"]), values
            )
        except (ValueError, TypeError, KeyError, AttributeError, *_TOO_MUCH):
            continue
        records.append(progress)
    return records


def list_columns(records: list[Progress]) -> Mapping[str, list[object]]:
    """Arrange records as the columns of a table; what an epoch lacks is empty."""
    names = dict.fromkeys(name for record in records for name in record.values)
    return {
        "epoch": [record.done for record in records],
        "stage": [record.stage for record in records],
        **{name: [record.values.get(name, "") for record in records] for name in names},
    }


@dataclass
class Pace:
    """Tells from the steps so far how long a job will still take.

    Attributes
    ----------
    categories : int
        Number of categories in all.
    now : callable
        Returns seconds on some clock.
    """

    categories: int
    now: Callable[[], float] = time.monotonic
    _stage: tuple[str, str] = ("", "")
    _stage_start: tuple[float, int] = (0.0, 0)
    _category_start: float = 0.0
    _durations: list[float] = field(default_factory=list)

    def estimate(self, category: str, progress: Progress) -> float | None:
        """Take note of a step; return seconds left of the whole job, or None.

        Steps of a stage are taken to last as long as those before them, categories as long as the
        last one. What follows the stage in the first category is not known, and left out.
        """
        now = self.now()
        if category != self._stage[0]:
            if self._stage[0]:
                self._durations.append(now - self._category_start)
            self._category_start = now
        if (category, progress.stage) != self._stage:
            self._stage = (category, progress.stage)
            self._stage_start = (now, progress.done)
        start, done_before = self._stage_start
        steps = progress.done - done_before
        if steps < _LEAST_STEPS:
            return None
        of_stage = (progress.total - progress.done) * (now - start) / steps
        so_far = now - self._category_start
        whole = self._durations[-1] if self._durations else so_far + of_stage
        following = self.categories - len(self._durations) - 1
        return max(of_stage, whole - so_far) + whole * max(0, following)
