import json
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from explorer.config import ExplorerError
from explorer.data.cub import load_photo
from explorer.nn.backbones.vgg import build_network
from explorer.nn.settings import ModuleSettings
from explorer.storage.atomic import write_bytes
from explorer.training.classifier.settings import FinetuneSettings
from explorer.training.modules.settings import TrainingSettings
from explorer.workspace import features
from explorer.workspace import workspace as workspace_module
from explorer.workspace.layout import (
    ModuleEntry,
    WorkspaceError,
    WorkspaceSettings,
    get_module_entry,
)
from explorer.workspace.workspace import Workspace

Run = Callable[[Any], Any]
SHORT = TrainingSettings(epochs=1, pretrain_epochs=0, batch_size=32)
SMALL = ModuleSettings(widths=(8,))


@pytest.fixture(scope="module")
def workspace(tiny_workspace: Path) -> Workspace:
    return Workspace(tiny_workspace)


@pytest.fixture(scope="module")
def entry(workspace: Workspace) -> ModuleEntry:
    (found,) = workspace.list_modules()
    return found


def change_settings(folder: Path, **fields: Any) -> None:
    file = folder / "workspace.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


# Making and opening


def test_new_workspace_without_weights_asks_for_fine_tuning(
    tmp_path: Path, painted_root: Path
) -> None:
    made = Workspace.create(tmp_path / "new", WorkspaceSettings(str(painted_root)))
    opened = Workspace(tmp_path / "new")
    assert opened.settings == made.settings == WorkspaceSettings(str(painted_root))
    assert opened.list_modules() == ()
    assert opened.is_painted
    assert len(opened.held_out) == 12
    assert not any(photo.is_training for photo in opened.held_out)
    with pytest.raises(WorkspaceError, match=r"no classifier yet.*python -m explorer finetune"):
        opened.backbone  # noqa: B018


@pytest.mark.parametrize("half", [False, True])
def test_new_workspace_takes_the_user_s_own_network(
    tmp_path: Path, painted_root: Path, half: bool
) -> None:
    network = build_network("vgg_small", 12, batch_norm=True).eval()
    torch.save(network.state_dict(), tmp_path / "mine.pth")
    settings = WorkspaceSettings(str(painted_root), z_layer="fc7", held_out="last:2", half=half)
    Workspace.create(tmp_path / "new", settings, tmp_path / "mine.pth")
    opened = Workspace(tmp_path / "new")
    assert opened.backbone.z_layer == "fc7"
    assert opened.classifier_report == {"imported_from": "mine.pth"}
    assert len(opened.held_out) == 24
    images = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network(images)
    logits = opened.backbone.compute_features(images)[1]
    torch.testing.assert_close(logits, expected, atol=2e-3 if half else 1e-5, rtol=1e-3)


@pytest.mark.parametrize(
    "changes",
    [{"architecture": "resnet50"}, {"held_out": "some"}, {"held_out": "last:6"}, {"dataset": "no"}],
)
def test_impossible_settings_leave_nothing_behind(
    tmp_path: Path, painted_root: Path, changes: dict[str, str]
) -> None:
    settings = replace(WorkspaceSettings(str(painted_root)), **changes)
    with pytest.raises(ExplorerError):
        Workspace.create(tmp_path / "new", settings)
    assert not (tmp_path / "new" / "workspace.json").exists()


def test_unknown_layer_is_refused_before_hours_of_training(
    tmp_path: Path, painted_root: Path
) -> None:
    settings = WorkspaceSettings(str(painted_root), z_layer="fc9")
    with pytest.raises(ExplorerError, match="'fc9'"):
        Workspace.create(tmp_path / "new", settings)


def test_weights_with_other_outputs_are_refused(tmp_path: Path, painted_root: Path) -> None:
    torch.save(build_network("vgg_small", 5, batch_norm=False).state_dict(), tmp_path / "a.pth")
    with pytest.raises(ExplorerError, match="5 outputs, but there are 12 categories"):
        Workspace.create(tmp_path / "new", WorkspaceSettings(str(painted_root)), tmp_path / "a.pth")
    assert not (tmp_path / "new").exists()


def test_a_workspace_is_never_overwritten(own_workspace: Path) -> None:
    before = (own_workspace / "workspace.json").read_bytes()
    with pytest.raises(WorkspaceError, match="is a workspace already"):
        Workspace.create(own_workspace, WorkspaceSettings("birds"))
    assert (own_workspace / "workspace.json").read_bytes() == before


def test_workspace_can_be_moved(own_workspace: Path, tmp_path: Path, run: Run) -> None:
    moved = Workspace(Path(shutil.move(own_workspace, tmp_path / "elsewhere")))
    assert len(moved.dataset.photos) == 72
    (entry,) = moved.list_modules()
    moved.load_module(entry)
    assert list(moved.compute_features()) == [], "features are still good"


def test_missing_data_set_is_named(own_workspace: Path) -> None:
    shutil.rmtree(own_workspace / "birds")
    opened = Workspace(own_workspace)
    with pytest.raises(ExplorerError, match="birds"):
        opened.dataset  # noqa: B018


def test_corrupt_settings_are_named(own_workspace: Path) -> None:
    (own_workspace / "workspace.json").write_text("{")
    with pytest.raises(WorkspaceError, match=r"workspace\.json"):
        Workspace(own_workspace)


def test_future_format_is_refused(own_workspace: Path) -> None:
    change_settings(own_workspace, schema_version=99)
    with pytest.raises(WorkspaceError, match="Update the explorer"):
        Workspace(own_workspace)


def test_classifier_of_another_workspace_is_refused(own_workspace: Path) -> None:
    change_settings(own_workspace, classifier_sha256="0" * 64)
    with pytest.raises(WorkspaceError, match=r"not the classifier that workspace\.json names"):
        Workspace(own_workspace).backbone  # noqa: B018


def test_classifier_of_other_categories_is_refused(own_workspace: Path) -> None:
    classes = own_workspace / "birds" / "classes.txt"
    lines = classes.read_text().splitlines()
    folder = lines[0].split()[1]
    classes.write_text("\n".join([lines[0] + "_x", *lines[1:]]) + "\n")
    images = own_workspace / "birds" / "images.txt"
    images.write_text(images.read_text().replace(f"{folder}/", f"{folder}_x/"))
    (own_workspace / "birds" / "images" / folder).rename(
        own_workspace / "birds" / "images" / f"{folder}_x"
    )
    with pytest.raises(WorkspaceError, match="categories are not those of"):
        Workspace(own_workspace).backbone  # noqa: B018


# Modules


def test_modules_of_unknown_categories_are_ignored(own_workspace: Path) -> None:
    known = own_workspace / "modules"
    (first,) = known.iterdir()
    shutil.copytree(first, known / "999.Nobody")
    assert [e.category for e in Workspace(own_workspace).list_modules()] == [first.name]


def test_module_is_loaded_once_and_again_when_replaced(own_workspace: Path, run: Run) -> None:
    opened = Workspace(own_workspace)
    (entry,) = opened.list_modules()
    first, record = opened.load_module(entry)
    assert opened.load_module(entry)[0] is first
    assert opened.load_record(entry) == record
    run(opened.train_module(entry.category, SMALL, SHORT))
    (other,) = (e for e in opened.list_modules() if e.run != entry.run)
    before = entry.path.stat()
    write_bytes(entry.path, other.path.read_bytes())
    os.utime(entry.path, ns=(before.st_atime_ns, before.st_mtime_ns))  # as a clock set back may
    assert opened.load_module(entry)[0].settings.widths == (8,)


def test_module_that_is_gone_is_named(own_workspace: Path) -> None:
    opened = Workspace(own_workspace)
    (entry,) = opened.list_modules()
    entry.path.unlink()
    with pytest.raises(WorkspaceError, match=r"is gone\. Train the module again"):
        opened.load_module(entry)


def test_module_in_the_folder_of_another_category_is_refused(own_workspace: Path) -> None:
    opened = Workspace(own_workspace)
    (entry,) = opened.list_modules()
    wrong = get_module_entry(own_workspace, opened.dataset.categories[5], entry.run)
    shutil.copytree(entry.path.parent, wrong.path.parent)
    with pytest.raises(ExplorerError, match=entry.category):
        opened.load_module(wrong)


def test_training_stores_what_is_needed_to_repeat_it(own_workspace: Path, run: Run) -> None:
    opened = Workspace(own_workspace)
    category = opened.dataset.categories[3]
    entry = run(opened.train_module(category[4:].replace("_", " ").lower(), SMALL, SHORT))
    assert entry.category == category
    assert opened.load_metrics(entry) is None
    module, record = opened.load_module(entry)
    assert record.training["epochs"] == 1
    assert record.settings["method"] == "srae"
    assert not set(record.split["train"]) & set(record.split["test"])
    held_out = {photo.image_id for photo in opened.held_out}
    assert set(record.split["test"]) <= held_out
    assert all(torch.equal(p, p.half().float()) for p in module.parameters()), "half workspace"
    data = entry.path.read_bytes()
    run(opened.train_module(category, SMALL, SHORT))
    assert entry.path.read_bytes() == data


def test_retraining_discards_old_measurements(own_workspace: Path, run: Run) -> None:
    opened = Workspace(own_workspace)
    entry = run(opened.train_module(opened.dataset.categories[2], SMALL, SHORT))
    run(opened.evaluate_module(entry))
    assert opened.load_metrics(entry) is not None
    run(opened.train_module(entry.category, SMALL, SHORT))
    assert opened.load_metrics(entry) is None


def test_measures_of_an_earlier_module_are_not_shown(own_workspace: Path, run: Run) -> None:
    opened = Workspace(own_workspace)
    category = opened.dataset.categories[2]
    entry, other = (
        run(opened.train_module(category, SMALL, replace(SHORT, seed=seed))) for seed in (0, 1)
    )
    measuring = opened.evaluate_module(entry)
    next(measuring)
    own = entry.path.read_bytes()
    entry.path.write_bytes(other.path.read_bytes())  # trained again, while it is measured
    run(measuring)
    assert opened.load_metrics(entry) is None
    entry.path.write_bytes(own)
    measured = opened.load_metrics(entry)
    assert measured is not None
    assert measured["weights_sha256"] == opened.load_record(entry).weights_sha256 != ""


def test_unknown_category_names_its_neighbours(workspace: Workspace) -> None:
    name = workspace.dataset.categories[0][4:]
    with pytest.raises(ExplorerError, match=f"did you mean .*{name}"):
        next(workspace.train_module(name[:-1] + "q", SMALL, SHORT))


def test_fine_tuning_again_makes_old_modules_strangers(own_workspace: Path, run: Run) -> None:
    opened = Workspace(own_workspace)
    (entry,) = opened.list_modules()
    before = opened.backbone.sha256
    settings = FinetuneSettings(epochs=1, batch_size=60, seed=5)
    with pytest.raises(WorkspaceError, match="has a classifier already"):
        run(opened.finetune(settings))
    assert opened.load_metrics(entry) is not None
    report = run(opened.finetune(settings, force=True))
    assert opened.load_metrics(entry) is None, "measures of another network are not shown"
    assert opened.backbone.sha256 == opened.settings.classifier_sha256 != before
    assert opened.classifier_report == json.loads(json.dumps(report))
    assert Workspace(own_workspace).backbone.sha256 == opened.backbone.sha256
    for reader in (opened, Workspace(own_workspace)):
        with pytest.raises(ExplorerError, match="another network"):
            reader.load_module(entry)


# Measuring


def test_metrics_equal_a_second_way_of_computing_them(
    workspace: Workspace, entry: ModuleEntry, run: Run
) -> None:
    metrics = workspace.load_metrics(entry)
    assert metrics is not None
    module, record = workspace.load_module(entry)
    index = workspace.dataset.categories.index(entry.category)
    architecture = workspace.backbone.architecture
    for part in ("train", "test"):
        y_bar, y_hat, positives, contributions = [], [], [], []
        for image_id in record.split[part]:
            photo = workspace.dataset.get_photo(image_id)
            pixels = torch.from_numpy(features.load_input(photo, architecture))[None]
            z, logits = workspace.backbone.compute_features(pixels)
            outputs = module(z)
            y_hat.append(float(logits[0, index]))
            y_bar.append(float(outputs.y_bar[0]))
            contributions.append((outputs.x_features[0] * module.v.weight[0]).tolist())
            positives.append(photo.category == entry.category)
        gap = np.abs(np.array(y_bar) - np.array(y_hat))
        found = metrics[part]
        assert found["faithfulness"]["f_reg"] == pytest.approx(gap.mean(), rel=1e-4)
        assert found["faithfulness"]["count"] == len(gap)
        spread = max(y_hat) - min(y_hat)
        assert found["faithfulness"]["relative_f_reg"] == pytest.approx(gap.mean() / spread, 1e-4)
        assert found["positives"]["f_reg"] == pytest.approx(gap[positives].mean(), rel=1e-4)
        np.testing.assert_allclose(
            found["mean_contribution"],
            np.array(contributions)[positives].mean(axis=0),
            rtol=1e-3,
            atol=1e-5,
        )
    assert metrics["locality"]["all"]["photo_counts"] == [
        6 - left for left in metrics["locality"]["all"]["left_out"]
    ]
    assert len(metrics["live"]) == 5


def test_measuring_again_gives_the_same_file(own_workspace: Path, run: Run) -> None:
    opened = Workspace(own_workspace)
    (entry,) = opened.list_modules()
    before = opened.load_metrics(entry)
    steps = list(opened.evaluate_module(entry))
    assert [(step.done, step.total) for step in steps] == [(n, 6) for n in range(1, 7)]
    after = opened.load_metrics(entry)
    assert before is not None
    assert after is not None
    assert json.dumps(after, sort_keys=True) == json.dumps(before, sort_keys=True)


def test_metrics_hold_no_nan(entry: ModuleEntry) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    json.loads(entry.metrics_path.read_text(), parse_constant=refuse)


def test_a_dead_module_is_measured_without_nan(own_workspace: Path, run: Run) -> None:
    opened = Workspace(own_workspace)
    (entry,) = opened.list_modules()
    module, _ = opened.load_module(entry)
    for parameter in module.parameters():
        parameter.zero_()  # the copy in memory; the file stays
    metrics = run(opened.evaluate_module(entry))
    assert metrics["live"] == [False] * 5
    assert metrics["locality"]["test"]["mean_locality"] is None
    json.loads(entry.metrics_path.read_text())


def test_classifier_is_measured_on_both_sides(workspace: Workspace, run: Run) -> None:
    measured = run(workspace.measure_classifier())
    assert measured["test_photos"] == 12
    assert measured["test_accuracy"] == pytest.approx(workspace.classifier_report["test_accuracy"])
    assert 0 <= measured["train_accuracy"] <= 1
    held_out = [photo.category for photo in workspace.held_out]
    counts = [held_out.count(category) for category in workspace.dataset.categories]
    right = np.multiply(measured["category_accuracies"], counts)
    assert right.sum() == pytest.approx(12 * measured["test_accuracy"])
    np.testing.assert_allclose(right, np.round(right))


def test_a_module_that_was_split_on_other_photos_is_refused(own_workspace: Path, run: Run) -> None:
    opened = Workspace(own_workspace)
    (entry,) = opened.list_modules()
    _, record = opened.load_module(entry)
    record.split["test"][0] = 12345
    with pytest.raises(ExplorerError, match="12345"):
        run(opened.evaluate_module(entry))


# Explaining


def test_explanation_adds_up(workspace: Workspace, entry: ModuleEntry) -> None:
    photo = workspace.dataset.photos_of(entry.category)[0]
    found = workspace.explain(entry, load_photo(photo))
    assert found.contributions.sum() == pytest.approx(found.y_bar, abs=1e-4)
    assert found.y_hat == pytest.approx(float(found.logits[0]))
    assert found.maps.shape == (5, 128, 128)
    assert (found.maps >= 0).all()
    assert np.isfinite(found.maps).all()
    assert (found.x_features >= 0).all()
    small = workspace.explain(entry, load_photo(photo), "pool4")
    assert small.maps.shape == (5, 8, 8)
    assert small.y_bar == pytest.approx(found.y_bar)


def test_photos_of_any_size_can_be_explained(workspace: Workspace, entry: ModuleEntry) -> None:
    image = np.random.default_rng(0).integers(0, 255, (37, 301, 3), dtype=np.uint8)
    assert workspace.explain(entry, image).maps.shape == (5, 128, 128)
    with pytest.raises(ExplorerError, match="'fc6'"):
        workspace.explain(entry, image, "fc6")


def test_histogram_adds_up_to_at_most_one(workspace: Workspace, entry: ModuleEntry) -> None:
    photo = workspace.dataset.photos_of(entry.category)[1]
    parts = workspace.load_parts(photo)
    histogram = parts.measure(workspace.explain(entry, parts.image).maps)
    values, is_live = histogram.values, histogram.is_live
    assert values.shape == (5, len(workspace.dataset.part_names))
    assert (values[:, ~photo.visible] == 0).all()
    assert (values.sum(axis=1) <= 1 + 1e-9).all()
    assert is_live.any()


def test_photo_parts_lie_inside_the_photo(workspace: Workspace) -> None:
    photo = workspace.dataset.photos[0]
    parts = workspace.load_parts(photo)
    height, width = parts.image.shape[:2]
    seen = parts.points[parts.visible]
    assert (seen >= 0).all()
    assert (seen <= [width, height]).all()
    x, y, box_width, box_height = parts.box
    assert min(x, y) >= 0
    assert x + box_width <= width
    assert y + box_height <= height


def test_loading_in_two_threads_never_waits_for_itself(
    tiny_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One asks for the network, one for a module, which needs the network: each holds a lock."""
    shared = Workspace(tiny_workspace)
    (entry,) = shared.list_modules()
    load = shared._load_classifier

    def load_slowly() -> Any:
        time.sleep(0.2)
        return load()

    monkeypatch.setattr(shared, "_load_classifier", load_slowly)
    pool = ThreadPoolExecutor(2)
    tasks = [pool.submit(lambda: shared.backbone), pool.submit(shared.load_module, entry)]
    done, _ = wait(tasks, timeout=20)
    pool.shutdown(wait=False)
    assert len(done) == 2
    assert tasks[0].result() is shared.backbone


def test_memory_holds_a_bounded_number_of_modules(
    own_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace_module, "_MODULES_IN_MEMORY", 2)
    shared = Workspace(own_workspace)
    (entry,) = shared.list_modules()
    entries = [entry]
    for name in ("a", "b"):
        copied = get_module_entry(own_workspace, entry.category, name)
        shutil.copytree(entry.path.parent, copied.path.parent)
        entries.append(copied)
    first = shared.load_module(entries[0])[0]
    shared.load_module(entries[1])
    assert shared.load_module(entries[0])[0] is first, "what was asked for last is kept"
    shared.load_module(entries[2])
    assert shared.load_module(entries[0])[0] is first
    assert len(shared._modules) == 2


def test_damaged_metrics_are_named(own_workspace: Path) -> None:
    opened = Workspace(own_workspace)
    (entry,) = opened.list_modules()
    metrics = json.loads(entry.metrics_path.read_text())
    del metrics["train"]
    entry.metrics_path.write_text(json.dumps(metrics))
    with pytest.raises(WorkspaceError, match=r"metrics\.json is damaged.*'train'.*evaluate"):
        opened.load_metrics(entry)


def test_threads_give_what_one_after_the_other_gives(tiny_workspace: Path) -> None:
    """Two browser sessions open the workspace and ask at once."""
    images = [load_photo(photo) for photo in Workspace(tiny_workspace).dataset.photos[::9]]
    serial = Workspace(tiny_workspace)
    (entry,) = serial.list_modules()
    expected = [serial.explain(entry, image) for image in images]
    shared = Workspace(tiny_workspace)  # nothing is loaded yet: that is raced for as well
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda image: shared.explain(entry, image), images * 2))
    for one, other in zip(expected * 2, found, strict=True):
        np.testing.assert_allclose(one.maps, other.maps, rtol=1e-5, atol=1e-9)
        assert one.y_bar == pytest.approx(other.y_bar)


def test_sessions_that_ask_at_once_get_the_one_network(
    tiny_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = Workspace(tiny_workspace)
    (entry,) = shared.list_modules()
    load, loaded = shared._load_classifier, []

    def load_slowly() -> Any:
        loaded.append(1)
        time.sleep(0.2)  # long enough for all others to ask
        return load()

    monkeypatch.setattr(shared, "_load_classifier", load_slowly)
    with ThreadPoolExecutor(8) as pool:
        networks = list(pool.map(lambda _: shared.backbone, range(8)))
        modules = list(pool.map(lambda _: shared.load_module(entry)[0], range(8)))
    assert len(loaded) == 1
    assert len({id(one) for one in networks}) == len({id(one) for one in modules}) == 1
