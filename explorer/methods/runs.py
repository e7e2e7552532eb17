"""Runs in words, and which of a category's runs comes first."""

import re
from collections.abc import Iterable

from explorer.methods.registry import DEFAULT, find_method
from explorer.workspace.layout import ModuleEntry

_RUN = re.compile(r"([a-z]+(?:-[a-z]+)*?)-k(\d+)-s(\d+)((?:-[a-z_]+[\dx.e+-]*)*)")
_SETTING = re.compile(r"-([a-z_]+?)_?(\d[\dx.e+-]*)(?=-|$)")


def format_run(run: str) -> str:
    """Turn a run's name into words: ``srae-k5-s0`` to ``SRAE, 5 x-features, seed 0``."""
    match = _RUN.fullmatch(run)
    if match is None:
        return run
    method = find_method(match[1])
    title = match[1].upper() if method is None else method.title
    others = _SETTING.findall(match[4])
    extra = "".join(f", {name.replace('_', ' ')} {value}" for name, value in others)
    return f"{title}, {match[2]} x-features, seed {match[3]}{extra}"


def sort_modules(entries: Iterable[ModuleEntry]) -> list[ModuleEntry]:
    """Put the paper's own method first, which is the usual choice; else keep the order."""
    usual = f"{DEFAULT.settings.method}-k"
    return sorted(entries, key=lambda entry: not entry.run.startswith(usual))


def get_usual_module(entries: Iterable[ModuleEntry], category: str) -> ModuleEntry | None:
    """Return the module of `category` that is shown where nobody asks for another, if any."""
    return next((e for e in sort_modules(entries) if e.category == category), None)
