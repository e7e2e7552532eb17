"""Findings of the checks of a workspace."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Severity(StrEnum):
    """Severity of a finding."""

    ERROR = "error"
    """Something cannot be used, or is wrong."""
    WARNING = "warning"
    """Something is no longer used, or wastes space."""
    NOTE = "note"
    """Information that is not a problem."""


@dataclass(frozen=True)
class Finding:
    """A problem or a piece of information about a workspace.

    Attributes
    ----------
    severity : Severity
        How serious it is.
    path : Path
        The file or folder concerned.
    problem : str
        What was found, as a sentence.
    cure : str
        What to do, as a sentence; empty if nothing needs to be done.
    is_repairable : bool
        Whether a repair may remove `path`, because it is created again when needed, or never read.
    """

    severity: Severity
    path: Path
    problem: str
    cure: str = ""
    is_repairable: bool = False

    @property
    def is_problem(self) -> bool:
        """Whether the finding is more than a note."""
        return self.severity is not Severity.NOTE


def select_problems(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return the findings that are problems."""
    return tuple(finding for finding in findings if finding.is_problem)


def count_findings(findings: tuple[Finding, ...]) -> str:
    """Describe the number of findings, as in ``2 errors, 1 warning``."""
    counts = {kind: sum(f.severity is kind for f in findings) for kind in Severity}
    words = [f"{n} {kind}{'' if n == 1 else 's'}" for kind, n in counts.items() if n]
    return ", ".join(words) or "nothing"
