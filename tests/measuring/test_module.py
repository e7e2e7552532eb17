import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from explorer.config import ExplorerError
from explorer.measuring import module as measuring_module
from explorer.measuring.module import measure_module, rename_features
from explorer.measuring.records import load_module_measures
from explorer.methods.srae import SraeSettings
from explorer.training.modules.settings import TrainingSettings
from explorer.workspace.feature_batches import load_input
from explorer.workspace.layout import ModuleEntry, WorkspaceError
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


def test_metrics_equal_a_second_way_of_computing_them(
    workspace: Workspace, entry: ModuleEntry, run: Run
) -> None:
    metrics = load_module_measures(workspace, entry)
    assert metrics is not None
    module, record = workspace.networks.load_module(entry)
    index = workspace.dataset.categories.index(entry.category)
    architecture = workspace.networks.backbone.architecture
    for part in ("train", "test"):
        y_bar, y_hat, positives, contributions, activations = [], [], [], [], []
        for image_id in record.split[part]:
            photo = workspace.dataset.get_photo(image_id)
            pixels = torch.from_numpy(load_input(photo, architecture))[None]
            z, logits = workspace.networks.backbone.compute_features(pixels)
            outputs = module(z)
            y_hat.append(float(logits[0, index]))
            y_bar.append(float(outputs.y_bar[0]))
            contributions.append((outputs.x_features[0] * module.v.weight[0]).tolist())
            activations.append(outputs.x_features[0].tolist())
            positives.append(photo.category == entry.category)
        gap = np.abs(np.array(y_bar) - np.array(y_hat))
        found = {"train": metrics.train, "test": metrics.test}[part]
        assert found.faithfulness.f_reg == pytest.approx(gap.mean(), rel=1e-4)
        assert found.faithfulness.count == len(gap)
        spread = max(y_hat) - min(y_hat)
        assert found.faithfulness.relative_f_reg == pytest.approx(gap.mean() / spread, 1e-4)
        assert found.positives.f_reg == pytest.approx(gap[positives].mean(), rel=1e-4)
        np.testing.assert_allclose(
            found.mean_contribution,
            np.array(contributions)[positives].mean(axis=0),
            rtol=1e-3,
            atol=1e-5,
        )
        if part == "test":
            concepts, own = metrics.concepts, np.abs(np.array(contributions)[positives])
            assert concepts is not None
            shares = own / own.sum(axis=1, keepdims=True)
            assert concepts.top_share == pytest.approx(shares.max(axis=1).mean(), rel=1e-3)
            heights = np.array(metrics.locality.test.locality)
            sizes = own.sum(axis=0) * np.array(metrics.locality.test.is_defined)
            expected = float(sizes @ heights / sizes.sum())
            assert concepts.weighted_locality == pytest.approx(expected, rel=1e-3)
            assert concepts.overlap is None or 0 <= concepts.overlap <= 1
            of_features = np.array(activations)
            for measured, values in zip(metrics.firing, of_features.T, strict=True):
                pairs = values[positives][:, None] - values[np.invert(positives)]
                assert measured.auc == pytest.approx((np.sign(pairs) + 1).mean() / 2)
                at = [record.split["test"].index(image_id) for image_id in measured.strongest]
                assert values[at].tolist() == sorted(values[values > 0].tolist())[::-1][:4]
    own = {photo.image_id for photo in workspace.dataset.photos_of(entry.category)}
    where, count = metrics.locality.test, len(own & set(record.split["test"]))
    assert where.photo_counts == tuple(count - left for left in where.left_out)
    assert len(metrics.live) == len(metrics.names) == len(metrics.heats) == 5
    v = workspace.networks.read_weights(entry)
    assert [name.is_against for name in metrics.names] == (v < 0).tolist()


def test_few_training_photos_name_x_features(
    own_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Workspace(own_workspace)
    (entry,) = opened.list_modules()
    split = opened.load_record(entry).split
    own = [photo.image_id for photo in opened.dataset.photos_of(entry.category)]
    train, test = ([one for one in own if one in split[side]] for side in ("train", "test"))
    assert len(train) > 2
    monkeypatch.setattr(measuring_module, "_MOST_NAMING_PHOTOS", 2)
    steps = list(measure_module(opened, entry))
    drawn = [step.total for step in steps if step.stage == "Drawing heatmaps"]
    assert set(drawn) == {len(train[:: -(-len(train) // 2)]) + len(test)}
    assert load_module_measures(opened, entry) is not None


def test_measuring_again_gives_the_same_file(own_workspace: Path, run: Run) -> None:
    opened = Workspace(own_workspace)
    (entry,) = opened.list_modules()
    before, data = load_module_measures(opened, entry), entry.metrics_path.read_bytes()
    steps = list(measure_module(opened, entry))
    own = [step for step in steps if step.stage == "Drawing heatmaps"]
    assert [(step.done, step.total) for step in own] == [(n, 6) for n in range(1, 7)]
    assert {step.stage for step in steps[6:]} <= {"Drawing heatmaps of other birds"}
    after = load_module_measures(opened, entry)
    assert before is not None
    assert after == before
    assert entry.metrics_path.read_bytes() == data


def test_names_are_found_again_from_the_stored_heat(own_workspace: Path, run: Run) -> None:
    opened = Workspace(own_workspace)
    (entry,) = opened.list_modules()
    measured = run(measure_module(opened, entry))
    # Hardly trained, an x-feature may have no heat; which one depends on the number of threads.
    assert any(heat is not None for heat in measured.heats)
    data = entry.metrics_path.read_bytes()
    content = json.loads(data)
    for one in content["names"]:
        one["words"] = "something else"
    entry.metrics_path.write_text(json.dumps(content))
    assert run(rename_features(opened, entry))
    assert entry.metrics_path.read_bytes() == data


def test_heat_of_other_parts_and_none_cannot_name(own_workspace: Path, run: Run) -> None:
    opened = Workspace(own_workspace)
    (entry,) = opened.list_modules()
    content = json.loads(entry.metrics_path.read_text())
    short = {"shares": [1.0], "areas": [1.0], "outside": 0.0, "outside_area": 0.5}
    entry.metrics_path.write_text(json.dumps(content | {"heats": [short] * 5}))
    with pytest.raises(WorkspaceError, match="has 15 parts"):
        run(rename_features(opened, entry))
    entry.metrics_path.write_text(json.dumps(content | {"heats": []}))
    assert not run(rename_features(opened, entry))
    entry.metrics_path.unlink()
    assert not run(rename_features(opened, entry))


def test_metrics_have_no_nan(entry: ModuleEntry) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    json.loads(entry.metrics_path.read_text(), parse_constant=refuse)


def test_a_dead_module_is_measured_without_nan(own_workspace: Path, run: Run) -> None:
    opened = Workspace(own_workspace)
    (entry,) = opened.list_modules()
    module, _ = opened.networks.load_module(entry)
    for parameter in module.parameters():
        parameter.zero_()  # only in memory
    metrics = run(measure_module(opened, entry))
    assert metrics.live == (False,) * 5
    assert {name.kind for name in metrics.names} == {"unclear"}
    assert metrics.heats == (None,) * 5
    assert metrics.locality.test.mean_locality is None
    assert metrics.concepts is not None
    assert metrics.concepts.effective_number is None
    assert metrics.concepts.silent_photos == 1
    json.loads(entry.metrics_path.read_text())


def test_a_module_with_a_split_of_other_photos_is_refused(own_workspace: Path, run: Run) -> None:
    opened = Workspace(own_workspace)
    (entry,) = opened.list_modules()
    _, record = opened.networks.load_module(entry)
    record.split["test"][0] = 12345
    with pytest.raises(ExplorerError, match="12345"):
        run(measure_module(opened, entry))
