"""Checks of the network's measures, of comparisons and of background trainings."""

import math
import os
from dataclasses import replace

from explorer.analysis.table import Row
from explorer.config import ExplorerError
from explorer.doctor.findings import Finding, Severity
from explorer.evaluation.results import load_results
from explorer.evaluation.sanity_results import load_sanity
from explorer.jobs.store import list_jobs
from explorer.jobs.types import JobState
from explorer.measuring.records import load_classifier_measures, load_module_measures
from explorer.measuring.references import read_references
from explorer.methods.base import TrainedMethod
from explorer.methods.registry import METHODS
from explorer.training.modules.runs import name_run
from explorer.workspace.layout import (
    METRICS_FILE,
    REFERENCES_FILE,
    RESULTS_FOLDER,
    RESULTS_NAME,
    SANITY_NAME,
    get_module_entry,
)
from explorer.workspace.workspace import Workspace

_MEASURE = "Measure it with `evaluate`."
_COMPARE = "Run the comparison again with `evaluate --methods`."
_ROUNDING = 1e-5  # results are stored to six digits


def examine_accuracy(workspace: Workspace, findings: list[Finding]) -> None:
    """Check the measures of the network."""
    path = workspace.path / METRICS_FILE
    try:
        measured = load_classifier_measures(workspace)
    except ExplorerError as error:
        findings.append(Finding(Severity.ERROR, path, str(error)))
        return
    if measured is None and os.path.lexists(path):
        problem = "These measures belong to another network and are not used."
        findings.append(Finding(Severity.WARNING, path, problem, _MEASURE))


def examine_references(workspace: Workspace, findings: list[Finding]) -> None:
    """Check what a visitor's photo is compared with."""
    path = workspace.path / REFERENCES_FILE
    cure = "It is computed again from the photos when it is needed."
    if not workspace.dataset.has_photos:
        cure = "Pack the workspace again, or replace the file with an intact copy."
    try:
        found = read_references(workspace)
    except ExplorerError as error:
        findings.append(Finding(Severity.ERROR, path, str(error), cure))
        return
    if found is None and os.path.lexists(path):
        problem = "This record belongs to another network or other photos and is not used."
        findings.append(Finding(Severity.WARNING, path, problem, cure))


def examine_results(workspace: Workspace, findings: list[Finding]) -> None:
    """Check that comparisons can be read and match the data set and the modules."""
    for name, load in ((RESULTS_NAME, load_results), (SANITY_NAME, load_sanity)):
        path = workspace.path / RESULTS_FOLDER / f"{name}.csv"
        try:
            results = load(workspace.path)
        except ExplorerError as error:
            findings.append(Finding(Severity.ERROR, path, str(error)))
            continue
        if results is None:
            continue
        unknown = {row.category for row in results.rows} - set(workspace.dataset.categories)
        if unknown:
            problem = f"It has the category {min(unknown)!r}, which the data set does not have."
            findings.append(Finding(Severity.WARNING, path, problem, _COMPARE))
        elif name == RESULTS_NAME and _belong_to_others(workspace, results.rows):
            problem = "It belongs to modules or a network that have been replaced since."
            findings.append(Finding(Severity.WARNING, path, problem, _COMPARE))


def _belong_to_others(workspace: Workspace, rows: tuple[Row, ...]) -> bool:
    """Return whether results differ from the measures that are stored with the modules."""
    for row in rows:
        method = METHODS.get(row.method)
        if row.measure != "f_reg_test" or not isinstance(method, TrainedMethod):
            continue
        run = name_run(method.settings, replace(method.training, seed=row.seed))
        entry = get_module_entry(workspace.path, row.category, run)
        try:
            measures = load_module_measures(workspace, entry)
        except ExplorerError:  # reported with the module
            continue
        if measures is not None:
            found = measures.test.faithfulness.f_reg
            if not math.isclose(found, row.value, rel_tol=_ROUNDING):
                return True
    return False


def examine_jobs(workspace: Workspace, findings: list[Finding]) -> None:
    """Report trainings of this workspace whose processes ended unexpectedly."""
    findings += [
        Finding(
            Severity.NOTE,
            job.folder,
            "A background training ended unexpectedly.",
            "It can be started again on the Training page.",
        )
        for job in list_jobs(workspace.path)
        if job.state is JobState.DIED
    ]
