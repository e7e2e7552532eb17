"""What a check of a workspace finds."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    """Something cannot be used, or what it says is not true."""
    WARNING = "warning"
    """Something is of no use any more, or takes up room for nothing."""
    NOTE = "note"
    """Worth knowing, and as it should be."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    Attributes
    ----------
    severity : Severity
        How bad it is.
    path : Path
        The file or folder that it is about.
    problem : str
        What is wrong with it, as a sentence.
    cure : str
        What to do, as a sentence; empty where there is nothing to do.
    is_repairable : bool
        Whether the repair may take `path` away, as the explorer makes it again by itself or
        nothing ever reads it.
    """

    severity: Severity
    path: Path
    problem: str
    cure: str = ""
    is_repairable: bool = False

    @property
    def is_trouble(self) -> bool:
        """Whether a workspace with this finding is not healthy."""
        return self.severity is not Severity.NOTE


def list_troubles(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return the findings that keep a workspace from being healthy."""
    return tuple(finding for finding in findings if finding.is_trouble)


def count_findings(findings: tuple[Finding, ...]) -> str:
    """Count findings in words, such as ``2 errors, 1 warning``."""
    counts = {kind: sum(f.severity is kind for f in findings) for kind in Severity}
    words = [f"{n} {kind}{'' if n == 1 else 's'}" for kind, n in counts.items() if n]
    return ", ".join(words) or "nothing"
