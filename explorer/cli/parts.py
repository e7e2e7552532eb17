"""The command ``parts``: training what finds a bird's parts on a photo."""

from typing import Annotated, Any

import typer
from rich.table import Table

from explorer.cli.options import Device, WorkspacePath, add_settings
from explorer.cli.reporting import console, follow
from explorer.config import ExplorerError
from explorer.measuring.found_parts import PartAgreement, measure_agreement
from explorer.methods.runs import get_default_modules
from explorer.nn.part_finder_file import PartRecord
from explorer.settings.declaring import list_settings
from explorer.training.parts.settings import PartSettings
from explorer.training.parts.train import train_part_finder
from explorer.workspace.workspace import Workspace


@add_settings(list_settings(PartSettings))
def parts(
    workspace: WorkspacePath,
    force: Annotated[bool, typer.Option(help="Replace an existing part finder.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Train nothing; test the one that there is.")
    ] = False,
    device: Device = "auto",
    **changes: Any,
) -> None:
    """Train a small network that finds the bird's parts and its box on any photo.

    It reads a layer of the classifier, which is not changed, and learns from the parts of the data
    set. At the end, it is tested on the held-out photos. The output of the layer is kept on the
    disk meanwhile, so an interrupted run goes on from there.
    """
    opened = Workspace(workspace, device)
    if check:
        print_accuracy(_get_record(opened))
    else:
        print_accuracy(follow(train_part_finder(opened, PartSettings(**changes), force=force)))
    usual = get_default_modules(opened.list_modules())
    if agreement := follow(measure_agreement(opened, list(usual.values()))):
        print_agreement(agreement)


def _get_record(workspace: Workspace) -> PartRecord:
    workspace.require_photos()
    loaded = workspace.networks.load_part_finder()
    if loaded is None:
        raise ExplorerError(
            f"{workspace.path} has no part finder. Train one with `python -m explorer parts "
            f"{workspace.path}`."
        )
    return loaded[1]


def print_accuracy(record: PartRecord) -> None:
    """Print how well parts are found on held-out photos, and each part."""
    accuracy = record.accuracy
    table = Table("part", "found, of those visible")
    for name, share in zip(record.part_names, accuracy.part_pck, strict=True):
        table.add_row(name, "–" if share is None else f"{share:.0%}")
    console.print(table)
    console.print(
        f"On {accuracy.photos} held-out photos, at {record.layer}: PCK@0.1 {accuracy.pck:.3f}, "
        f"AUC of visibility {_format(accuracy.visibility_auc)} (mean of single parts "
        f"{_format(accuracy.mean_part_auc)}), overlap of boxes {accuracy.overlap:.3f}."
    )


def print_agreement(agreement: PartAgreement) -> None:
    """Print how far measures from found parts agree with those from true ones."""
    console.print(
        f"With found instead of true parts, on {agreement.photos} photos: overlap of part "
        f"histograms {agreement.overlap:.3f}, correlation {_format(agreement.correlation)}; "
        f"locality of {agreement.x_features} x-features differs by "
        f"{_format(agreement.locality_difference)}; same names {_format(agreement.same_names)}."
    )


def _format(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
