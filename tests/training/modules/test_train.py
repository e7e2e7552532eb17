import json
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from explorer.config import ExplorerError, Progress
from explorer.measuring.module import measure_module
from explorer.measuring.records import load_module_measures
from explorer.methods.base import TrainedMethod
from explorer.methods.registry import list_trained
from explorer.methods.srae import SraeSettings
from explorer.nn.records import CheckpointError
from explorer.nn.srae import ExplanationModule
from explorer.training.modules import settings, train
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.train import (
    NotTrainedError,
    find_module,
    share_z,
    train_module,
    train_modules,
)
from explorer.workspace.features import Features
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.networks import Networks
from explorer.workspace.workspace import Workspace

Run = Callable[[Any], Any]
SMALL = SraeSettings(widths=(8,))
SHORT = TrainingSettings(epochs=3, pretrain_epochs=1, batch_size=16)
EPOCHS = 3 + 2 * 1
MEMORY_MAPS = Path("/proc/self/maps")


@pytest.fixture
def opened(own_workspace: Path) -> Workspace:
    return Workspace(own_workspace)


def load(workspace: Workspace, entry: ModuleEntry) -> dict[str, torch.Tensor]:
    return Workspace(workspace.path).networks.load_module(entry)[0].state_dict()


def spoil(monkeypatch: pytest.MonkeyPatch, category: str) -> None:
    """Replace the scores of `category` by scores that no module can learn."""
    compute = Networks.compute_features

    def compute_spoiled(self: Networks) -> Generator[Progress, None, Features]:
        features = yield from compute(self)
        logits = features.logits.copy()
        logits[:, self.backbone.categories.index(category)] = 1e30
        return replace(features, logits=logits)

    monkeypatch.setattr(Networks, "compute_features", compute_spoiled)


@pytest.mark.parametrize("method", list_trained(), ids=lambda method: method.name)
def test_modules_trained_together_equal_those_trained_one_by_one(
    opened: Workspace, run: Run, method: TrainedMethod
) -> None:
    names, settings = opened.dataset.categories[3:7], replace(method.settings, widths=(8,))
    alone = [run(train_module(opened, name, settings, SHORT)) for name in names]
    expected = [(load(opened, entry), opened.load_record(entry)) for entry in alone]
    for size in (0, 3):
        entries = run(train_modules(opened, names, settings, SHORT, group_size=size))
        assert list(entries) == alone
        for entry, (weights, record) in zip(entries, expected, strict=True):
            assert (
                replace(opened.load_record(entry), weights_sha256=record.weights_sha256) == record
            )
            for name, weight in load(opened, entry).items():
                # The weights are stored in half precision and may differ in their last digit.
                torch.testing.assert_close(weight, weights[name], rtol=2e-3, atol=1e-4)


def test_training_stores_what_is_needed_to_repeat_it(opened: Workspace, run: Run) -> None:
    category = opened.dataset.categories[3]
    entry = run(train_module(opened, category[4:].replace("_", " ").lower(), SMALL, SHORT))
    assert entry.category == category
    assert load_module_measures(opened, entry) is None
    module, record = opened.networks.load_module(entry)
    assert record.training["epochs"] == 3
    assert record.settings["method"] == "srae"
    assert not set(record.split["train"]) & set(record.split["test"])
    held_out = {photo.image_id for photo in opened.held_out}
    assert set(record.split["test"]) <= held_out
    assert all(torch.equal(p, p.half().float()) for p in module.parameters()), "half workspace"
    data = entry.path.read_bytes()
    run(train_module(opened, category, SMALL, SHORT))
    assert entry.path.read_bytes() == data


def test_the_same_call_gives_the_same_bytes(opened: Workspace, run: Run) -> None:
    names = opened.dataset.categories[:3]
    first = [e.path.read_bytes() for e in run(train_modules(opened, names, SMALL, SHORT))]
    again = [e.path.read_bytes() for e in run(train_modules(opened, names, SMALL, SHORT))]
    assert first == again
    assert len(set(first)) == 3


def test_progress_counts_the_epochs_of_all_modules(opened: Workspace, run: Run) -> None:
    steps = train_modules(opened, opened.dataset.categories[:5], SMALL, SHORT, group_size=2)
    progress = [step for step in steps if not step.stage.startswith("Reading")]
    assert {step.total for step in progress} == {5 * EPOCHS}
    done = [step.done for step in progress]
    assert done == sorted(done)
    assert done[-1] == 5 * EPOCHS
    terms = {"total", "faithfulness", "reconstruction", "f_reg_train", "f_reg_test"}
    assert {tuple(sorted(step.values)) for step in progress} == {
        ("reconstruction",),
        tuple(sorted(terms)),
    }


def test_many_photos_are_passed_over_fewer_times(
    opened: Workspace, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "PASS_PHOTOS", 1)
    steps = train_modules(opened, opened.dataset.categories[:2], SMALL, SHORT, group_size=1)
    progress = [step for step in steps if not step.stage.startswith("Reading")]
    assert [step.done for step in progress] == list(range(1, 2 * (1 + 2 * 1) + 1))
    assert {step.total for step in progress} == {6}
    entry = find_module(opened, opened.dataset.categories[0], SMALL, SHORT)
    assert entry is not None
    assert opened.load_record(entry).training == SHORT.describe()  # what was asked for


def test_duplicate_categories_are_trained_once_and_keep_their_order(
    opened: Workspace, run: Run
) -> None:
    one, two, three = opened.dataset.categories[:3]
    entries = run(train_modules(opened, [two, one[4:].lower(), two, three], SMALL, SHORT))
    assert [entry.category for entry in entries] == [two, one, three]
    assert run(train_modules(opened, [], SMALL, SHORT)) == ()


def test_each_group_is_stored_as_soon_as_it_is_done(opened: Workspace) -> None:
    names = opened.dataset.categories[4:8]
    before = set(opened.list_modules())
    steps = train_modules(opened, names, SMALL, SHORT, group_size=2)
    for step in steps:
        if step.stage == "Training" and step.done > 2 * EPOCHS:
            break
    steps.close()
    assert {e.category for e in set(opened.list_modules()) - before} == set(names[:2])
    assert not list(opened.path.rglob("*.tmp"))


def test_training_again_discards_old_measurements(opened: Workspace, run: Run) -> None:
    (entry,) = run(train_modules(opened, opened.dataset.categories[:1], SMALL, SHORT))
    entry.metrics_path.write_text("{}")
    run(train_modules(opened, opened.dataset.categories[:1], SMALL, SHORT))
    assert not entry.metrics_path.exists()


def test_retraining_discards_old_measurements(opened: Workspace, run: Run) -> None:
    entry = run(train_module(opened, opened.dataset.categories[2], SMALL, SHORT))
    run(measure_module(opened, entry))
    assert load_module_measures(opened, entry) is not None
    run(train_module(opened, entry.category, SMALL, SHORT))
    assert load_module_measures(opened, entry) is None


# Failures


def test_one_diverging_module_does_not_lose_the_others(
    opened: Workspace, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = opened.dataset.categories[2:6]
    spoil(monkeypatch, names[1])
    with pytest.raises(
        NotTrainedError, match=rf"{names[1]}: The loss is no longer finite"
    ) as found:
        run(train_modules(opened, names, SMALL, SHORT))
    assert [entry.category for entry in found.value.trained] == [names[0], *names[2:]]
    assert all(entry.path.is_file() for entry in found.value.trained)
    assert names[0] not in str(found.value)


def test_a_category_without_held_out_photos_does_not_lose_the_others(
    own_workspace: Path, run: Run
) -> None:
    names = Workspace(own_workspace).dataset.categories[:3]
    ids = {str(photo.image_id) for photo in Workspace(own_workspace).dataset.photos_of(names[2])}
    file = own_workspace / "birds" / "train_test_split.txt"
    lines = [line.split() for line in file.read_text().splitlines()]
    file.write_text("".join(f"{n} {1 if n in ids else known}\n" for n, known in lines))
    with pytest.raises(
        NotTrainedError, match=rf"{names[2]} needs at least one held-out photo"
    ) as found:
        run(train_modules(Workspace(own_workspace), names, SMALL, SHORT))
    assert [entry.category for entry in found.value.trained] == list(names[:2])


def test_a_module_that_cannot_be_stored_does_not_lose_the_others(
    opened: Workspace, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounded: list[ExplanationModule] = []

    def refuse_the_first(module: ExplanationModule) -> None:
        rounded.append(module)
        if len(rounded) == 1:
            raise CheckpointError("A weight is too large.")

    monkeypatch.setattr(train, "round_to_half", refuse_the_first)
    names = opened.dataset.categories[4:6]
    with pytest.raises(NotTrainedError, match=f"{names[0]}: A weight is too large") as found:
        run(train_modules(opened, names, SMALL, SHORT))
    assert [entry.category for entry in found.value.trained] == [names[1]]


def test_invalid_requests_are_refused_before_training(opened: Workspace) -> None:
    before = opened.list_modules()
    names = opened.dataset.categories
    with pytest.raises(ExplorerError, match="There is no category 'nobody'"):
        next(train_modules(opened, [names[1], "nobody"], SMALL, SHORT))
    with pytest.raises(ExplorerError, match="group size must be at least 1"):
        next(train_modules(opened, names, SMALL, SHORT, group_size=-1))
    assert opened.list_modules() == before


def test_an_unknown_category_is_answered_with_similar_names(opened: Workspace) -> None:
    name = opened.dataset.categories[0][4:]
    with pytest.raises(ExplorerError, match=f"did you mean .*{name}"):
        next(train_module(opened, name[:-1] + "q", SMALL, SHORT))


# Patience


def test_patience_is_part_of_run_name_and_record_if_set(opened: Workspace, run: Run) -> None:
    name = opened.dataset.categories[3]
    plain = run(train_module(opened, name, SMALL, SHORT))
    assert "patience" not in opened.load_record(plain).training
    assert "patience" not in plain.run
    patient = run(train_module(opened, name, SMALL, replace(SHORT, patience=2)))
    assert opened.load_record(patient).training["patience"] == 2
    assert patient.run == f"{plain.run}-patience2"
    assert opened.load_record(patient).split == opened.load_record(plain).split


# Existing modules


def test_a_module_is_found_by_its_training_settings(opened: Workspace, run: Run) -> None:
    name, other = opened.dataset.categories[3:5]
    assert find_module(opened, name, SMALL, SHORT) is None
    entry = run(train_module(opened, name, SMALL, SHORT))
    assert find_module(opened, name, SMALL, SHORT) == entry
    assert find_module(opened, other, SMALL, SHORT) is None
    assert find_module(opened, name, SMALL, replace(SHORT, seed=1)) is None
    assert find_module(opened, name, replace(SMALL, beta=2.0), SHORT) is None


def test_a_module_in_a_damaged_file_is_not_found(opened: Workspace, run: Run) -> None:
    entry = run(train_module(opened, opened.dataset.categories[3], SMALL, SHORT))
    entry.path.write_bytes(b"no module")
    assert find_module(opened, entry.category, SMALL, SHORT) is None


@pytest.mark.parametrize("changes", [{"held_out": "last:2"}, {"z_layer": "fc7"}])
def test_a_module_of_another_split_or_layer_is_not_found(
    opened: Workspace, run: Run, changes: dict[str, str]
) -> None:
    entry = run(train_module(opened, opened.dataset.categories[3], SMALL, SHORT))
    file = opened.path / "workspace.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    assert find_module(Workspace(opened.path), entry.category, SMALL, SHORT) is None


def test_a_module_with_or_without_a_base_is_not_found_as_the_other(
    opened: Workspace, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_base = replace(SMALL, has_base=True)
    entry = run(train_module(opened, opened.dataset.categories[3], with_base, SHORT))
    monkeypatch.setattr(train, "list_run_names", lambda *_: [entry.run])
    assert find_module(opened, entry.category, with_base, SHORT) == entry
    assert find_module(opened, entry.category, SMALL, SHORT) is None


# Sharing Z between modules


def test_z_in_memory_is_copied_for_training() -> None:
    z = np.ones((4, 2), np.float32)
    z.setflags(write=False)
    copied = share_z(Features(np.arange(4), z, z), torch.device("cpu"), 10**9)
    copied[0, 0] = 5
    assert z[0, 0] == 1
    assert copied.dtype == torch.float32


def test_z_on_disk_is_mapped_for_training_and_cannot_be_damaged(tmp_path: Path) -> None:
    values = np.arange(8, dtype=np.float32).reshape(4, 2)
    np.save(tmp_path / "z.npy", values)
    z = np.load(tmp_path / "z.npy", mmap_mode="r")
    shared = share_z(Features(np.arange(4), z, z), torch.device("cpu"), 10**9)
    assert np.array_equal(shared, values)
    if MEMORY_MAPS.exists():  # on Linux
        assert any(
            int(start, 16) <= shared.data_ptr() < int(end, 16)
            for line in MEMORY_MAPS.read_text().splitlines()
            if line.endswith(str(tmp_path / "z.npy"))
            for start, end in [line.split()[0].split("-")]
        )
    shared[0, 0] = 5
    assert np.array_equal(np.load(tmp_path / "z.npy"), values)


def test_another_device_gets_a_copy_of_z_within_the_budget(tmp_path: Path) -> None:
    np.save(tmp_path / "z.npy", np.ones((4, 2), np.float32))
    z = np.load(tmp_path / "z.npy", mmap_mode="r")
    found = Features(np.arange(4), z, z)
    meta = torch.device("meta")
    assert share_z(found, meta, 32).device == meta
    assert share_z(found, meta, 31).device == torch.device("cpu")
