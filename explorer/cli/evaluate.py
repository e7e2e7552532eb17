"""The commands ``evaluate`` and ``sanity``: measures, and comparisons of methods."""

from pathlib import Path
from typing import Annotated

import typer

from explorer.analysis.conformal import COVERAGE
from explorer.analysis.doubt import Level
from explorer.analysis.trust import MIN_PHOTOS, Trust
from explorer.cli.engines import Address, EngineName, EngineOption, Workers, choose_engine
from explorer.cli.options import Device, WorkspacePath, parse_numbers
from explorer.cli.reporting import console, follow, measure_all, print_modules
from explorer.config import ExplorerError
from explorer.engines.tasks import run_locally
from explorer.evaluation.compare import compare_methods
from explorer.evaluation.results import write_results
from explorer.evaluation.sanity import check_sanity
from explorer.evaluation.sanity_results import write_sanity
from explorer.evaluation.settings import EvaluationSettings
from explorer.explaining.photo import prepare_standard
from explorer.measuring.classifier import measure_classifier
from explorer.methods.registry import METHODS, get_methods
from explorer.workspace.layout import RESULTS_NAME
from explorer.workspace.workspace import Workspace

_EXAMPLES = f"'all', or a list of {', '.join(METHODS)}; with settings, srae:beta=10"


def evaluate(
    workspace: WorkspacePath,
    methods: Annotated[str, typer.Option(help=f"Compare methods: {_EXAMPLES}.")] = "",
    categories: Annotated[
        int, typer.Option(help="Number of random categories to compare on; 0 for all.")
    ] = 0,
    seeds: Annotated[str, typer.Option(help="Seeds of modules and splits, such as 0,1,2.")] = "0",
    draw_seed: Annotated[int, typer.Option(help="Seed for drawing categories.")] = 0,
    rest: Annotated[
        bool, typer.Option("--rest", help="Use the categories that were not drawn.")
    ] = False,
    name: Annotated[str, typer.Option(help="Name of the result files.")] = RESULTS_NAME,
    engine: EngineOption = EngineName.LOCAL,
    address: Address = "",
    workers: Workers = 0,
    device: Device = "auto",
) -> None:
    """Measure the classifier and every module on held-out photos, or compare methods."""
    chosen = choose_engine(engine, address, workers)
    opened = Workspace(workspace, device)
    measures = follow(measure_classifier(opened))
    console.print(
        f"Classifier: accuracy {_format_share(measures.test_accuracy)} on "
        f"{measures.test_photos} held-out photos, "
        f"{_format_share(measures.train_accuracy)} on the others."
    )
    _print_trust(follow(prepare_standard(opened)).trust)
    if methods:
        settings = EvaluationSettings(
            methods=get_methods(methods),
            categories=categories,
            rest=rest,
            seeds=parse_numbers(seeds, "--seeds", "0,1,2"),
            draw_seed=draw_seed,
        )
        records = follow(compare_methods(opened, settings, chosen or run_locally))
        _print_results(*write_results(opened.path, records, name))
        return
    failures = measure_all(opened, opened.list_modules(), chosen)
    print_modules(opened)
    if failures:
        raise ExplorerError("\n".join(failures))


def sanity(
    workspace: WorkspacePath,
    methods: Annotated[str, typer.Option(help="As for evaluate.")] = "srae,nn,excitation-bp",
    categories: Annotated[int, typer.Option(help="Number of random categories; 0 for all.")] = 0,
    seeds: Annotated[str, typer.Option(help="Seeds of modules and splits.")] = "0",
    epochs: Annotated[int, typer.Option(help="Epochs of training on random labels.")] = 40,
    engine: EngineOption = EngineName.LOCAL,
    address: Address = "",
    workers: Workers = 0,
    device: Device = "auto",
) -> None:
    """Compare methods on networks with random weights and trained on random labels."""
    chosen = choose_engine(engine, address, workers)
    opened = Workspace(workspace, device)
    settings = EvaluationSettings(
        methods=get_methods(methods),
        categories=categories,
        seeds=parse_numbers(seeds, "--seeds", "0,1,2"),
    )
    records = follow(check_sanity(opened, settings, epochs, chosen or run_locally))
    _print_results(*write_sanity(opened.path, records))


def _print_trust(trust: Trust | None) -> None:
    """Print how far the classifier can be relied on, measured on half of the held-out photos."""
    if trust is None:
        console.print(f"Certainty and sets need {2 * MIN_PHOTOS} held-out photos.")
        return
    tested, levels = trust.tested, trust.tested.levels
    console.print(
        f"On the second half of the held-out photos ({tested.photos:,}): top-1 {tested.top_1:.4f}, "
        f"top-5 {tested.top_5:.4f}; calibration error {tested.before.error:.4f} before and "
        f"{tested.after.error:.4f} after temperature {trust.temperature:.3f} "
        f"({len(tested.after.counts)} bins; {tested.after.chance:.4f} by chance); sets for "
        f"{COVERAGE:.0%} of photos: {tested.set_sizes.mean():.2f} categories on average, "
        f"{tested.coverage:.4f} with the right one; strange {levels[Level.STRANGE]:.4f}, "
        f"borderline {levels[Level.BORDERLINE]:.4f}.",
        highlight=False,
    )


def _print_results(tidy: Path, table: Path) -> None:
    console.print(table.read_text(encoding="utf-8"), markup=False, soft_wrap=True)
    console.print(f"All numbers: {tidy}", markup=False, soft_wrap=True)


def _format_share(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
