import json
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.config import ExplorerError
from explorer.data.photo import load_photo
from explorer.methods.srae import SraeSettings
from explorer.storage.writing import write_bytes
from explorer.training.modules.settings import TrainingSettings
from explorer.training.modules.train import train_module
from explorer.workspace import networks
from explorer.workspace.layout import ModuleEntry, WorkspaceError, get_module_entry
from explorer.workspace.workspace import Workspace

Run = Callable[[Any], Any]
SHORT = TrainingSettings(epochs=1, pretrain_epochs=0, batch_size=32)
SMALL = SraeSettings(widths=(8,))


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


def test_classifier_of_another_workspace_is_refused(own_workspace: Path) -> None:
    change_settings(own_workspace, classifier_sha256="0" * 64)
    with pytest.raises(WorkspaceError, match=r"not the classifier that workspace\.json names"):
        Workspace(own_workspace).networks.backbone  # noqa: B018


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
        Workspace(own_workspace).networks.backbone  # noqa: B018


def test_module_is_loaded_once_and_again_when_replaced(own_workspace: Path, run: Run) -> None:
    opened = Workspace(own_workspace)
    (entry,) = opened.list_modules()
    first, record = opened.networks.load_module(entry)
    assert opened.networks.load_module(entry)[0] is first
    assert opened.load_record(entry) == record
    run(train_module(opened, entry.category, SMALL, SHORT))
    (other,) = (e for e in opened.list_modules() if e.run != entry.run)
    before = entry.path.stat()
    write_bytes(entry.path, other.path.read_bytes())
    os.utime(
        entry.path, ns=(before.st_atime_ns, before.st_mtime_ns)
    )  # as after a clock was set back
    assert opened.networks.load_module(entry)[0].settings.widths == (8,)


def test_a_removed_module_is_named(own_workspace: Path) -> None:
    opened = Workspace(own_workspace)
    (entry,) = opened.list_modules()
    entry.path.unlink()
    with pytest.raises(WorkspaceError, match=r"is missing\. Train the module again"):
        opened.networks.load_module(entry)


def test_module_in_the_folder_of_another_category_is_refused(own_workspace: Path) -> None:
    opened = Workspace(own_workspace)
    (entry,) = opened.list_modules()
    wrong = get_module_entry(own_workspace, opened.dataset.categories[5], entry.run)
    shutil.copytree(entry.path.parent, wrong.path.parent)
    with pytest.raises(ExplorerError, match=entry.category):
        opened.networks.load_module(wrong)


def test_the_number_of_modules_in_memory_is_limited(
    own_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "_MODULES_IN_MEMORY", 2)
    shared = Workspace(own_workspace)
    (entry,) = shared.list_modules()
    entries = [entry]
    for name in ("a", "b"):
        copied = get_module_entry(own_workspace, entry.category, name)
        shutil.copytree(entry.path.parent, copied.path.parent)
        entries.append(copied)
    first = shared.networks.load_module(entries[0])[0]
    shared.networks.load_module(entries[1])
    assert shared.networks.load_module(entries[0])[0] is first, "the most recently used one is kept"
    shared.networks.load_module(entries[2])
    assert shared.networks.load_module(entries[0])[0] is first
    assert len(shared.networks._modules) == 2


def test_explanation_adds_up(workspace: Workspace, entry: ModuleEntry) -> None:
    photo = workspace.dataset.photos_of(entry.category)[0]
    found = workspace.networks.explain(entry, load_photo(photo))
    assert found.contributions.sum() == pytest.approx(found.y_bar, abs=1e-4)
    assert found.y_hat == pytest.approx(float(found.logits[0]))
    assert found.maps.shape == (5, 128, 128)
    assert (found.maps >= 0).all()
    assert np.isfinite(found.maps).all()
    assert (found.x_features >= 0).all()
    small = workspace.networks.explain(entry, load_photo(photo), "pool4")
    assert small.maps.shape == (5, 8, 8)
    assert small.y_bar == pytest.approx(found.y_bar)


@pytest.mark.parametrize("stop", ["relu1", "pool3"])
def test_one_map_alone_is_that_of_the_explanation(
    workspace: Workspace, entry: ModuleEntry, stop: str
) -> None:
    image = load_photo(workspace.dataset.get_photo(1))
    maps = workspace.networks.explain(entry, image, stop).maps
    for feature, expected in enumerate(maps):
        alone = workspace.networks.draw_map(entry, image, feature, stop)
        np.testing.assert_allclose(alone, expected, rtol=1e-4, atol=1e-5 * expected.max())


def test_photos_of_any_size_can_be_explained(workspace: Workspace, entry: ModuleEntry) -> None:
    image = np.random.default_rng(0).integers(0, 255, (37, 301, 3), dtype=np.uint8)
    assert workspace.networks.explain(entry, image).maps.shape == (5, 128, 128)
    with pytest.raises(ExplorerError, match="'fc6'"):
        workspace.networks.explain(entry, image, "fc6")


def test_loading_in_two_threads_does_not_deadlock(
    tiny_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread loads the network, another a module, which needs the network."""
    shared = Workspace(tiny_workspace)
    (entry,) = shared.list_modules()
    load = shared.networks._load_classifier

    def load_slowly() -> Any:
        time.sleep(0.2)
        return load()

    monkeypatch.setattr(shared.networks, "_load_classifier", load_slowly)
    pool = ThreadPoolExecutor(2)
    tasks = [
        pool.submit(lambda: shared.networks.backbone),
        pool.submit(shared.networks.load_module, entry),
    ]
    done, _ = wait(tasks, timeout=20)
    pool.shutdown(wait=False)
    assert len(done) == 2
    assert tasks[0].result() is shared.networks.backbone


def test_threads_give_the_same_as_serial_calls(tiny_workspace: Path) -> None:
    """Browser sessions share a workspace and use it at the same time."""
    images = [load_photo(photo) for photo in Workspace(tiny_workspace).dataset.photos[::9]]
    serial = Workspace(tiny_workspace)
    (entry,) = serial.list_modules()
    expected = [serial.networks.explain(entry, image) for image in images]
    shared = Workspace(tiny_workspace)  # not loaded yet, so that loading is concurrent as well
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda image: shared.networks.explain(entry, image), images * 2))
    for one, other in zip(expected * 2, found, strict=True):
        np.testing.assert_allclose(one.maps, other.maps, rtol=1e-5, atol=1e-9)
        assert one.y_bar == pytest.approx(other.y_bar)


def test_concurrent_sessions_share_one_network(
    tiny_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = Workspace(tiny_workspace)
    (entry,) = shared.list_modules()
    load, loaded = shared.networks._load_classifier, []

    def load_slowly() -> Any:
        loaded.append(1)
        time.sleep(0.2)  # long enough for all others to call
        return load()

    monkeypatch.setattr(shared.networks, "_load_classifier", load_slowly)
    with ThreadPoolExecutor(8) as pool:
        backbones = list(pool.map(lambda _: shared.networks.backbone, range(8)))
        modules = list(pool.map(lambda _: shared.networks.load_module(entry)[0], range(8)))
    assert len(loaded) == 1
    assert len({id(one) for one in backbones}) == len({id(one) for one in modules}) == 1
