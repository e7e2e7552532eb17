"""Malicious and malformed files in a workspace, and the errors that their loaders raise."""

import json
import os
import signal
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock
from safetensors.torch import load_file, save, save_file

from explorer.config import ExplorerError
from explorer.doctor.leftovers import is_temporary
from explorer.evaluation.repeatability import load_trace
from explorer.evaluation.results import load_results, write_results
from explorer.jobs.history import load_history
from explorer.jobs.store import load_request, load_status
from explorer.maps.cache import load_maps
from explorer.maps.drawing import draw_maps
from explorer.measuring.module import measure_module
from explorer.measuring.records import load_module_measures
from explorer.nn.checkpoint import load_tensors
from explorer.nn.foreign import load_foreign_weights
from explorer.nn.records import CheckpointError, load_module_record
from explorer.storage.growing import GrowingArray, count_rows, map_array, open_rows
from explorer.storage.json_records import parse_json
from explorer.storage.locks import acquire_lock
from explorer.storage.reading import is_inside, open_regular, read_regular
from explorer.workspace.layout import ModuleEntry, list_module_entries
from explorer.workspace.notes import load_notes
from explorer.workspace.notes_file import NotesError
from explorer.workspace.workspace import Workspace

KEY = "srae_explorer"
load_weights = partial(load_foreign_weights, architecture="vgg_small")
Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def _time_limit() -> Iterator[None]:
    """Fail instead of waiting for a pipe for ever."""

    def stop(number: int, frame: object) -> None:
        raise TimeoutError("reading took too long")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def workspace(own_workspace: Path) -> Workspace:
    return Workspace(own_workspace)


@pytest.fixture
def entry(workspace: Workspace) -> ModuleEntry:
    return workspace.list_modules()[0]


def put_pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def put_device(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


def put_loop(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(path.name)


def put_dangling(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("/nowhere/at/all")


def put_folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def put_outside(path: Path) -> None:
    """Move a file out of the workspace and replace it by a link."""
    elsewhere = path.parents[len(path.parents) - 4] / f"outside-{path.name}"
    elsewhere.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(elsewhere)


REPLACEMENTS = [put_pipe, put_device, put_loop, put_dangling, put_folder]


# Reading


@pytest.mark.parametrize("put", REPLACEMENTS)
def test_only_regular_files_are_opened(tmp_path: Path, put: Callable[[Path], None]) -> None:
    put(tmp_path / "file")
    with pytest.raises(OSError, match=r"folder|pipe or a device|symbolic link|No such file"):
        open_regular(tmp_path / "file")


def test_large_files_are_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(2**40)  # sparse: it takes no space on the disk
    with pytest.raises(OSError, match="more than 67,108,864"):
        read_regular(tmp_path / "large")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a": 1, "a": 2}', "'a' twice"),
        ("NaN", "NaN"),
        ("-Infinity", "Infinity"),
        ("1e999", "too large"),
        ("9" * 5_000, "5000 digits"),
        (b"\xff\xfe\x00", "decode"),
        ("{", "Expecting"),
    ],
)
def test_invalid_and_ambiguous_json_is_refused(text: str | bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_json(text)


def test_links_are_resolved_before_a_path_is_checked(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "a" / "within").symlink_to(inner)
    (tmp_path / "a" / "out").symlink_to(tmp_path)
    assert is_inside(tmp_path / "a" / "within" / "c", tmp_path / "a")
    assert not is_inside(tmp_path / "a" / "out" / "c", tmp_path / "a")
    assert not is_inside(tmp_path / "a" / ".." / "c", tmp_path / "a")
    assert not is_inside(tmp_path / "ab", tmp_path / "a")


# Settings


@pytest.mark.parametrize("put", REPLACEMENTS)
def test_errors_about_settings_name_the_file(
    own_workspace: Path, put: Callable[[Path], None]
) -> None:
    put(own_workspace / "workspace.json")
    with pytest.raises(ExplorerError, match=r"workspace\.json"):
        Workspace(own_workspace)


@pytest.mark.parametrize("dataset", ["\x00", "a\nb", "no/where", "~", "/dev/null", "x" * 5000])
def test_errors_about_the_data_set_name_the_file(own_workspace: Path, dataset: str) -> None:
    file = own_workspace / "workspace.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "dataset": dataset}))
    with pytest.raises(ExplorerError, match=r"workspace\.json"):
        _ = Workspace(own_workspace).dataset


@pytest.mark.parametrize(("name", "value"), [("held_out", "last:0"), ("z_layer", "fc9")])
def test_errors_about_invalid_settings_name_the_file(
    own_workspace: Path, name: str, value: str
) -> None:
    file = own_workspace / "workspace.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), name: value}))
    opened = Workspace(own_workspace)
    with pytest.raises(ExplorerError, match=r"workspace\.json"):
        _ = (opened.held_out, opened.networks.backbone)


# Weights


def make_file(path: Path, header: Any, data: bytes = b"", length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def describe(dtype: object, shape: object, offsets: object) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    ("header", "size"),
    [
        ({"a": describe("F32", [2], [0, 8]), "b": describe("F32", [2], [4, 12])}, 12),
        ({"a": describe("F32", [2], [4, 12])}, 12),
        ({"a": describe("F32", [2], [0, 8])}, 4),
        ({"a": describe("F32", [2], [0, 8])}, 16),
        ({"a": describe("F32", [2**40], [0, 2**42])}, 8),
        ({"a": describe("F32", [2**40, 0], [0, 0]), "b": describe("F32", [2], [0, 4])}, 4),
        ({"a": describe("F32", [-2], [0, 8])}, 8),
        ({"a": describe("F32", [True], [0, 4])}, 4),
        ({"a": describe("F32", [2], [8, 0])}, 8),
        ({"a": describe("F32", [3], [0, 8])}, 8),
        ({"a": describe("F99", [2], [0, 8])}, 8),
        ({"a": describe("F8_E4M3", [8], [0, 8])}, 8),
        ({"a": describe(["F32"], [2], [0, 8])}, 8),
        ({"a": [1]}, 0),
        ({"__metadata__": {"a": 1}}, 0),
        ({"__metadata__": [1]}, 0),
        ([], 0),
        (b'{"a": 1, "a": 2}', 0),
        (b"[" * 50_000, 0),
        (b'{"a": ' + b"9" * 5_000 + b"}", 0),
        (b"\x80\x04N.", 0),
    ],
)
def test_tampered_headers_are_refused(tmp_path: Path, header: Any, size: int) -> None:
    path = make_file(tmp_path / "module.safetensors", header, bytes(size))
    for load in (load_tensors, load_module_record, load_weights):
        with pytest.raises(CheckpointError, match=r"module\.safetensors is not a readable"):
            load(path)


@pytest.mark.parametrize("length", [0, 1, 2**31, 2**63, 2**64 - 1])
def test_a_wrong_header_length_is_refused(tmp_path: Path, length: int) -> None:
    path = make_file(tmp_path / "a.safetensors", {}, b"", length)
    with pytest.raises(CheckpointError, match=r"a\.safetensors is not a readable"):
        load_tensors(path)


@pytest.mark.parametrize("put", REPLACEMENTS)
def test_errors_about_weights_name_the_file(tmp_path: Path, put: Callable[[Path], None]) -> None:
    for name in ("a.safetensors", "a.pth"):
        put(tmp_path / name)
        with pytest.raises(CheckpointError, match=r"a\.(safetensors|pth)"):
            load_weights(tmp_path / name)


def test_the_explorer_s_own_header_is_read_strictly(tmp_path: Path) -> None:
    for text in ("[" * 50_000, "1" * 5_000, '{"kind": "module", "kind": 1}', '{"a": NaN}'):
        path = tmp_path / "module.safetensors"
        path.write_bytes(save({"a": torch.ones(1)}, {KEY: text}))
        for load in (load_tensors, load_module_record):
            with pytest.raises(CheckpointError, match=r"module\.safetensors has a damaged header"):
                load(path)


def change_record(path: Path, **changes: Any) -> None:
    from safetensors import safe_open  # noqa: PLC0415

    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()[KEY])
    save_file(load_file(path), path, {KEY: json.dumps(header | changes)})


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ({"train": [1, 1], "test": [2]}, "a photo twice in 'train'"),
        ({"train": [1, 2], "test": [2]}, "photo 2 on both sides"),
        ({"train": [1], "test": []}, "no photos in 'test'"),
        ({"train": [1]}, "not have exactly 'train' and 'test'"),
        ({"train": [1], "test": [2], "other": [3]}, "not have exactly 'train' and 'test'"),
        ({"train": [1], "test": ["2"]}, r"at 'split.*', expected an integer"),
        ({"train": [1], "test": [-2]}, "an invalid image id in 'test'"),
        ({"train": [1], "test": [2.0]}, r"at 'split.*', expected an integer"),
        ({"train": [True], "test": [2]}, r"at 'split.*', expected an integer"),
        ({"train": [2**63], "test": [2]}, "an invalid image id in 'train'"),
        ([], "at 'split', expected an object"),
        (None, "at 'split', expected an object"),
    ],
)
def test_an_invalid_split_is_refused(
    workspace: Workspace, entry: ModuleEntry, split: object, words: str
) -> None:
    change_record(entry.path, split=split)
    for load in (workspace.load_record, workspace.networks.load_module):
        with pytest.raises(
            ExplorerError, match=rf"module\.safetensors has an invalid description: .*{words}"
        ):
            load(entry)


@pytest.mark.parametrize(
    "changes",
    [
        {"category": ["a"]},
        {"category": "../../outside"},
        {"backbone_sha256": 7},
        {"z_layer": None},
        {"settings": {"widths": [10**9], "x_features": 5}},
        {"settings": {"widths": [8] * 1000, "x_features": 5}},
        {"settings": {"widths": [8.0], "x_features": 5}},
        {"settings": {"widths": [8], "x_features": 10**9}},
        {"settings": {"widths": [8], "x_features": "5"}},
        {"settings": {"widths": [8], "x_features": 5, "beta": {}}},
        {"training": []},
    ],
)
def test_an_invalid_record_is_refused(
    workspace: Workspace, entry: ModuleEntry, changes: dict[str, Any]
) -> None:
    change_record(entry.path, **changes)
    with pytest.raises(ExplorerError, match=r"module\.safetensors"):
        workspace.networks.load_module(entry)


def test_integer_weights_are_refused(workspace: Workspace, entry: ModuleEntry) -> None:
    from safetensors import safe_open  # noqa: PLC0415

    with safe_open(entry.path, framework="pt") as file:
        metadata = file.metadata()
    tensors = {name: tensor.to(torch.int32) for name, tensor in load_file(entry.path).items()}
    save_file(tensors, entry.path, metadata)
    with pytest.raises(
        CheckpointError, match=r"module\.safetensors: '.*' holds integers, not weights"
    ):
        workspace.networks.load_module(entry)


def test_a_pth_larger_than_memory_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1).expand(2**40)}, tmp_path / "a.pth")
    assert (tmp_path / "a.pth").stat().st_size < 10_000
    with pytest.raises(CheckpointError, match=r"a\.pth holds 1,099,511,627,776 numbers"):
        load_weights(tmp_path / "a.pth")


@pytest.mark.parametrize(
    "tensor", [torch.zeros(2, dtype=torch.complex64), torch.eye(2).to_sparse()]
)
def test_complex_and_sparse_tensors_are_refused(tmp_path: Path, tensor: torch.Tensor) -> None:
    torch.save({"a": tensor}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=r"a\.pth: 'a' is not a dense tensor of real numbers"):
        load_weights(tmp_path / "a.pth")


# Modules


@pytest.mark.parametrize("put", [*REPLACEMENTS, put_outside])
def test_an_unreadable_module_does_not_affect_the_others(
    workspace: Workspace, entry: ModuleEntry, put: Callable[[Path], None], run: Run
) -> None:
    good = Path(str(entry.path.parent) + "-other") / entry.path.name
    good.parent.mkdir()
    good.write_bytes(entry.path.read_bytes())
    put(entry.path)
    assert len(workspace.list_modules()) == 2
    ((damaged, reason),) = workspace.list_damaged()
    assert damaged == entry
    assert str(entry.path) in reason
    (other,) = (e for e in workspace.list_modules() if e != entry)
    workspace.networks.load_module(other)
    with pytest.raises(ExplorerError, match=r"module\.safetensors"):
        workspace.networks.load_module(entry)
    with pytest.raises(ExplorerError, match=r"module\.safetensors"):
        run(measure_module(workspace, entry))


def test_a_linked_module_folder_is_neither_read_nor_written(
    workspace: Workspace, entry: ModuleEntry, tmp_path: Path, run: Run
) -> None:
    outside = tmp_path / "outside"
    entry.path.parent.rename(outside)
    entry.path.parent.symlink_to(outside)
    before = {path.name: path.read_bytes() for path in outside.iterdir()}
    for use in (
        lambda: workspace.networks.load_module(entry),
        lambda: workspace.load_record(entry),
        lambda: load_module_measures(workspace, entry),
        lambda: run(measure_module(workspace, entry)),
        lambda: run(draw_maps(workspace, [entry])),
    ):
        with pytest.raises(
            ExplorerError, match=r"leads out of the workspace through a link, to .*outside"
        ):
            use()
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == before


@pytest.mark.parametrize("put", [*REPLACEMENTS, put_outside])
def test_errors_about_measures_name_the_file(
    workspace: Workspace, entry: ModuleEntry, put: Callable[[Path], None]
) -> None:
    put(entry.metrics_path)
    with pytest.raises(ExplorerError, match=r"metrics\.json"):
        load_module_measures(workspace, entry)


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("live",), []),
        (("live",), [1, 2]),
        (("stop",), None),
        (("train",), None),
        (("test", "faithfulness", "f_reg"), None),
        (("test", "faithfulness", "f_reg"), "0.1"),
        (("test", "positives"), 1),
        (("test", "mean_contribution"), [1.0]),
        (("locality",), []),
        (("locality", "test"), None),
        (("locality", "test", "histogram"), [[1.0], [1.0, 2.0]] * 2 + [[1.0]]),
        (("locality", "test", "histogram"), [1, 2, 3, 4, 5]),
        (("locality", "test", "is_defined"), ["a"] * 5),
        (("locality", "test", "mean_locality"), True),
    ],
)
def test_damaged_measures_are_refused(
    workspace: Workspace, entry: ModuleEntry, keys: tuple[str, ...], value: object
) -> None:
    metrics = json.loads(entry.metrics_path.read_text())
    inner = metrics
    for name in keys[:-1]:
        inner = inner[name]
    inner[keys[-1]] = value
    entry.metrics_path.write_text(json.dumps(metrics))
    with pytest.raises(ExplorerError, match=r"metrics\.json is damaged: .*evaluate"):
        load_module_measures(workspace, entry)


@pytest.mark.parametrize("put", REPLACEMENTS[:-1])
def test_errors_about_notes_name_the_file(
    workspace: Workspace, entry: ModuleEntry, put: Callable[[Path], None]
) -> None:
    put(entry.path.with_name("notes.json"))
    with pytest.raises(NotesError, match=r"notes\.json"):
        load_notes(entry)


# Caches


@pytest.mark.parametrize(
    ("descr", "shape"),
    [
        ("|O", (2,)),
        ("<f4", (2**62, 2)),
        ("<f4", (-1, 2)),
        ("<f4", (10**6, 10**6)),
        ("|V0", (2, 2)),
        ([("a", "|O")], (2,)),
    ],
)
def test_arrays_of_invalid_types_and_shapes_are_not_read(
    tmp_path: Path, descr: Any, shape: tuple[int, ...]
) -> None:
    path = tmp_path / "a.npy"
    text = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode()
    text = text.ljust(118 - 1) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(64))
    assert map_array(path) is None
    with open_rows(path) as rows:  # the existing rows, as of an incomplete file
        assert sum(row.nbytes for row in rows) <= 64


@pytest.mark.parametrize("text", ["((((((", "{'descr'", "\x00" * 40, "[" * 3_000, "{1: 'a'"])
def test_arrays_with_invalid_headers_are_not_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.npy"
    raw = text.encode() + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(raw)) + raw)
    assert map_array(path) is None
    assert count_rows(path) == 0


def test_a_growing_array_does_not_follow_links(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "a.npy").symlink_to(tmp_path / "precious")
    with GrowingArray(tmp_path / "a.npy", np.dtype(np.float32), (2, 2)) as array:
        array.append(np.ones((1, 2), np.float32))
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert count_rows(tmp_path / "a.npy") == 1


def test_a_lock_does_not_follow_links(tmp_path: Path, run: Run) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / ".lock").symlink_to(tmp_path / "precious")
    lock: FileLock = run(acquire_lock(tmp_path / ".lock", lambda: pytest.fail("the lock is free")))
    lock.release()
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_features_behind_a_link_are_neither_read_nor_written(
    workspace: Workspace, tmp_path: Path, run: Run
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / ".precious.tmp").write_text("precious")
    features = workspace.path / "features"
    if features.exists():
        features.rename(tmp_path / "before")
    features.symlink_to(outside)
    with pytest.raises(ExplorerError, match="features leads out of the workspace through a link"):
        run(workspace.networks.compute_features())
    assert [path.name for path in outside.iterdir()] == [".precious.tmp"]


def test_tampered_features_are_computed_again(workspace: Workspace, run: Run) -> None:
    expected = run(workspace.networks.compute_features())
    z = np.array(expected.z)
    file = next(workspace.path.glob("features/[!.]*/z.npy"))
    for other in (z.astype(np.float64), z[:, :-1], z.T, z.astype(object)):
        np.save(file, other, allow_pickle=True)
        found = run(workspace.networks.compute_features())
        assert np.array_equal(found.z, z)
        assert found.z.dtype == np.float32


def test_maps_that_are_not_finite_are_not_shown(
    workspace: Workspace, entry: ModuleEntry, run: Run
) -> None:
    from explorer.maps.cache import _compute_checksum  # noqa: PLC0415

    run(draw_maps(workspace, [entry]))
    file, photo = entry.get_maps_path("relu1"), workspace.dataset.photos_of(entry.category)[0]
    assert load_maps(workspace, entry, photo, "relu1") is not None
    records = np.load(file, mmap_mode="r+")
    records[0]["maps"][0, 0, 0] = np.nan
    records[0]["checksum"] = _compute_checksum(records[0])
    records.flush()
    assert load_maps(workspace, entry, photo, "relu1") is None


# Other files


@pytest.mark.parametrize("put", REPLACEMENTS)
def test_errors_about_results_name_the_file(
    own_workspace: Path, put: Callable[[Path], None]
) -> None:
    (own_workspace / "results").mkdir()
    put(own_workspace / "results/results.csv")
    with pytest.raises(ExplorerError, match=r"results\.csv"):
        load_results(own_workspace)


@pytest.mark.parametrize(
    "row",
    [
        "srae,001.A,0,locality,nan",
        "srae,001.A,0,locality,1e999",
        f"srae,001.A,{10**40},locality,1",
        "[x](y),001.A,0,locality,1",
        "srae,001.A\u202e,0,locality,1",
        "srae,001.A,0,<b>,1",
        "srae,001.A,0",
        "",
    ],
)
def test_damaged_results_are_refused(tmp_path: Path, row: str) -> None:
    (tmp_path / "results").mkdir()
    text = f"method,category,seed,measure,value\n{row}\n"
    (tmp_path / "results/results.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ExplorerError, match=r"results\.csv is damaged .*Run the comparison again"):
        load_results(tmp_path)


def test_results_are_not_written_behind_a_link(own_workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (own_workspace / "results").symlink_to(tmp_path / "outside")
    record = {"method": "z", "category": "001.A", "seed": 0, "measures": {"locality": 1.0}}
    with pytest.raises(ExplorerError, match="results leads out of the workspace through a link"):
        write_results(own_workspace, [record])
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_trace_of_other_types_is_refused(tmp_path: Path) -> None:
    arrays = {"activations": np.zeros((2, 3), np.float32), "maps": np.zeros((1, 3, 2, 2))}
    np.savez_compressed(tmp_path / "a.npz", live=np.zeros(3, bool), **arrays)
    with pytest.raises(ExplorerError, match=r"a\.npz is damaged"):  # maps are float64
        load_trace(tmp_path / "a.npz")


@pytest.mark.parametrize("put", REPLACEMENTS)
def test_unreadable_job_files_are_skipped(tmp_path: Path, put: Callable[[Path], None]) -> None:
    for name in ("job.json", "status.json", "history.jsonl"):
        put(tmp_path / name)
    with pytest.raises(ExplorerError, match=r"job\.json"):
        load_request(tmp_path)
    assert load_status(tmp_path).pid == 0
    assert load_history(tmp_path, "001.A") == []


def test_a_history_nested_too_deeply_is_ignored(tmp_path: Path) -> None:
    line = '{"category": "001.A", "stage": ' + "[" * 100_000
    (tmp_path / "history.jsonl").write_text(line)
    assert load_history(tmp_path, "001.A") == []


def test_module_folders_are_listed_despite_other_files(tmp_path: Path) -> None:
    (tmp_path / "modules/a/b").mkdir(parents=True)
    (tmp_path / "modules/a/b/module.safetensors").symlink_to("/nowhere")
    (tmp_path / "modules/file").touch()
    (tmp_path / "modules/a/file").touch()
    assert [entry.run for entry in list_module_entries(tmp_path)] == ["b"]


def test_names_of_temporary_files_are_recognised() -> None:
    assert is_temporary(Path(".module.safetensors.k3_j9xq2.tmp"))
    assert not is_temporary(Path("relu1.npy.tmp"))
    assert not is_temporary(Path(".lock"))
