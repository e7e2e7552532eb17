"""Generates the README's table of settings from the fields that declare them.

``python tools/settings_table.py`` prints the table; ``--write`` updates it in README.md.
"""

import argparse
from collections.abc import Iterator

from explorer.config import REPOSITORY_ROOT
from explorer.methods.registry import list_module_settings, list_trained
from explorer.settings.declaring import Info, Setting, list_settings
from explorer.training.modules.settings import TrainingSettings

README = REPOSITORY_ROOT / "README.md"
BEGIN, END = "<!-- settings -->", "<!-- end of settings -->"
_HUGE = 100_000


def make_table() -> str:
    """Return the table in Markdown, with a row for each setting of modules and their training."""
    lines = ["| option | default | takes | what it does |", "|:--|:--|:--|:--|"]
    lines += [" | ".join(("", *cells, "")).strip() for cells in list_rows()]
    return "\n".join(lines)


def list_rows() -> Iterator[tuple[str, str, str, str]]:
    methods = {
        method.name: {one.name for one in list_settings(method.settings)}
        for method in list_trained()
    }
    for one in list_module_settings():
        owners = [name for name, own in methods.items() if one.name in own]
        only = "" if len(owners) == len(methods) else f" ({', '.join(owners)} only)"
        yield make_row(one, only)
    for one in list_settings(TrainingSettings):
        yield make_row(one)


def make_row(one: Setting, only: str = "") -> tuple[str, str, str, str]:
    option = f"`--{one.name.replace('_', '-')}`"
    return (
        option,
        one.info.default_text or f"{one.default:g}",
        describe_values(one.info),
        one.info.help + only,
    )


def describe_values(info: Info) -> str:
    """Describe the choices or the range of a setting; very large upper bounds are omitted."""
    if info.choices:
        return ", ".join(info.choices)
    low, high = info.low, info.high if info.high is not None and info.high < _HUGE else None
    if low is not None and high is not None:
        return f"{low:,g} to {high:,g}"
    signs = (("≥", low), (">", info.above), ("≤", high), ("<", info.below))
    return ", ".join(f"{sign} {bound:,g}" for sign, bound in signs if bound is not None)


def fill(text: str) -> str:
    """Return the text of the README with the current table between its markers."""
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n{make_table()}\n{END}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="replace the table in README.md")
    if parser.parse_args().write:
        README.write_text(fill(README.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(make_table())


if __name__ == "__main__":
    main()
