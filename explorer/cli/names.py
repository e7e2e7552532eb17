"""The command ``names``: what x-features stand for, and whether the names hold."""

from typing import Annotated

import typer
from rich.table import Column, Table

from explorer.cli.options import Device, WorkspacePath
from explorer.cli.reporting import console, follow
from explorer.config import ExplorerError, Progress, Steps
from explorer.data.cub import format_category
from explorer.data.names import count_words
from explorer.evaluation.naming import Causing, Telling, check_names, list_named
from explorer.measuring.module import rename_features
from explorer.measuring.name_records import FeatureName
from explorer.render.numbers import format_signed
from explorer.storage.packing import make_csv
from explorer.storage.writing import write_bytes
from explorer.workspace.layout import RESULTS_FOLDER, check_inside
from explorer.workspace.workspace import Workspace


def names(
    workspace: WorkspacePath,
    check: Annotated[
        bool, typer.Option("--check", help="Also check them on test photos and painted birds.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="First find them again; no heatmap is drawn for it.")
    ] = False,
    device: Device = "auto",
) -> None:
    """List the names that were found for x-features, and write them to results/names.csv."""
    opened = Workspace(workspace, device)
    if again:
        _print_renamed(opened, *follow(_rename_all(opened)))
    named = list_named(opened)
    if not named:
        raise ExplorerError(
            "No x-feature has a name yet. Measure the modules with "
            f"`python -m explorer evaluate {opened.path}`."
        )
    columns = ("category", "x-feature", "adds", "name", "correlation", "elsewhere", "also on")
    table = Table(*(Column(name, overflow="fold") for name in columns))
    rows = []
    for entry, measures in named:
        pairs = zip(measures.names, measures.test.mean_contribution, strict=True)
        for number, (name, contribution) in enumerate(pairs, start=1):
            rows.append((entry.category, entry.run, number, contribution, name))
            table.add_row(
                format_category(entry.category),
                str(number),
                format_signed(contribution),
                name.words,
                *_format_evidence(name),
                ", ".join(map(format_category, name.also_on[:3])),
            )
    console.print(table, markup=False)
    file = opened.path / RESULTS_FOLDER / "names.csv"
    check_inside(opened.path, file)
    write_bytes(file, _make_table(rows))
    console.print(f"All numbers: {file}", markup=False, soft_wrap=True)
    if check:
        _print_checks(*follow(check_names(opened)))


def _rename_all(workspace: Workspace) -> Steps[tuple[int, int]]:
    """Find the names of all modules again; return the numbers of those done and left."""
    entries = workspace.list_modules()
    renamed = 0
    for done, entry in enumerate(entries, start=1):
        renamed += yield from rename_features(workspace, entry)
        yield Progress("Finding names", done, len(entries))
    return renamed, len(entries) - renamed


def _print_renamed(workspace: Workspace, renamed: int, left: int) -> None:
    text = f"The x-features of {count_words(renamed, 'module')} were named again."
    if left:
        text += (
            f" {count_words(left, 'module')} must first be measured again: "
            f"`python -m explorer evaluate {workspace.path}`."
        )
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _format_evidence(name: FeatureName) -> tuple[str, str]:
    if name.correlation is None or name.elsewhere is None:
        return "", ""
    interval = f"{name.low:.2f} to {name.high:.2f}"
    return f"{name.correlation:.2f} ({interval})", f"{name.elsewhere:.2f}"


def _make_table(rows: list[tuple[str, str, int, float, FeatureName]]) -> bytes:
    found = [name for *_, name in rows]
    return make_csv(
        {
            "category": [row[0] for row in rows],
            "module_run": [row[1] for row in rows],
            "x_feature": [row[2] for row in rows],
            "mean_contribution": [row[3] for row in rows],
            "kind": [name.kind for name in found],
            "name": [name.words for name in found],
            "against": [name.is_against for name in found],
            "parts": [";".join(name.parts) for name in found],
            "also_on": [";".join(name.also_on) for name in found],
            **{
                key: ["" if (value := getattr(name, key)) is None else value for name in found]
                for key in ("heat", "correlation", "low", "high", "elsewhere")
            },
        }
    )


def _print_checks(telling: Telling, causing: Causing) -> None:
    if telling.named:
        console.print(
            f"On {telling.named:.0f} of {telling.photos:.0f} test photos, the x-feature that adds "
            "most is named by an attribute. This attribute tells the species from the one that the "
            f"network takes next on {telling.telling / telling.named:.0%} of them; one drawn from "
            f"all attributes on {telling.chance / telling.named:.0%}, one drawn from the species' "
            f"own on {telling.own_chance / telling.named:.0%}, and the commonest one of the part "
            f"with the most heat of ExcitationBP on {telling.by_heat / telling.named:.0%}.",
            highlight=False,
        )
    if causing.named:
        console.print(
            f"Of {causing.named:.0f} x-features of painted birds, {causing.right:.0f} are named by "
            f"the mark whose change lowers them most ({causing.chance:.1f} by chance), and "
            f"{causing.right_part:.0f} by a part of it ({causing.part_chance:.1f} by chance).",
            highlight=False,
        )
    if not telling.named and not causing.named:
        console.print("No name can be checked: no x-feature that adds most has an attribute.")
