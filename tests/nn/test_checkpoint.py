import errno
import json
import os
import pickle
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from bombs import Bomb
from safetensors.torch import save_file
from torch import nn

from explorer.nn import checkpoint
from explorer.nn.backbones.backbone import Backbone, compute_sha256
from explorer.nn.checkpoint import (
    load_backbone,
    load_module,
    load_tensors,
    round_to_half,
    save_backbone,
    save_module,
    save_tensors,
)
from explorer.nn.foreign import load_foreign_weights
from explorer.nn.records import CheckpointError, ModuleRecord, load_module_record
from explorer.nn.settings import ModuleShape
from explorer.nn.srae import ExplanationModule

KEY = "srae_explorer"


@pytest.fixture
def module(small_backbone: Backbone) -> ExplanationModule:
    generator = torch.Generator().manual_seed(0)
    return ExplanationModule(small_backbone.z_size, ModuleShape(widths=(16, 8)), generator)


@pytest.fixture
def record(module: ExplanationModule, small_backbone: Backbone) -> ModuleRecord:
    return ModuleRecord(
        category=small_backbone.categories[0],
        z_layer="fc6",
        backbone_sha256=small_backbone.sha256,
        settings=asdict(module.settings),
        training={"epochs": 2, "seed": 3},
        split={"train": [1, 2, 5], "test": [7]},
    )


@pytest.fixture
def saved(tmp_path: Path, module: ExplanationModule, record: ModuleRecord) -> Path:
    path = tmp_path / "runs" / "module.safetensors"
    save_module(path, module, record)
    return path


def read_header(path: Path) -> dict[str, Any]:
    """Read the JSON header without any code of the explorer."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header: dict[str, Any] = json.loads(json.loads(data[8 : 8 + size])["__metadata__"][KEY])
    return header


def rewrite_header(path: Path, **changes: Any) -> None:
    """Replace fields of the header; None removes one."""
    tensors, _ = load_tensors(path)
    header = {**read_header(path), **changes}
    header = {name: value for name, value in header.items() if value is not None}
    save_file(tensors, path, {KEY: json.dumps(header)})


def test_module_round_trip_is_exact(
    saved: Path, module: ExplanationModule, record: ModuleRecord, small_backbone: Backbone
) -> None:
    loaded, found = load_module(saved, small_backbone)
    hashed = replace(record, weights_sha256=compute_sha256(module.state_dict()))
    # JSON knows lists, not tuples.
    assert asdict(found) == json.loads(json.dumps(asdict(hashed)))
    assert load_module_record(saved) == found
    assert loaded.settings == module.settings
    for name, tensor in module.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_a_module_with_a_base_round_trips_and_an_older_one_has_none(
    tmp_path: Path, small_backbone: Backbone, record: ModuleRecord
) -> None:
    shape = ModuleShape(widths=(16, 8), has_base=True)
    module = ExplanationModule(small_backbone.z_size, shape, torch.Generator().manual_seed(3))
    path = tmp_path / "module.safetensors"
    save_module(path, module, replace(record, settings=record.settings | {"has_base": True}))
    loaded, _ = load_module(path, small_backbone)
    assert torch.equal(loaded.v.bias, module.v.bias)
    # A file that does not say so has no base, and one with a base that does not fit is refused.
    save_module(path, module, record)
    with pytest.raises(CheckpointError, match=r"'v\.bias'"):
        load_module(path, small_backbone)
    save_module(path, module, replace(record, settings=record.settings | {"has_base": "yes"}))
    with pytest.raises(CheckpointError, match="has_base"):
        load_module(path, small_backbone)


def test_half_precision_is_exact_after_rounding(
    tmp_path: Path, module: ExplanationModule, record: ModuleRecord, small_backbone: Backbone
) -> None:
    original = module.v.weight.detach().clone()
    round_to_half(module)
    torch.testing.assert_close(module.v.weight.detach(), original, rtol=1e-3, atol=1e-4)
    assert module.v.weight.dtype == torch.float32
    save_module(tmp_path / "full.safetensors", module, record)
    save_module(tmp_path / "half.safetensors", module, record, half=True)
    loaded, _ = load_module(tmp_path / "half.safetensors", small_backbone)
    for name, tensor in module.state_dict().items():
        assert loaded.state_dict()[name].dtype == torch.float32
        assert torch.equal(loaded.state_dict()[name], tensor)
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("full", "half")]
    assert sizes[1] < 0.6 * sizes[0]


def test_values_too_large_for_half_are_refused(module: ExplanationModule) -> None:
    nn.init.constant_(module.v.weight, 1e6)
    with pytest.raises(CheckpointError, match="half precision"):
        round_to_half(module)


def test_classifier_round_trip_is_exact(tmp_path: Path, small_backbone: Backbone) -> None:
    path = tmp_path / "classifier.safetensors"
    save_backbone(path, small_backbone, {"test_accuracy": 0.9})
    loaded, training = load_backbone(path, z_layer="fc7")
    assert training == {"test_accuracy": 0.9}
    assert loaded.sha256 == small_backbone.sha256
    assert loaded.categories == small_backbone.categories
    assert loaded.architecture == small_backbone.architecture
    assert loaded.z_layer == "fc7"
    images = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(1))
    assert torch.equal(
        loaded.compute_features(images)[1], small_backbone.compute_features(images)[1]
    )


def test_a_classifier_without_a_training_record_opens_at_fc6(
    tmp_path: Path, small_backbone: Backbone
) -> None:
    path = tmp_path / "classifier.safetensors"
    save_backbone(path, small_backbone, {})
    rewrite_header(path, training=None)
    loaded, training = load_backbone(path)
    assert loaded.z_layer == "fc6"
    assert training == {}


def test_a_classifier_in_half_precision_has_half_the_size(
    tmp_path: Path, small_backbone: Backbone
) -> None:
    sizes = []
    for half in (False, True):
        save_backbone(tmp_path / "a.safetensors", small_backbone, {}, half=half)
        sizes.append((tmp_path / "a.safetensors").stat().st_size)
    assert 0.49 * sizes[0] < sizes[1] < 0.51 * sizes[0]


def test_a_classifier_with_integer_weights_is_refused(
    tmp_path: Path, small_backbone: Backbone
) -> None:
    path = tmp_path / "classifier.safetensors"
    save_backbone(path, small_backbone, {})
    tensors, header = load_tensors(path)[0], read_header(path)
    tensors["classifier.6.bias"] = tensors["classifier.6.bias"].int()
    save_file(tensors, path, {KEY: json.dumps(header)})
    with pytest.raises(CheckpointError, match="bias' holds integers, not weights"):
        load_backbone(path)


def test_classifier_tensors_have_the_names_of_torchvision(
    tmp_path: Path, small_backbone: Backbone
) -> None:
    path = tmp_path / "classifier.safetensors"
    save_backbone(path, small_backbone, {})
    names = {name.rpartition(".")[0] for name in load_foreign_weights(path, "vgg_small").tensors}
    convolutions = {f"features.{n}" for n in (0, 3, 6, 8, 11, 13)}
    assert names == convolutions | {"classifier.0", "classifier.3", "classifier.6"}


def test_header_records_the_origin_of_a_module(saved: Path, record: ModuleRecord) -> None:
    header = read_header(saved)
    assert header["schema_version"] == 1
    assert header["kind"] == "module"
    assert header["libraries"] == {
        name: version(name) for name in ("torch", "numpy", "safetensors")
    }
    assert header["split"] == record.split
    assert header["settings"]["widths"] == [16, 8]
    assert header["backbone_sha256"] == record.backbone_sha256


def test_changed_weights_are_refused(saved: Path, small_backbone: Backbone) -> None:
    tensors, header = load_tensors(saved)[0], read_header(saved)
    tensors["v.weight"][0, 0] += 1e-3
    save_file(tensors, saved, {KEY: json.dumps(header)})
    with pytest.raises(CheckpointError, match=r"module\.safetensors is damaged: its weights"):
        load_module(saved, small_backbone)


def test_a_module_without_a_hash_of_its_weights_opens(
    saved: Path, small_backbone: Backbone, record: ModuleRecord
) -> None:
    rewrite_header(saved, weights_sha256=None)
    assert load_module(saved, small_backbone)[1].weights_sha256 == ""
    assert load_module_record(saved).category == record.category


@pytest.mark.parametrize("field", ["category", "z_layer", "backbone_sha256", "weights_sha256"])
def test_header_fields_are_text(saved: Path, field: str) -> None:
    rewrite_header(saved, **{field: 7})
    with pytest.raises(
        CheckpointError, match=rf"module\.safetensors .*at '{field}', expected a string"
    ):
        load_module_record(saved)


def test_module_of_another_network_is_refused(saved: Path, small_backbone: Backbone) -> None:
    rewrite_header(saved, backbone_sha256="0" * 64)
    with pytest.raises(CheckpointError, match=r"another network.*0{12}….*Train the module again"):
        load_module(saved, small_backbone)


def test_module_of_another_layer_is_refused(saved: Path, small_backbone: Backbone) -> None:
    with pytest.raises(CheckpointError, match=r"layer fc6.*explains fc7"):
        load_module(saved, replace(small_backbone, z_layer="fc7"))


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.999])
def test_truncated_file_is_refused(saved: Path, small_backbone: Backbone, share: float) -> None:
    data = saved.read_bytes()
    saved.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        load_module(saved, small_backbone)


def test_garbage_is_refused(saved: Path, small_backbone: Backbone) -> None:
    saved.write_text("This is not a tensor. " * 20)
    for load in (lambda: load_module(saved, small_backbone), lambda: load_module_record(saved)):
        with pytest.raises(CheckpointError, match=r"module\.safetensors is not a readable"):
            load()


def test_pickle_in_disguise_is_never_opened(tmp_path: Path, small_backbone: Backbone) -> None:
    path, target = tmp_path / "module.safetensors", tmp_path / "executed"
    path.write_bytes(pickle.dumps({"a": Bomb(target)}))
    for load in (
        load_tensors,
        load_module_record,
        load_backbone,
        partial(load_foreign_weights, architecture="vgg_small"),
    ):
        with pytest.raises(CheckpointError):
            load(path)
    assert not target.exists()


@pytest.mark.parametrize("schema", [2, 0, "1", 1.5])
def test_unknown_format_is_refused(saved: Path, small_backbone: Backbone, schema: object) -> None:
    rewrite_header(saved, schema_version=schema)
    with pytest.raises(CheckpointError, match="Update the explorer"):
        load_module(saved, small_backbone)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(
    saved: Path,
    module: ExplanationModule,
    record: ModuleRecord,
    small_backbone: Backbone,
    value: float,
) -> None:
    nn.init.constant_(module.v.weight, value)
    save_module(saved, module, record)
    with pytest.raises(CheckpointError, match=r"'v\.weight' holds NaN"):
        load_module(saved, small_backbone)


@pytest.mark.parametrize(
    "field", ["category", "z_layer", "backbone_sha256", "settings", "training", "split"]
)
def test_missing_header_field_is_named(saved: Path, small_backbone: Backbone, field: str) -> None:
    rewrite_header(saved, **{field: None})
    with pytest.raises(CheckpointError, match=rf"module\.safetensors.*lacks '{field}'"):
        load_module(saved, small_backbone)
    with pytest.raises(CheckpointError, match=rf"module\.safetensors.*lacks '{field}'"):
        load_module_record(saved)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ([1], "an invalid description: at 'settings', expected an object"),
        ("srae", "an invalid description: at 'settings', expected an object"),
        ({}, "contradicts its own description: its settings lack 'x_features'"),
        ({"x_features": 5}, "contradicts its own description: its settings lack 'widths'"),
        ({"x_features": 5, "widths": 3}, "contradicts its own description"),
        ({"x_features": 5, "widths": ["a"]}, "contradicts its own description"),
        ({"x_features": 5, "widths": [16, 9]}, "contradicts its own .*the settings require"),
        ({"x_features": 6, "widths": [16, 8]}, "contradicts its own .*the settings require"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    saved: Path, small_backbone: Backbone, settings: object, words: str
) -> None:
    rewrite_header(saved, settings=settings)
    with pytest.raises(CheckpointError, match=words):
        load_module(saved, small_backbone)


@pytest.mark.parametrize("text", ["{", "[1]", "3"])
def test_damaged_header_is_refused(tmp_path: Path, small_backbone: Backbone, text: str) -> None:
    path = tmp_path / "module.safetensors"
    save_file({"a": torch.ones(2)}, path, {KEY: text})
    with pytest.raises(CheckpointError, match=r"module\.safetensors"):
        load_module(path, small_backbone)
    with pytest.raises(CheckpointError, match=r"module\.safetensors"):
        load_module_record(path)


def test_classifier_and_module_are_not_confused(
    saved: Path, tmp_path: Path, small_backbone: Backbone
) -> None:
    classifier = tmp_path / "classifier.safetensors"
    save_backbone(classifier, small_backbone, {})
    with pytest.raises(CheckpointError, match="not an explanation module"):
        load_module(classifier, small_backbone)
    with pytest.raises(CheckpointError, match="not an explanation module"):
        load_module_record(classifier)
    with pytest.raises(CheckpointError, match="not a classifier"):
        load_backbone(saved)


@pytest.mark.parametrize(
    "changes",
    [
        {"categories": ["one"]},
        {"categories": 7},
        {"architecture": None},
        {"architecture": "resnet50"},
        {"training": 7},
    ],
)
def test_damaged_classifier_header_is_refused(
    tmp_path: Path, small_backbone: Backbone, changes: dict[str, Any]
) -> None:
    path = tmp_path / "classifier.safetensors"
    save_backbone(path, small_backbone, {})
    rewrite_header(path, **changes)
    with pytest.raises(CheckpointError, match=r"classifier\.safetensors"):
        load_backbone(path)


def test_a_classifier_without_categories_is_refused(
    tmp_path: Path, small_backbone: Backbone
) -> None:
    path = tmp_path / "classifier.safetensors"
    save_backbone(path, small_backbone, {})
    rewrite_header(path, categories=None)
    with pytest.raises(CheckpointError, match=r"classifier\.safetensors.*there are 0 categories"):
        load_backbone(path)


def test_a_file_with_too_many_values_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"a": torch.ones(2, 3), "b": torch.ones(4)}, path)
    assert set(load_tensors(path, max_values=10)[0]) == {"a", "b"}
    with pytest.raises(CheckpointError, match=r"weights\.safetensors"):
        load_tensors(path, max_values=9)


def test_header_of_a_foreign_file_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file({"a": torch.ones(2, dtype=torch.float64)}, path, {"format": "pt"})
    tensors, header = load_tensors(path)
    assert header == {}
    assert tensors["a"].dtype == torch.float32


def test_a_full_disk_leaves_only_the_old_file(
    saved: Path,
    module: ExplanationModule,
    record: ModuleRecord,
    small_backbone: Backbone,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = saved.read_bytes()

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    nn.init.ones_(module.v.weight)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space left"):
            save_module(saved, module, record)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]
    save_module(saved, module, record)
    assert load_module(saved, small_backbone)[0].v.weight.tolist() == [[1.0] * 5]


def test_saving_does_not_change_the_tensors(tmp_path: Path) -> None:
    tensor = torch.full((3,), 1 / 3)
    save_tensors(tmp_path / "a.safetensors", {"a": tensor.expand(2, 3)}, {}, half=True)
    assert tensor.dtype == torch.float32
    assert float(tensor[0]) == pytest.approx(1 / 3, abs=1e-8)
    assert load_tensors(tmp_path / "a.safetensors")[0]["a"].shape == (2, 3)


def test_the_same_module_gives_the_same_bytes(
    saved: Path, tmp_path: Path, module: ExplanationModule, record: ModuleRecord
) -> None:
    save_module(tmp_path / "again.safetensors", module, record)
    assert (tmp_path / "again.safetensors").read_bytes() == saved.read_bytes()


def test_pickle_is_not_imported() -> None:
    assert not hasattr(checkpoint, "pickle")
