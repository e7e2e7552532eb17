"""The command ``doctor``: checking a workspace, and repairing it where this is safe."""

from typing import Annotated

import typer

from explorer.cli.options import WorkspacePath
from explorer.cli.reporting import console, follow
from explorer.doctor.examine import examine
from explorer.doctor.findings import Finding, count_findings, select_problems
from explorer.doctor.repair import repair


def doctor(
    workspace: WorkspacePath,
    should_repair: Annotated[
        bool,
        typer.Option("--repair", help="Remove stale caches, temporary files and invalid locks."),
    ] = False,
    photos: Annotated[
        bool, typer.Option("--photos", help="Also decode every photo, which takes longer.")
    ] = False,
) -> None:
    """Check a workspace, and repair it with --repair. Exits with status 1 on problems."""
    findings = follow(examine(workspace, decode_photos=photos))
    for finding in findings:
        _print(finding)
    if should_repair:
        for sentence in follow(repair(workspace, findings)):
            console.print(sentence, markup=False, highlight=False, soft_wrap=True)
        findings = follow(examine(workspace, decode_photos=photos))
    problems = select_problems(findings)
    repairable = sum(finding.is_repairable for finding in problems)
    if not problems:
        console.print("The workspace is healthy.")
        return
    label = "Remaining" if should_repair else "Found"
    console.print(f"{label}: {count_findings(problems)}.", highlight=False)
    if repairable and not should_repair:
        console.print(f"--repair fixes {repairable} of them.", highlight=False)
    raise typer.Exit(1)


def _print(finding: Finding) -> None:
    words = " ".join(filter(None, (finding.problem, finding.cure)))
    place = "" if str(finding.path) in words else f"{finding.path}: "
    mark = " [repairable]" if finding.is_repairable else ""
    console.print(
        f"{finding.severity}: {place}{words}{mark}", markup=False, highlight=False, soft_wrap=True
    )
