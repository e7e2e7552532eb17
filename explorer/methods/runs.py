"""Formatting the names of runs, and the default module of a category."""

import re
from collections.abc import Iterable

from explorer.data.names import count_words
from explorer.methods.registry import DEFAULT, METHODS, find_method
from explorer.workspace.layout import ModuleEntry

_RUN = re.compile(r"([a-z]+(?:-[a-z]+)*?)-k(\d+)-s(\d+)((?:-[a-z_]+[\dx.e+-]*)*)")
_SETTING = re.compile(r"-([a-z_]+?)_?(\d[\dx.e+-]*)(?=-|$)")


def format_run(run: str) -> str:
    """Format the name of a run: ``srae-k5-s0`` as ``SRAE, 5 x-features, seed 0``."""
    match = _RUN.fullmatch(run)
    if match is None:
        return run
    method = find_method(match[1])
    title = match[1].upper() if method is None else method.title
    others = _SETTING.findall(match[4])
    extra = "".join(f", {name.replace('_', ' ')} {value}" for name, value in others)
    return f"{title}, {count_words(int(match[2]), 'x-feature')}, seed {match[3]}{extra}"


def sort_modules(entries: Iterable[ModuleEntry]) -> list[ModuleEntry]:
    """Sort modules: the default method first, then in the order in which methods are listed."""
    return sorted(entries, key=_rank)


def get_default_module(entries: Iterable[ModuleEntry], category: str) -> ModuleEntry | None:
    """Return the module of `category` that is shown by default, if there is any."""
    return get_default_modules(e for e in entries if e.category == category).get(category)


def get_default_modules(entries: Iterable[ModuleEntry]) -> dict[str, ModuleEntry]:
    """Return the module that is shown by default for each category that has any."""
    found: dict[str, ModuleEntry] = {}
    for entry in entries:
        known = found.get(entry.category)
        if known is None or _rank(entry) < _rank(known):
            found[entry.category] = entry
    return found


def _rank(entry: ModuleEntry) -> int:
    match = _RUN.fullmatch(entry.run)
    methods = [DEFAULT.settings.method, *METHODS]
    return methods.index(match[1]) if match and match[1] in methods else len(methods)
