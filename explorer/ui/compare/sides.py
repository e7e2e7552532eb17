"""A side of the comparison: the category whose score is explained, and what explains it."""

from dataclasses import dataclass

from explorer.methods.base import Method, ScoreMethod
from explorer.methods.registry import DEFAULT, list_untrained
from explorer.methods.runs import format_run
from explorer.workspace.layout import ModuleEntry

LEFT, RIGHT = "left", "right"
UNTRAINED = {method.name: method for method in list_untrained()}


@dataclass(frozen=True)
class Side:
    """One of two explanations.

    Attributes
    ----------
    place : str
        `LEFT` or `RIGHT`.
    category : str
        Whose score is explained, as in ``classes.txt``.
    category_name : str
        As it is shown.
    by : str
        A module's run, or the name of a method in `UNTRAINED`.
    entry : ModuleEntry or None
        The module; None for a method in `UNTRAINED`.
    """

    place: str
    category: str
    category_name: str
    by: str
    entry: ModuleEntry | None

    @property
    def method(self) -> Method | None:
        """The method that needs no trained module; None for a module."""
        return UNTRAINED[self.by] if self.entry is None else None

    @property
    def is_whole(self) -> bool:
        """Whether the score is drawn as a whole, in one map."""
        return isinstance(self.method, ScoreMethod)

    @property
    def title(self) -> str:
        """Name of the explanation, such as ``SRAE, 5 x-features, seed 0``."""
        return format_run(self.by) if self.method is None else self.method.title

    def describe_maps(self, layer: str) -> str:
        """Say what the maps are when they are asked for at a layer."""
        return (self.method or DEFAULT).describe_maps(layer)


def name_explanation(by: str) -> str:
    """Return the name under which a run or a method is offered."""
    return UNTRAINED[by].title if by in UNTRAINED else format_run(by)
