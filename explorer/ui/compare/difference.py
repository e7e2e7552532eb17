"""What tells two explanations apart, in words."""

from collections.abc import Mapping
from typing import Any

from explorer.methods.registry import find_method
from explorer.ui.compare.sides import LEFT, RIGHT, Side
from explorer.ui.shared.markdown import escape_markdown
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

_NAMES = {"x_features": "x-features", "pull_away": "pull-away"}


def describe_difference(workspace: Workspace, left: Side, right: Side) -> str:
    """Describe the difference between two explanations in a few sentences of Markdown."""
    if (left.category, left.by) == (right.category, right.by):
        return "Both sides are the same. Choose another explanation on one of them."
    names = [f"**{escape_markdown(side.category_name)}**" for side in (left, right)]
    scores = (
        f"Both explain the score of {names[0]}."
        if left.category == right.category
        else f"They explain two scores of one network: {names[0]} (left) and {names[1]} (right)."
    )
    return f"{scores} {_compare(workspace, left, right)}"


def _compare(workspace: Workspace, left: Side, right: Side) -> str:
    if left.entry is not None and right.entry is not None:
        return _compare_settings(workspace, left.entry, right.entry)
    if left.is_whole and right.is_whole:
        if left.by == right.by:
            return f"{left.title} shows each in one map."
        return f"{left.title} and {right.title} each show it in one map."
    if left.is_whole and right.entry is not None:
        return _compare_with_whole(left, RIGHT)
    if right.is_whole and left.entry is not None:
        return _compare_with_whole(right, LEFT)
    return f"**Left:** {_describe(left)} **Right:** {_describe(right)}"


def _compare_with_whole(whole: Side, place: str) -> str:
    return (
        f"The module on the {place} splits it into x-features; {whole.title} on the "
        f"{whole.place} shows it in one map."
    )


def _describe(side: Side) -> str:
    return (
        "A module that splits it into x-features." if side.method is None else side.method.summary
    )


def _compare_settings(workspace: Workspace, left: ModuleEntry, right: ModuleEntry) -> str:
    one, other = (workspace.load_record(entry) for entry in (left, right))
    # A setting of one method alone is no difference of settings; a patience of one training is.
    values = {
        name: (_read_setting(one.settings, name), _read_setting(other.settings, name))
        for name in one.settings
        if name in other.settings
    } | {
        name: (_read_setting(one.training, name), _read_setting(other.training, name))
        for name in one.training | other.training
    }
    differing = [
        f"{_NAMES.get(name, name.replace('_', ' '))} ({_format(mine)} and {_format(theirs)})"
        for name, (mine, theirs) in values.items()
        if mine != theirs
    ]
    if not differing:
        return "Method, settings and seed are the same."
    return f"They differ in {', '.join(differing)}."


def _read_setting(settings: Mapping[str, Any], name: str) -> object:
    """Return a setting in a module's file, or the title of its method."""
    value = settings.get(name)
    method = find_method(value) if name == "method" and isinstance(value, str) else None
    return value if method is None else method.title


def _format(value: object) -> str:
    if isinstance(value, list | tuple):
        return escape_markdown(" × ".join(map(str, value)))
    return "none" if value is None else escape_markdown(str(value))
