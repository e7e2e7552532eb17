import hashlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from explorer import __main__ as command_line
from explorer.config import DEMO_WORKSPACE, STATE_VARIABLE
from explorer.doctor.examine import examine
from explorer.doctor.findings import Finding, Severity, count_findings, select_problems
from explorer.doctor.repair import is_safe_to_remove, repair
from explorer.evaluation.results import write_results
from explorer.jobs.store import get_jobs_folder, save_request, save_status
from explorer.jobs.types import JobRequest, JobStatus
from explorer.maps.drawing import draw_maps
from explorer.measuring.classifier import measure_classifier
from explorer.measuring.references import load_or_compute_references
from explorer.workspace.create import create_workspace
from explorer.workspace.notes import load_notes, save_note
from explorer.workspace.notes_file import Note
from explorer.workspace.settings import WorkspaceSettings, load_settings, save_settings
from explorer.workspace.workspace import Workspace

Run = Callable[..., Any]
Damage = Callable[[Path], Path]
OLD = (1, 1)  # nanoseconds since 1970


@pytest.fixture(scope="session")
def full_workspace(tiny_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a workspace with features, maps, notes, accuracies and results. Read only."""
    folder = Path(shutil.copytree(tiny_workspace, tmp_path_factory.mktemp("doctor") / "full"))
    workspace = Workspace(folder)
    for _ in measure_classifier(workspace):
        pass
    for _ in load_or_compute_references(workspace):
        pass
    (entry,) = workspace.list_modules()
    for _ in draw_maps(workspace, [entry]):
        pass
    note = Note("crown", "What it looks at.")
    save_note(entry, 0, note, base=Note(), module_sha256=load_notes(entry).module_sha256)
    record = {"method": "z", "category": entry.category, "seed": 0, "measures": {"locality": 1.5}}
    write_results(folder, [record])
    return folder


@pytest.fixture
def folder(full_workspace: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(full_workspace, tmp_path / "workspace"))


def examine_all(folder: Path, **options: bool) -> tuple[Finding, ...]:
    steps = examine(folder, **options)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            found: tuple[Finding, ...] = stop.value
            return found


def repair_all(folder: Path) -> tuple[str, ...]:
    steps = repair(folder, examine_all(folder))
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            messages: tuple[str, ...] = stop.value
            return messages


def hash_tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): (
            str(path.readlink())
            if path.is_symlink()
            else hashlib.sha256(path.read_bytes()).hexdigest()
        )
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def find_module(folder: Path) -> Path:
    return next(folder.glob("modules/*/*/module.safetensors"))


def change_json(file: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    return file


def change_record(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Change the record in a module's file."""
    path = find_module(folder)
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["srae_explorer"])
    change(header)
    save_file(load_file(path), path, {"srae_explorer": json.dumps(header)})
    return path


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def get_photo(folder: Path) -> Path:
    return Workspace(folder).dataset.photos[0].path


# One function for each kind of finding: it does damage and returns the path of the finding.


def remove_classifier(folder: Path) -> Path:
    (folder / "classifier.safetensors").unlink()
    return folder / "classifier.safetensors"


def change_classifier_hash(folder: Path) -> Path:
    save_settings(folder, replace(load_settings(folder), classifier_sha256="0" * 64))
    return folder / "classifier.safetensors"


def put_nan(folder: Path) -> Path:
    path = folder / "classifier.safetensors"
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    tensors["classifier.6.bias"][0] = float("nan")
    save_file(tensors, path, metadata)
    return path


def put_nan_in_module(folder: Path) -> Path:
    path = find_module(folder)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    tensors["v.weight"][0, 0] = float("inf")
    save_file(tensors, path, metadata)
    return path


def remove_photo(folder: Path) -> Path:
    path = get_photo(folder)
    path.unlink()
    return path


def empty_photo(folder: Path) -> Path:
    return write(get_photo(folder), b"")


def garble_photo(folder: Path) -> Path:
    return write(get_photo(folder), b"not a picture")


def shrink_photo(folder: Path) -> Path:
    path = get_photo(folder)
    Image.new("RGB", (8, 8)).save(path, format="JPEG")
    return path


def damage_traits(folder: Path) -> Path:
    write(folder / "birds/traits.json", b"{}")
    return folder / "birds"


def rename_category_folder(folder: Path) -> Path:
    source = find_module(folder).parents[1]
    source.rename(source.with_name("999.Nobody"))
    return source.with_name("999.Nobody")


def swap_category_folder(folder: Path) -> Path:
    source = find_module(folder).parents[1]
    other = Workspace(folder).dataset.categories[4]
    source.rename(source.with_name(other))
    return find_module(folder)


def remove_module(folder: Path) -> Path:
    find_module(folder).unlink()
    return next(folder.glob("modules/*/*"))


def change_network_hash(folder: Path) -> Path:
    return change_record(folder, lambda header: header.update(backbone_sha256="1" * 64))


def add_unknown_photo(folder: Path) -> Path:
    return change_record(folder, lambda header: header["split"]["train"].append(987654))


def swap_split(folder: Path) -> Path:
    def swap(header: dict[str, Any]) -> None:
        split = header["split"]
        split["train"], split["test"] = split["test"], split["train"]

    return change_record(folder, swap)


def drop_positives(folder: Path) -> Path:
    own = {p.image_id for p in Workspace(folder).dataset.photos if p.category_index == 0}

    def drop(header: dict[str, Any]) -> None:
        header["split"]["train"] = [i for i in header["split"]["train"] if i not in own]

    return change_record(folder, drop)


def repeat_photo(folder: Path) -> Path:
    return change_record(folder, lambda h: h["split"]["test"].append(h["split"]["train"][0]))


def damage_metrics(folder: Path) -> Path:
    file = find_module(folder).with_name("metrics.json")
    return change_json(file, lambda metrics: metrics["test"].update(faithfulness=[]))


def use_other_metrics(folder: Path) -> Path:
    file = find_module(folder).with_name("metrics.json")
    return change_json(file, lambda metrics: metrics["test"]["faithfulness"].update(count=3))


def make_metrics_stale(folder: Path) -> Path:
    file = find_module(folder).with_name("metrics.json")
    return change_json(file, lambda metrics: metrics.update(classifier_sha256="1" * 64))


def use_metrics_of_other_weights(folder: Path) -> Path:
    file = find_module(folder).with_name("metrics.json")
    return change_json(file, lambda metrics: metrics.update(weights_sha256="1" * 64))


def damage_notes(folder: Path) -> Path:
    return write(find_module(folder).with_name("notes.json"), b"{")


def damage_accuracy(folder: Path) -> Path:
    return change_json(folder / "metrics.json", lambda m: m.update(category_accuracies=[1.0]))


def make_accuracy_stale(folder: Path) -> Path:
    return change_json(folder / "metrics.json", lambda m: m.update(classifier_sha256="1" * 64))


def damage_references(folder: Path) -> Path:
    path = folder / "references.safetensors"
    return write(path, path.read_bytes()[:-8])


def make_references_stale(folder: Path) -> Path:
    path = folder / "references.safetensors"
    data = path.read_bytes()
    key = re.search(rb'key\\": \\"([0-9a-f]{64})', data)
    assert key is not None
    return write(path, data.replace(key[1], b"1" * 64))


def damage_results(folder: Path) -> Path:
    return write(folder / "results/results.csv", b"method,category\nsrae,x\n")


def rename_in_results(folder: Path) -> Path:
    path = folder / "results/results.csv"
    return write(path, path.read_bytes().replace(b"001.Ember", b"001.Other"))


def contradict_results(folder: Path) -> Path:
    entry = next(iter(Workspace(folder).list_modules()))
    default = entry.path.parent.with_name("srae-k5-s0")
    if default != entry.path.parent:
        shutil.copytree(entry.path.parent, default)
    measures = {"f_reg_test": 123.0}
    record = {"method": "srae", "category": entry.category, "seed": 0, "measures": measures}
    return write_results(folder, [record])[0]


def damage_features(folder: Path) -> Path:
    path = next(folder.glob("features/*/z.npy"))
    write(path, path.read_bytes()[:-8])
    return path.parent


def put_nan_in_features(folder: Path) -> Path:
    path = next(folder.glob("features/*/logits.npy"))
    np.lib.format.open_memmap(path, "r+")[0, 0] = np.nan
    return path.parent


def change_a_feature(folder: Path) -> Path:
    path = next(folder.glob("features/*/z.npy"))
    np.lib.format.open_memmap(path, "r+")[0, 0] += 1
    return path.parent


def add_stale_features(folder: Path) -> Path:
    cache = next(folder.glob("features/*/z.npy")).parent
    return Path(shutil.copytree(cache, cache.with_name("0" * 32)))


def add_partial_features(folder: Path) -> Path:
    cache = next(folder.glob("features/*/z.npy")).parent
    return Path(shutil.copytree(cache, cache.with_name(f".{'0' * 32}.tmp")))


def make_maps_stale(folder: Path) -> Path:
    change_record(folder, lambda header: header["training"].update(seed=1))
    return find_module(folder).with_name("maps") / "relu1.npy"


def damage_maps(folder: Path) -> Path:
    path = find_module(folder).with_name("maps") / "relu1.npy"
    data = bytearray(path.read_bytes())
    data[-5_000] ^= 1
    return write(path, bytes(data))


def add_partial_maps(folder: Path) -> Path:
    return write(find_module(folder).with_name("maps") / "pool2.npy.tmp", b"partial")


def leave_temporary(folder: Path) -> Path:
    path = write(folder / "modules/.module.safetensors.ab12_x9z.tmp", b"half")
    os.utime(path, ns=OLD)
    return path


def link_lock(folder: Path) -> Path:
    path = folder / "features/.lock"
    path.unlink(missing_ok=True)
    path.symlink_to(folder / "workspace.json")
    return path


def link_outside(folder: Path) -> Path:
    path = folder / "results/elsewhere"
    path.symlink_to("/etc")
    return path


def link_nowhere(folder: Path) -> Path:
    path = folder / "results/nowhere"
    path.symlink_to(folder / "nothing")
    return path


def put_pipe(folder: Path) -> Path:
    path = folder / "results/pipe"
    os.mkfifo(path)
    return path


def put_folder_for_lock(folder: Path) -> Path:
    path = find_module(folder).with_name("maps") / ".lock"
    path.unlink(missing_ok=True)
    path.mkdir()
    return path


def damage_settings(folder: Path) -> Path:
    return write(folder / "workspace.json", b"{}")


def move_data_set(folder: Path) -> Path:
    (folder / "birds").rename(folder / "other")
    return folder / "workspace.json"


ERRORS: list[tuple[Damage, str]] = [
    (damage_settings, "has no valid schema_version"),
    (move_data_set, "which does not exist"),
    (remove_classifier, "is missing"),
    (change_classifier_hash, "is not the classifier that workspace.json names"),
    (put_nan, "NaN or infinite"),
    (remove_photo, "is missing"),
    (empty_photo, "is empty"),
    (garble_photo, "cannot be read (it is not a JPEG, PNG or WebP picture)"),
    (shrink_photo, "is outside"),
    (damage_traits, "traits.json is damaged"),
    (swap_category_folder, "is in the folder of"),
    (change_network_hash, "another network"),
    (put_nan_in_module, "NaN or infinite"),
    (add_unknown_photo, "that the data set does not have, such as 987654"),
    (swap_split, "The network was trained on"),
    (drop_positives, "no photo of its own category to train with"),
    (repeat_photo, "on both sides"),
    (damage_metrics, "at 'test.faithfulness', expected an object, got a list"),
    (use_other_metrics, "do not belong to the module"),
    (damage_notes, "are damaged"),
    (damage_accuracy, "'category_accuracies' does not have a number for each category"),
    (damage_references, "references.safetensors is damaged"),
    (damage_results, "is damaged"),
    (link_outside, "is a link out of the workspace, to /etc"),
    (link_nowhere, "a broken link"),
    (put_pipe, "pipe"),
    (put_folder_for_lock, "a folder where a lock file should be"),
]
WARNINGS: list[tuple[Damage, str]] = [
    (rename_category_folder, "no category of this name"),
    (remove_module, "no module.safetensors in this folder; metrics.json and notes.json belong"),
    (make_metrics_stale, "belong to another network"),
    (use_metrics_of_other_weights, "or an earlier module"),
    (make_accuracy_stale, "belong to another network"),
    (make_references_stale, "belongs to another network"),
    (rename_in_results, "which the data set does not have"),
    (contradict_results, "have been replaced since"),
]
REPAIRABLE: list[tuple[Damage, str]] = [
    (damage_features, "cached features are damaged"),
    (put_nan_in_features, "cached features are damaged"),
    (change_a_feature, "cached features are damaged"),
    (add_stale_features, "belong to another network or other photos"),
    (add_partial_features, "will not be continued"),
    (make_maps_stale, "belong to an earlier module"),
    (damage_maps, "damaged"),
    (add_partial_maps, "will not be continued"),
    (leave_temporary, "a temporary file of a write"),
    (link_lock, "a link where a lock file should be"),
]


def name_case(case: object) -> str:
    return getattr(case, "__name__", "")


def test_a_healthy_workspace_has_no_findings(full_workspace: Path) -> None:
    before = hash_tree(full_workspace)
    assert examine_all(full_workspace) == ()
    assert examine_all(full_workspace, decode_photos=True) == ()
    assert hash_tree(full_workspace) == before


def test_the_demo_has_no_findings(tmp_path: Path) -> None:
    without_caches = shutil.ignore_patterns("features", "maps")
    demo = shutil.copytree(DEMO_WORKSPACE, tmp_path / "demo", ignore=without_caches)
    assert examine_all(demo) == ()


@pytest.mark.parametrize(("damage", "words"), ERRORS, ids=name_case)
def test_errors_are_found_and_not_repaired(folder: Path, damage: Damage, words: str) -> None:
    path = damage(folder)
    (finding,) = [f for f in examine_all(folder) if f.path == path and words in f.problem]
    assert finding.severity is Severity.ERROR
    assert not finding.is_repairable
    assert finding.is_problem
    before = hash_tree(folder)
    repair_all(folder)
    # Caches of a photo that has changed are stale, and may be removed.
    assert {
        name for name in before if "/maps/" not in name and not name.startswith("features/")
    } <= set(hash_tree(folder))
    assert all(before[name] == h for name, h in hash_tree(folder).items())
    assert finding in examine_all(folder)


@pytest.mark.parametrize(("damage", "words"), WARNINGS, ids=name_case)
def test_warnings_are_found_and_not_repaired(folder: Path, damage: Damage, words: str) -> None:
    path = damage(folder)
    (finding,) = [f for f in examine_all(folder) if f.path == path and words in f.problem]
    assert finding.severity is Severity.WARNING
    assert not finding.is_repairable
    before = hash_tree(folder)
    repair_all(folder)
    assert hash_tree(folder) == before


@pytest.mark.parametrize(("damage", "words"), REPAIRABLE, ids=name_case)
def test_repair_removes_only_what_was_found(folder: Path, damage: Damage, words: str) -> None:
    path = damage(folder)
    (finding,) = select_problems(examine_all(folder))
    assert finding.path == path
    assert words in finding.problem
    assert finding.is_repairable
    before = hash_tree(folder)
    assert repair_all(folder) == (f"Removed: {path}.",)
    after = hash_tree(folder)
    relative = str(path.relative_to(folder))
    removed = {name for name in before if name == relative or name.startswith(f"{relative}/")}
    assert after == {name: h for name, h in before.items() if name not in removed}
    assert removed
    assert select_problems(examine_all(folder)) == ()
    assert repair_all(folder) == (), "a second repair changes nothing"
    assert hash_tree(folder) == after


def copy_photo(folder: Path, source: int, target: int) -> None:
    dataset = Workspace(folder).dataset
    shutil.copyfile(dataset.get_photo(source).path, dataset.get_photo(target).path)


def find_copies(folder: Path) -> list[Finding]:
    words = ("same file as another", "copies of", "several categories")
    return [f for f in examine_all(folder) if any(word in f.problem for word in words)]


def test_a_copy_of_a_training_photo_among_the_test_photos_is_an_error(folder: Path) -> None:
    workspace = Workspace(folder)
    (entry,) = workspace.list_modules()
    split = workspace.load_record(entry).split
    train, test = split["train"][0], split["test"][0]
    copy_photo(folder, train, test)
    same, *labels, network, module = find_copies(folder)
    pair = f"ids {min(train, test)} and {max(train, test)}."
    assert same.problem.startswith("2 photos have the same file as another one")
    assert same.problem.endswith(pair)
    assert not same.is_problem
    assert all("several categories" in finding.problem for finding in labels)
    for finding, learner in ((network, "The network may have been"), (module, "The module was")):
        assert finding.severity is Severity.ERROR
        assert finding.problem == (
            f"{learner} trained on copies of 1 test photo, such as that with id {test}, so its "
            "test measures are too optimistic."
        )
    assert module.path == entry.path
    assert "Create a new workspace" in network.cure


def test_a_module_that_was_trained_before_copies_were_recorded_is_an_error(folder: Path) -> None:
    workspace = Workspace(folder)
    (entry,) = workspace.list_modules()
    split = workspace.load_record(entry).split
    copy_photo(folder, split["train"][0], split["test"][0])
    pair = tuple(sorted((split["train"][0], split["test"][0])))
    save_settings(folder, replace(load_settings(folder), identical=(pair,)))
    (finding,) = [f for f in find_copies(folder) if f.is_problem]
    assert (finding.path, finding.cure) == (entry.path, "Train the module again.")


def test_copies_on_one_side_are_a_note(folder: Path) -> None:
    workspace = Workspace(folder)
    (entry,) = workspace.list_modules()
    first, second = workspace.load_record(entry).split["train"][:2]
    copy_photo(folder, first, second)
    assert not [f for f in find_copies(folder) if f.is_problem]
    assert len(find_copies(folder)) in (1, 2)  # two if their labels differ


def test_files_of_macos_are_no_damage(folder: Path) -> None:
    apple_double = b"\0\5\x16\7" + bytes(92)
    for path in [*folder.rglob("*")]:
        write(path.with_name(f"._{path.name}"), apple_double)
        write(path.with_name(".DS_Store"), b"\0\0\0\1Bud1")
    (folder / "modules/@eaDir").mkdir()
    assert examine_all(folder) == ()
    assert len(Workspace(folder).list_modules()) == 1


def test_repair_never_removes_user_data(folder: Path) -> None:
    names = ("workspace.json", "classifier.safetensors", "metrics.json", "results/results.csv")
    names_of_module = ("module.safetensors", "notes.json", "metrics.json")
    module = find_module(folder)
    kept = [folder / name for name in names] + [module.with_name(name) for name in names_of_module]
    kept += [module.parent, folder, folder / "modules", get_photo(folder), Path("/etc/passwd")]
    kept.append(folder / "features" / ".." / "modules")
    assert all(path.exists() for path in kept)
    before = hash_tree(folder)
    wrong = [Finding(Severity.ERROR, path, "", is_repairable=True) for path in kept]
    steps = repair(folder, wrong)
    messages: list[str] = []
    while not messages:
        try:
            next(steps)
        except StopIteration as stop:
            messages = list(stop.value)
    assert messages == [
        f"Not removed: {path} is not a cache, temporary file or lock." for path in kept
    ]
    assert hash_tree(folder) == before
    assert not is_safe_to_remove(folder, folder / "birds/maps/relu1.npy")


def test_caches_behind_a_link_are_not_removed(folder: Path, tmp_path: Path) -> None:
    (folder / "features").rename(tmp_path / "elsewhere")
    (folder / "features").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / ("0" * 32)).mkdir()
    assert "out of the workspace" in " ".join(f.problem for f in examine_all(folder))
    assert repair_all(folder) == ()
    assert (tmp_path / "elsewhere" / ("0" * 32)).is_dir()


def test_files_that_another_process_writes_are_not_removed(folder: Path) -> None:
    path = add_partial_features(folder)
    with FileLock(folder / "features/.lock"):
        (finding,) = examine_all(folder)
        assert (finding.path, finding.severity) == (path, Severity.NOTE)
        assert repair_all(folder) == ()
    os.utime(leave_temporary(folder))
    assert [f.path for f in examine_all(folder) if f.is_problem] == [path]


def test_leftovers_are_found_after_the_clock_was_set_back(folder: Path) -> None:
    path = leave_temporary(folder)
    os.utime(path, (time.time() + 86_400,) * 2)
    assert [f.path for f in examine_all(folder) if f.is_problem] == [path]


def test_interrupted_computations_are_notes(folder: Path) -> None:
    cache = next(folder.glob("features/*/z.npy")).parent
    cache.rename(cache.with_name(f".{cache.name}.tmp"))
    maps = find_module(folder).with_name("maps") / "relu1.npy"
    maps.rename(maps.with_name("relu1.npy.tmp"))
    (folder / "finetuning.safetensors").write_bytes(b"")
    metrics = find_module(folder).with_name("metrics.json")
    metrics.unlink()
    findings = examine_all(folder)
    assert {f.severity for f in findings} == {Severity.NOTE}
    assert len(findings) == 4
    assert repair_all(folder) == ()


def test_shards_of_features_are_notes_if_they_are_current(folder: Path) -> None:
    cache = next(folder.glob("features/*/z.npy")).parent
    shards = cache.with_name(f".{cache.name}.shards")
    shards.mkdir()
    (finding,) = examine_all(folder)
    assert (finding.path, finding.severity) == (shards, Severity.NOTE)
    assert repair_all(folder) == ()
    assert shards.is_dir()
    other = shards.rename(cache.with_name(f".{'0' * 32}.shards"))
    (finding,) = examine_all(folder)
    assert (finding.path, finding.is_problem) == (other, True)
    assert repair_all(folder)
    assert not other.exists()


def test_outputs_of_frozen_layers_are_a_note_of_an_unfinished_fine_tuning(folder: Path) -> None:
    (folder / "finetuning").mkdir()
    (folder / "finetuning" / "24-abc.npy").write_bytes(b"")
    (found,) = examine_all(folder)
    assert (found.severity, found.path.name) == (Severity.NOTE, "finetuning")
    assert "--restart" in found.cure


def test_notes_of_an_earlier_module_are_a_note(folder: Path) -> None:
    make_maps_stale(folder)
    found = [f for f in examine_all(folder) if f.path.name == "notes.json"]
    assert [f.severity for f in found] == [Severity.NOTE]
    assert "earlier module" in found[0].problem


def test_a_workspace_without_network_is_healthy(tmp_path: Path, painted_root: Path) -> None:
    create_workspace(tmp_path / "new", WorkspaceSettings(dataset=str(painted_root)))
    (finding,) = examine_all(tmp_path / "new")
    assert finding.severity is Severity.NOTE
    assert "no classifier yet" in finding.problem


def test_truncated_photos_are_found_by_decoding_them(folder: Path) -> None:
    path = get_photo(folder)
    write(path, path.read_bytes()[:-300])
    assert not [f for f in examine_all(folder) if f.path == path]
    (finding,) = [f for f in examine_all(folder, decode_photos=True) if f.path == path]
    assert "cannot be read" in finding.problem


def test_features_are_kept_while_a_photo_is_missing(folder: Path) -> None:
    remove_photo(folder)
    caches = [f for f in examine_all(folder) if f.path.parent.name == "features"]
    assert [f.severity for f in caches] == [Severity.NOTE]
    repair_all(folder)
    assert next(folder.glob("features/*/z.npy")).is_file()


def test_a_failed_training_is_a_note(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path / "state"))
    for name, path in (("one", folder), ("two", tmp_path)):
        job = get_jobs_folder() / name
        job.mkdir(parents=True)
        save_request(job, JobRequest(str(path.resolve()), ("001.A",), "srae-k5-s0", {}, {}))
        save_status(job, JobStatus(pid=999_999_999, updated=time.time()))
    (finding,) = examine_all(folder)
    assert finding.path.name == "one"
    assert not finding.is_problem


def test_findings_are_counted_in_words() -> None:
    kinds = (Severity.ERROR, Severity.ERROR, Severity.WARNING)
    assert count_findings(tuple(Finding(k, Path(), "") for k in kinds)) == "2 errors, 1 warning"
    assert count_findings(()) == "nothing"


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["explorer", "doctor", *map(str, arguments)])
        status = 0
        try:
            command_line.main()
        except SystemExit as stop:
            status = int(stop.code or 0)
        return status, capsys.readouterr().out

    return run


def test_the_command_reports_and_repairs(folder: Path, call: Run) -> None:
    assert call(folder)[0] == 0
    stale = add_stale_features(folder)
    status, out = call(folder)
    assert status == 1
    assert f"warning: {stale}: These features belong to another network" in out
    assert "Found: 1 warning." in out
    assert "--repair fixes 1 of them." in out
    status, out = call(folder, "--repair", "--photos")
    assert status == 0
    assert f"Removed: {stale}." in out
    assert "The workspace is healthy." in out
    damage_notes(folder)
    status, out = call(folder, "--repair")
    assert status == 1
    assert "Remaining: 1 error." in out


def test_a_folder_that_is_not_a_workspace_is_one_finding(tmp_path: Path, call: Run) -> None:
    status, out = call(tmp_path)
    assert status == 1
    assert "is not a workspace" in out


def test_the_module_has_half_precision(full_workspace: Path) -> None:
    dtypes = {tensor.dtype for tensor in load_file(find_module(full_workspace)).values()}
    assert dtypes == {torch.float16}
