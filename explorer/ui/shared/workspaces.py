"""The workspaces that come with the explorer: their names on the pages, and what they hold."""

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from explorer.config import list_shipped_workspaces


@dataclass(frozen=True)
class Introduction:
    """How a workspace is introduced to visitors.

    Attributes
    ----------
    name : str
        Its name on the pages and in addresses.
    sentence : str
        What it holds.
    example : str
        The category that is open at first, a bird of many colours; empty for the first of all.
    """

    name: str
    sentence: str
    example: str = ""


_BY_FOLDER = MappingProxyType(
    {
        "birds": Introduction(
            "200 real species",
            "A network that tells 200 species of birds apart, most of them from North America. "
            "Show it a photo of your own.",
            example="016.Painted_Bunting",
        ),
        "demo": Introduction(
            "Painted birds with known truth",
            "Birds painted by a program. What makes each category is known, so explanations can "
            "be checked.",
        ),
    }
)


def introduce(workspace: Path) -> Introduction | None:
    """Return the introduction of a workspace that comes with the explorer; None for others."""
    is_shipped = workspace in list_shipped_workspaces()
    return _BY_FOLDER.get(workspace.name) if is_shipped else None
