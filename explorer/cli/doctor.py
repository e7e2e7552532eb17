"""The command ``doctor``: what is wrong with a workspace, and the repair of what is safe."""

from typing import Annotated

import typer

from explorer.cli.options import WorkspacePath
from explorer.cli.reporting import console, follow
from explorer.doctor.examine import examine
from explorer.doctor.findings import Finding, count_findings, list_troubles
from explorer.doctor.repair import repair


def doctor(
    workspace: WorkspacePath,
    mend: Annotated[
        bool,
        typer.Option("--repair", help="Remove stale caches, temporary files and dead locks."),
    ] = False,
    photos: Annotated[
        bool, typer.Option("--photos", help="Decode every photo as a whole; takes longer.")
    ] = False,
) -> None:
    """Check all of a workspace; with --repair, remove what is of no use. Status 1 with findings."""
    findings = follow(examine(workspace, decode_photos=photos))
    for finding in findings:
        _print(finding)
    if mend:
        for sentence in follow(repair(workspace, findings)):
            console.print(sentence, markup=False, highlight=False, soft_wrap=True)
        findings = follow(examine(workspace, decode_photos=photos))
    troubles = list_troubles(findings)
    repairable = sum(finding.is_repairable for finding in troubles)
    if not troubles:
        console.print("The workspace is healthy.")
        return
    remain = "remain" if mend else "found"
    console.print(f"{count_findings(troubles)} {remain}.", highlight=False)
    if repairable and not mend:
        console.print(f"--repair takes care of {repairable} of them.", highlight=False)
    raise typer.Exit(1)


def _print(finding: Finding) -> None:
    words = " ".join(filter(None, (finding.problem, finding.cure)))
    place = "" if str(finding.path) in words else f"{finding.path}: "
    mark = " [repairable]" if finding.is_repairable else ""
    console.print(
        f"{finding.severity}: {place}{words}{mark}", markup=False, highlight=False, soft_wrap=True
    )
