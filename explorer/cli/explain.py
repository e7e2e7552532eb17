"""The command ``explain``: what the network says of photos, how far to rely on it, and why."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from numpy import uint8
from numpy.typing import NDArray

from explorer.cli.options import Device
from explorer.cli.photo_tables import make_table, print_photo
from explorer.cli.reporting import console, follow
from explorer.config import ExplorerError, list_workspaces, run
from explorer.data.uploads.decoding import FORMAT_NAMES, Upload, get_limits, read_upload
from explorer.data.uploads.folders import list_photos
from explorer.explaining.arrays import list_arrays
from explorer.explaining.part_shares import find_part_shares
from explorer.explaining.photo import Sum, answer_photo, explain_answer, prepare_standard
from explorer.explaining.records import (
    SCHEMA_VERSION,
    FailureRecord,
    PhotoRecord,
    ReportRecord,
    describe_photo,
)
from explorer.nn.explanation import DEFAULT_STOP
from explorer.render.colour_maps import encode_png
from explorer.render.heatmap import render_overlay
from explorer.storage.packing import make_npz, make_stem
from explorer.storage.reading import explain_os_error, read_regular
from explorer.storage.writing import write_bytes
from explorer.workspace.workspace import Workspace


def explain(
    photos: Annotated[list[Path], typer.Argument(help="Photos, or folders of photos.")],
    workspace: Annotated[
        Path | None,
        typer.Option(help="The workspace folder; by default the one that the app opens first."),
    ] = None,
    category: Annotated[
        str,
        typer.Option(
            help="Whose score is explained; by default the most probable one that has a module."
        ),
    ] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON; see docs/explain.md.")
    ] = False,
    csv: Annotated[
        Path | None, typer.Option(help="Also write a table with a row per photo.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Also write heatmaps (PNG) and numbers (NPZ) to a folder.")
    ] = None,
    layer: Annotated[
        str, typer.Option(help="Where the maps of --out are taken: relu1, pool1, …")
    ] = DEFAULT_STOP,
    device: Device = "auto",
) -> None:
    """Say what the network takes photos for, how far to rely on it, and what adds up to the score.

    Files that cannot be read are named, and the others explained. The status is then 1.
    """
    opened = Workspace(workspace or list_workspaces()[0], device)
    wanted = opened.dataset.find_category(category) if category else None
    if wanted and wanted not in {entry.category for entry in opened.list_modules()}:
        raise ExplorerError(f"There is no module for {wanted}. Train one with `train`.")
    files = list(list_files(photos))
    # Progress would not be JSON.
    standard = run(prepare_standard(opened)) if as_json else follow(prepare_standard(opened))
    records: list[PhotoRecord] = []
    failures: list[FailureRecord] = []
    stems: dict[str, int] = {}
    for file in files:
        try:
            upload = read_photo(file)
        except ExplorerError as error:
            failures.append(FailureRecord(str(file), str(error)))
            continue
        image = upload.pixels
        answer = answer_photo(opened, standard, image)
        explained = explain_answer(opened, answer, wanted)
        parts = find_part_shares(opened, answer, explained.entry, image) if explained else None
        records.append(describe_photo(str(file), upload, answer, explained, parts))
        if not as_json:
            print_photo(console, records[-1])
        if out is not None and explained is not None:
            write_pictures(out / name_folder(file, stems), opened, explained, image, layer)
    if csv is not None:
        write_bytes(csv, make_table(records))
    if as_json:
        name, network = str(opened.path), opened.settings.classifier_sha256
        report = ReportRecord(SCHEMA_VERSION, name, network, tuple(records), tuple(failures))
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(report), indent=1).decode() + "\n")
    if failures:
        raise ExplorerError("\n".join(f"{one.file}: {one.reason}" for one in failures))


def list_files(paths: Iterable[Path]) -> Iterator[Path]:
    """List files as given, and all photos within folders in the order of their names.

    Raises
    ------
    ExplorerError
        When a folder has no photos.
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = list_photos(path)
        if not found:
            raise ExplorerError(f"{path} holds no photos: {FORMAT_NAMES}.")
        yield from found


def read_photo(file: Path) -> Upload:
    """Read a photo as an upload is read; `ExplorerError` if it cannot be."""
    limits = get_limits()
    try:
        data = read_regular(file, limits.megabytes * 2**20)
    except OSError as error:
        raise ExplorerError(f"It cannot be read: {explain_os_error(error)}.") from error
    return read_upload(data, limits)


def name_folder(file: Path, taken: dict[str, int]) -> str:
    """Name the folder of a photo's results after the photo; `taken` counts names given before."""
    stem = make_stem(file.stem)
    taken[stem] = taken.get(stem, 0) + 1
    return stem if taken[stem] == 1 else f"{stem}-{taken[stem]}"


def write_pictures(
    folder: Path, workspace: Workspace, explained: Sum, image: NDArray[uint8], layer: str
) -> None:
    """Write the map of each x-feature and of the score over the photo, and all numbers."""
    networks, entry = workspace.networks, explained.entry
    explanation = networks.explain(entry, image, layer)
    score_map = networks.explain_score(entry.category, image, layer)
    for number, heat in enumerate(explanation.maps, start=1):
        write_bytes(folder / f"x-feature-{number}.png", encode_png(render_overlay(image, heat)))
    score = encode_png(render_overlay(image, score_map))
    write_bytes(folder / "excitation-bp-of-the-score.png", score)
    size = (image.shape[0], image.shape[1])
    arrays = list_arrays(workspace, entry, explanation, score_map, size)
    write_bytes(folder / "numbers.npz", make_npz(arrays))
