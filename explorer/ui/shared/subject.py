"""The x-feature that a page is about, with its module's scores, and how x-features are named."""

import html
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.data.cub import format_category
from explorer.explaining.naming import name_feature
from explorer.measuring.scores import ModuleScores
from explorer.ui.shared.markdown import escape_markdown
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

_LONGEST_LABEL = 20


@dataclass(frozen=True, eq=False)
class Subject:
    """An x-feature that a page is about, with its module.

    Attributes
    ----------
    workspace : Workspace
        The workspace of the module.
    entry : ModuleEntry
        The module.
    scores : ModuleScores
        Outputs of the module for all photos, M rows.
    sides : NDArray of str
        (M,), ``"test"``, ``"train"`` or ``"unused"``.
    names : Mapping of int to str
        Names of x-features, not escaped: those that users gave, else those that were found.
    feature : int
        The chosen x-feature, counted from 0.
    """

    workspace: Workspace
    entry: ModuleEntry
    scores: ModuleScores
    sides: NDArray[np.str_]
    names: Mapping[int, str]
    feature: int

    @property
    def activations(self) -> NDArray[np.float32]:
        """(M,), >= 0, of the chosen x-feature."""
        column: NDArray[np.float32] = self.scores.x_features[:, self.feature]
        return column

    @property
    def contributions(self) -> NDArray[np.float64]:
        """(M,), signed, of the chosen x-feature."""
        column: NDArray[np.float64] = self.scores.contributions[:, self.feature]
        return column

    @property
    def category(self) -> str:
        """The module's category in plain words."""
        return format_category(self.entry.category)

    @property
    def title(self) -> str:
        """Number and name of the chosen x-feature, in Markdown."""
        return name_in_markdown(self.feature, self.names)


def name_in_markdown(feature: int, names: Mapping[int, str]) -> str:
    """Format the number and the name of an x-feature as Markdown."""
    name = names.get(feature)
    return name_feature(feature) + (f" “{escape_words(name)}”" if name else "")


def name_in_text(feature: int, names: Mapping[int, str]) -> str:
    """Format the number and the name of an x-feature as plain text."""
    name = names.get(feature)
    return name_feature(feature) + (f" “{name}”" if name else "")


def escape_words(words: str) -> str:
    """Escape one line that a user wrote, including its backticks."""
    return r"\`".join(escape_markdown(piece) for piece in words.split("`"))


def name_in_figure(feature: int, names: Mapping[int, str]) -> str:
    """Format the name of an x-feature as HTML for a figure, short enough for a phone."""
    name = names.get(feature, "")
    short = name if len(name) <= _LONGEST_LABEL else name[: _LONGEST_LABEL - 1] + "…"
    # With the number, since several may have the same name.
    return f"{feature + 1} · {html.escape(short)}" if short else name_feature(feature)
