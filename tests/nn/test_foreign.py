import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bombs import Bomb
from safetensors.torch import save_file
from torch import nn

from explorer.nn import foreign
from explorer.nn.backbones.backbone import Backbone
from explorer.nn.backbones.build import name_tensors
from explorer.nn.foreign import load_foreign_backbone, load_foreign_weights
from explorer.nn.records import CheckpointError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "weights.pth"


def load(path: Path) -> dict[str, torch.Tensor]:
    return load_foreign_weights(path, "vgg_small").tensors


def make_state(prefix: str = "") -> dict[str, torch.Tensor]:
    return {
        f"{prefix}features.0.weight": torch.ones(2, dtype=torch.float16),
        f"{prefix}features.1.num_batches_tracked": torch.tensor(7),
    }


def check_state(found: dict[str, torch.Tensor]) -> None:
    assert list(found) == ["features.0.weight", "features.1.num_batches_tracked"]
    assert {tensor.dtype for tensor in found.values()} == {torch.float32}
    assert [tensor.tolist() for tensor in found.values()] == [[1, 1], 7]


@pytest.mark.parametrize("modern", [False, True])
@pytest.mark.parametrize(
    "prefix", ["", "module.", "model.", "_orig_mod.", "module._orig_mod.", "model.module."]
)
@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda state: state, id="plain"),
        pytest.param(OrderedDict, id="ordered"),
        pytest.param(lambda state: {"state_dict": state, "epoch": 3}, id="state_dict"),
        pytest.param(lambda state: {"model": state, "optimizer": {"lr": 1.0}}, id="model"),
        pytest.param(lambda state: {"net": state, "acc": 71.0}, id="net"),
        pytest.param(lambda state: {"model": {"state_dict": state}}, id="two layers"),
    ],
)
def test_a_state_dict_is_found(path: Path, wrap: Any, prefix: str, modern: bool) -> None:
    torch.save(wrap(make_state(prefix)), path, _use_new_zipfile_serialization=modern)
    check_state(load(path))


def test_safetensors_are_read_in_the_same_way(tmp_path: Path) -> None:
    save_file(make_state("module."), tmp_path / "weights.safetensors")
    check_state(load(tmp_path / "weights.safetensors"))


def test_a_prefix_of_only_some_names_is_kept(path: Path) -> None:
    torch.save({"model.a": torch.ones(1), "b": torch.ones(1)}, path)
    assert list(load(path)) == ["model.a", "b"]


@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_hostile_pth_is_never_executed(tmp_path: Path, path: Path, writer: str) -> None:
    target = tmp_path / "executed"
    content = {"classifier.6.bias": torch.zeros(2), "a": Bomb(target)}
    if writer == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(CheckpointError, match=r"torch\.save\(model\.state_dict"):
        load(path)
    assert not target.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([torch.ones(2)], "names to tensors"),
        (torch.ones(2), "names to tensors"),
        ({}, "names to tensors"),
        ({"state_dict": {}}, "names to tensors"),
        ({"epoch": 3}, "'epoch' is a int"),
        ({"features.0.weight": np.ones(2)}, "'features.0.weight' is an array or object"),
    ],
)
def test_pth_without_a_state_dict_is_refused(path: Path, content: object, words: str) -> None:
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=rf"state_dict.*{words}|{words}.*state_dict"):
        load(path)


@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: {"model": model, "epoch": 1}])
def test_a_pickled_network_is_refused_with_advice(path: Path, wrap: Any) -> None:
    torch.save(wrap(nn.Sequential(nn.Linear(2, 2))), path)
    with pytest.raises(
        CheckpointError,
        match=r"whole pickled model.*torch\.nn\.modules\..*run code.*torch\.save\(model\.state",
    ):
        load(path)


@pytest.mark.parametrize("modern", [False, True])
def test_truncated_pth_is_refused(path: Path, modern: bool) -> None:
    torch.save({"a": torch.ones(3)}, path, _use_new_zipfile_serialization=modern)
    data = path.read_bytes()
    for end in range(0, len(data) - 1, 7):
        path.write_bytes(data[:end])
        with pytest.raises(CheckpointError):
            load(path)


@pytest.mark.parametrize("name", ["missing.pth", "missing.safetensors"])
def test_missing_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(CheckpointError, match=f"no file .*{name}"):
        load(tmp_path / name)


@pytest.mark.parametrize(
    "value",
    [
        torch.ones(2, 2).to_sparse(),
        torch.ones(2, dtype=torch.complex64),
        torch.ones(2, device="meta"),
    ],
    ids=["sparse", "complex", "without values"],
)
def test_other_kinds_of_tensors_are_refused(path: Path, value: torch.Tensor) -> None:
    torch.save({"features.0.weight": value}, path)
    with pytest.raises(
        CheckpointError, match=r"'features\.0\.weight' is not a dense tensor|cannot be read"
    ):
        load(path)


def test_a_file_with_more_values_than_any_network_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign, "MAX_VALUES", 6)
    torch.save({"a": torch.ones(2), "b": torch.ones(1).expand(4)}, path)
    assert len(load(path)) == 2
    torch.save({"a": torch.ones(3), "b": torch.ones(1).expand(4)}, path)
    with pytest.raises(CheckpointError, match="holds 7 numbers, more than 6"):
        load(path)


@pytest.mark.parametrize("half", [None, False, True])
def test_a_foreign_network_keeps_its_weights(
    path: Path, small_backbone: Backbone, half: bool | None
) -> None:
    torch.save(name_tensors("vgg_small", small_backbone.layers), path)
    options = {} if half is None else {"half": half}
    found, report = load_foreign_backbone(
        path, small_backbone.architecture, small_backbone.categories, "fc7", **options
    )
    assert report == {"imported_from": "weights.pth", "notes": []}
    assert found.architecture == small_backbone.architecture
    assert found.categories == small_backbone.categories
    assert found.z_layer == "fc7"
    for one, own in zip(found.layers.parameters(), small_backbone.layers.parameters(), strict=True):
        assert torch.equal(one, own.half().float() if half else own)
