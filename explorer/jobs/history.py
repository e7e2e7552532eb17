"""The measurements of a job, epoch by epoch, and an estimate of the time that it still takes."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from explorer.config import Progress
from explorer.jobs.store import HISTORY_FILE
from explorer.storage.json_records import convert_record, parse_json
from explorer.storage.reading import read_regular

_MIN_STEPS = 3
_MAX_RECORDS = 2000


def format_record(category: str, progress: Progress) -> str:
    """Format a record as a line of ``history.jsonl``, which begins with its category."""
    record = {
        "stage": progress.stage,
        "done": progress.done,
        "total": progress.total,
        "values": dict(progress.values),
        "detail": progress.detail,
    }
    return _format_start(category) + json.dumps(record, ensure_ascii=False)[1:] + "\n"


def _format_start(category: str) -> str:
    return json.dumps({"category": category}, ensure_ascii=False)[:-1] + ", "


def is_recorded(progress: Progress) -> bool:
    """Return whether a step is written to the history.

    Of a training with very many epochs, evenly spaced ones and the last are written.
    """
    step = max(1, progress.total // _MAX_RECORDS)
    return bool(progress.values) and (progress.done % step == 0 or progress.done == progress.total)


def load_history(folder: Path, category: str) -> list[Progress]:
    """Read the recorded epochs of one category of a job.

    Lines that are damaged or incomplete are skipped.
    """
    try:
        text = read_regular(folder / HISTORY_FILE).decode(errors="replace")
    except OSError:
        return []
    start, records = _format_start(category), []
    for line in text.splitlines():
        if line.startswith(start):
            try:
                records.append(convert_record(parse_json(line), Progress))
            except ValueError:
                continue
    return records


def list_columns(records: list[Progress]) -> Mapping[str, list[object]]:
    """Return records as the columns of a table; values that an epoch does not have are empty."""
    names = dict.fromkeys(name for record in records for name in record.values)
    return {
        "epoch": [record.done for record in records],
        "stage": [record.stage for record in records],
        **{name: [record.values.get(name, "") for record in records] for name in names},
    }


@dataclass
class Pace:
    """Estimates from the steps so far how long a job will still take.

    Attributes
    ----------
    categories : int
        Number of categories of the job.
    now : callable
        Clock, in seconds.
    """

    categories: int
    now: Callable[[], float] = time.monotonic
    _stage: tuple[str, str] = ("", "")
    _stage_start: tuple[float, int] = (0.0, 0)
    _category_start: float = 0.0
    _durations: list[float] = field(default_factory=list)

    def estimate(self, category: str, progress: Progress) -> float | None:
        """Record a step and return the estimated seconds left of the whole job.

        The remaining steps of a stage are expected to take as long as the steps so far, and the
        remaining categories as long as the last one. Later stages of the first category are not
        known yet and not counted. None until enough steps have been made.
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
        if steps < _MIN_STEPS:
            return None
        of_stage = (progress.total - progress.done) * (now - start) / steps
        so_far = now - self._category_start
        whole = self._durations[-1] if self._durations else so_far + of_stage
        following = self.categories - len(self._durations) - 1
        return max(of_stage, whole - so_far) + whole * max(0, following)
