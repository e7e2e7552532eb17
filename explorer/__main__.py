"""The command line: ``python -m explorer --help``."""

import logging
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from explorer.cli.classifier import finetune, new
from explorer.cli.doctor import doctor
from explorer.cli.fetch import fetch
from explorer.cli.maps import maps
from explorer.cli.options import Device, WorkspacePath, choose_categories, parse_numbers
from explorer.cli.reporting import console, follow, print_modules
from explorer.cli.sweep import sweep
from explorer.config import DEMO_WORKSPACE, ExplorerError
from explorer.demo import build_demo, is_demo
from explorer.evaluation.compare import compare_methods
from explorer.evaluation.results import write_results
from explorer.evaluation.sanity import check_sanity, write_sanity
from explorer.evaluation.settings import EvaluationSettings
from explorer.methods.registry import get_methods
from explorer.nn.settings import ModuleSettings
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.train import NotTrainedError
from explorer.workspace.layout import RESULTS_NAME, ModuleEntry
from explorer.workspace.workspace import Workspace

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
app.command()(fetch)
app.command()(new)
app.command()(finetune)
app.command()(sweep)
app.command()(maps)
app.command()(doctor)


@app.command()
def train(
    workspace: WorkspacePath,
    category: Annotated[
        list[str] | None, typer.Option(help="Such as 'painted bunting'; can be repeated.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All categories.")] = False,
    method: Annotated[str, typer.Option(help="srae, nn, sae or jointsae.")] = ModuleSettings.method,
    x_features: int = ModuleSettings.x_features,
    widths: Annotated[
        str, typer.Option(help="Hidden widths such as 800,100. [scaled with Z]")
    ] = "",
    beta: Annotated[float, typer.Option(help="Weight of reconstruction.")] = ModuleSettings.beta,
    q: Annotated[float, typer.Option(help="Sparsity of the log penalty.")] = ModuleSettings.q,
    pull_away: Annotated[
        float, typer.Option(help="Weight of the pull-away term.")
    ] = ModuleSettings.pull_away,
    epochs: int = TrainingSettings.epochs,
    pretrain_epochs: Annotated[
        int, typer.Option(help="Per layer; 0 leaves pretraining out.")
    ] = TrainingSettings.pretrain_epochs,
    batch_size: int = TrainingSettings.batch_size,
    learning_rate: float = TrainingSettings.learning_rate,
    weight_decay: float = TrainingSettings.weight_decay,
    seed: int = TrainingSettings.seed,
    patience: Annotated[
        int, typer.Option(help="Stop after so many epochs without progress; 0 goes to the end.")
    ] = TrainingSettings.patience,
    missing: Annotated[
        bool, typer.Option("--missing", help="Leave out modules that are there already.")
    ] = False,
    group_size: Annotated[
        int, typer.Option(help="Most modules to train at once. [by the memory they take]")
    ] = 0,
    device: Device = "auto",
) -> None:
    """Train explanation modules, many at once, and measure them."""
    opened = Workspace(workspace, device)
    wanted = choose_categories(opened, category or (), every, "--category NAME")
    module_settings = ModuleSettings(
        method=method,
        x_features=x_features,
        widths=parse_numbers(widths, "--widths", "800,100"),
        beta=beta,
        q=q,
        pull_away=pull_away,
    )
    settings = TrainingSettings(
        epochs=epochs,
        pretrain_epochs=pretrain_epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        seed=seed,
        patience=patience,
    )
    entries: list[ModuleEntry] = []
    if missing:
        found = [opened.find_module(name, module_settings, settings) for name in wanted]
        entries = [entry for entry in found if entry is not None]
        console.print(f"{len(entries)} of {len(wanted)} modules are there already.")
    absent = [name for name in wanted if name not in {entry.category for entry in entries}]
    entries = [entry for entry in entries if opened.load_metrics(entry) is None]
    failures = []
    try:
        steps = opened.train_modules(absent, module_settings, settings, group_size=group_size)
        entries += follow(steps)
    except NotTrainedError as error:  # the others are to be measured all the same
        entries += error.trained
        failures.append(str(error))
    failures += _measure(opened, entries)
    print_modules(opened)
    if failures:
        raise ExplorerError("\n".join(failures))


def _measure(workspace: Workspace, entries: Iterable[ModuleEntry]) -> list[str]:
    """Measure modules; return what to say of those for which it did not work."""
    failures = []
    for entry in entries:
        console.print(f"{entry.category}, {entry.run}", markup=False, highlight=False)
        try:
            follow(workspace.evaluate_module(entry))
        except ExplorerError as error:  # one bad module does not hide the good ones
            failures.append(str(error))
    return ["Not measured:", *failures] if failures else []


@app.command()
def evaluate(
    workspace: WorkspacePath,
    methods: Annotated[
        str,
        typer.Option(help="Compare methods: 'all', or srae,nn,z,… or srae:beta=10,srae:q=1000,…"),
    ] = "",
    categories: Annotated[
        int, typer.Option(help="Compare on so many random categories; 0 for all.")
    ] = 0,
    seeds: Annotated[str, typer.Option(help="Seeds of modules and splits, such as 0,1,2.")] = "0",
    draw_seed: Annotated[int, typer.Option(help="Seed of the draw of categories.")] = 0,
    rest: Annotated[
        bool, typer.Option("--rest", help="Take the categories that were not drawn instead.")
    ] = False,
    name: Annotated[str, typer.Option(help="Name of the comparison's files.")] = RESULTS_NAME,
    device: Device = "auto",
) -> None:
    """Measure the classifier and every module on held-out photos, or compare methods."""
    opened = Workspace(workspace, device)
    accuracy = follow(opened.measure_classifier())
    console.print(
        f"Classifier: accuracy {_format_share(accuracy['test_accuracy'])} on "
        f"{accuracy['test_photos']} held-out photos, "
        f"{_format_share(accuracy['train_accuracy'])} on the others."
    )
    if methods:
        settings = EvaluationSettings(
            methods=get_methods(methods),
            categories=categories,
            rest=rest,
            seeds=parse_numbers(seeds, "--seeds", "0,1,2"),
            draw_seed=draw_seed,
        )
        tidy, table = write_results(opened.path, follow(compare_methods(opened, settings)), name)
        _print_results(tidy, table)
        return
    failures = _measure(opened, opened.list_modules())
    print_modules(opened)
    if failures:
        raise ExplorerError("\n".join(failures))


def _print_results(tidy: Path, table: Path) -> None:
    console.print(table.read_text(encoding="utf-8"), markup=False, soft_wrap=True)
    console.print(f"Every number: {tidy}", markup=False, soft_wrap=True)


def _format_share(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


@app.command()
def sanity(
    workspace: WorkspacePath,
    methods: Annotated[str, typer.Option(help="As for evaluate.")] = "srae,nn,excitation-bp",
    categories: Annotated[int, typer.Option(help="So many random categories; 0 for all.")] = 0,
    seeds: Annotated[str, typer.Option(help="Seeds of modules and splits.")] = "0",
    epochs: Annotated[int, typer.Option(help="For learning random labels by heart.")] = 40,
    device: Device = "auto",
) -> None:
    """Compare methods again on a network with random weights and on one with random labels."""
    opened = Workspace(workspace, device)
    settings = EvaluationSettings(
        methods=get_methods(methods),
        categories=categories,
        seeds=parse_numbers(seeds, "--seeds", "0,1,2"),
    )
    records = follow(check_sanity(opened, settings, epochs))
    _print_results(*write_sanity(opened.path, records))


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Where to build it.")] = DEMO_WORKSPACE,
    force: Annotated[bool, typer.Option(help="Start from nothing.")] = False,
) -> None:
    """Build the demo: paint, fine-tune, train all modules, measure; goes on where it stopped."""
    if folder.exists() and not folder.is_dir():
        raise ExplorerError(f"{folder} is a file. Name a folder.")
    if folder.exists() and any(folder.iterdir()):
        if not is_demo(folder):
            raise ExplorerError(f"{folder} is neither empty nor a demo. Name another folder.")
        if force:
            shutil.rmtree(folder)
    follow(build_demo(folder))
    built = Workspace(folder)
    print_modules(built)
    console.print(f"Test accuracy {built.classifier_report['test_accuracy']:.4f}.")


def main() -> None:
    """Run the command line; an expected failure ends with one sentence and status 1."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        app()
    except ExplorerError as error:
        _exit_with(str(error))
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "out of memory" not in str(error):
            raise
        _exit_with(
            "The memory is not enough. Choose a smaller --batch-size, --group-size 1 or "
            "--device cpu."
        )
    except OSError as error:
        _exit_with(f"{error}. What was there before is untouched; mend this and run it again.")


def _exit_with(message: str) -> NoReturn:
    Console(stderr=True).print("[bold red]Error:[/]", escape(message), highlight=False)
    sys.exit(1)


if __name__ == "__main__":
    main()
