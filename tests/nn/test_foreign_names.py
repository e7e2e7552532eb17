"""Weights as other programs store them; see `test_foreign.py` for damaged and hostile files."""

import argparse
import datetime
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from explorer.nn.backbones.build import build_network
from explorer.nn.backbones.vgg_small import VGG_SMALL
from explorer.nn.foreign import load_foreign_backbone, load_foreign_weights
from explorer.nn.records import CheckpointError

State = dict[str, torch.Tensor]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "weights.pth"


@pytest.fixture(scope="module")
def state() -> State:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = build_network("vgg_small", 4, batch_norm=False)
    return dict(network.state_dict())


def check(path: Path, expected: State, architecture: str = "vgg_small") -> list[str]:
    """Check that a file gives the expected tensors; return the notes."""
    found = load_foreign_weights(path, architecture)
    assert found.tensors.keys() == expected.keys()
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in expected.items())
    return list(found.notes)


def rename(state: State, *pairs: tuple[str, str]) -> State:
    """Replace the beginnings of names, each by the first pair that fits."""
    renamed = {}
    for name, tensor in state.items():
        old, new = next(pair for pair in (*pairs, ("", "")) if name.startswith(pair[0]))
        renamed[new + name.removeprefix(old)] = tensor
    return renamed


def load_as_backbone(path: Path) -> None:
    load_foreign_backbone(path, VGG_SMALL, tuple("abcd"), "fc6")


@pytest.mark.parametrize(
    "pairs",
    [
        [("features.", "features.module.")],
        [("features.", "module.features._orig_mod."), ("", "module.")],
        [
            ("features.", "_fsdp_wrapped_module.features._fsdp_wrapped_module."),
            ("", "_fsdp_wrapped_module."),
        ],
        [("", "backbone.")],
        [("", "student.encoder.model._orig_mod.")],
    ],
)
@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_wrappers_are_removed_wherever_they_stand(
    tmp_path: Path, state: State, pairs: list[tuple[str, str]], ending: str
) -> None:
    path = tmp_path / f"weights{ending}"
    renamed = rename(state, *pairs)
    (save_file if ending == ".safetensors" else torch.save)(renamed, path)
    assert check(path, state) == []


@pytest.mark.parametrize(
    ("prefix", "others", "note"),
    [
        ("model.", {"criterion.weight": torch.ones(4)}, "'criterion.weight'."),
        ("", {"criterion.weight": torch.ones(4)}, "'criterion.weight'."),
        ("backbone.", {"val_acc.confmat": torch.ones(4, 4)}, "'val_acc.confmat'."),
        ("module.", {"n_averaged": torch.tensor(5)}, "'n_averaged'."),
        ("", {"features.0.total_ops": torch.ones(1)}, "'features.0.total_ops'."),
        ("", {"total_ops": torch.ones(1), "total_params": torch.ones(1)}, "'total_params'."),
        ("model.", {"ema.features.0.weight": torch.ones(32, 3, 3, 3)}, "'ema.features.0.weight'."),
    ],
)
def test_tensors_beside_the_network_are_left_out_with_a_note(
    path: Path, state: State, prefix: str, others: State, note: str
) -> None:
    torch.save({"state_dict": {**rename(state, ("", prefix)), **others}}, path)
    (found,) = check(path, state)
    assert found.startswith("Left out, as no part of the network: ")
    assert found.endswith(note)


def test_the_rest_of_a_checkpoint_is_left_out(path: Path, state: State) -> None:
    moments = {index: {"exp_avg": torch.ones(2)} for index in range(3)}
    content = {
        "arch": "vgg_small",
        "weights": state,
        "state_dict_ema": {name: tensor + 1 for name, tensor in state.items()},
        "optimizer": {"state": moments, "param_groups": [{"lr": 0.1}]},
        "best_acc": np.float64(0.7),
        "confusion": np.eye(3),
        "args": argparse.Namespace(lr=0.1, out=Path("somewhere")),
        "date": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    }
    torch.save(content, path)
    (note,) = check(path, state)
    assert "'state_dict_ema' (18 tensors), 'optimizer' (3 tensors)" in note


def test_a_checkpoint_with_an_average_beside_the_weights_gives_the_weights(
    path: Path, state: State
) -> None:
    average = {name: tensor + 1 for name, tensor in state.items()}
    torch.save({**rename(average, ("", "ema.")), **rename(state, ("", "model."))}, path)
    (note,) = check(path, state)
    assert "'ema' (18 tensors)" in note


def test_what_stands_for_other_objects_is_forgotten_by_pytorch(path: Path) -> None:
    torch.save({"features.0.weight": torch.ones(1), "args": argparse.Namespace()}, path)
    before = set(torch.serialization.get_safe_globals())
    assert list(load_foreign_weights(path, "vgg_small").tensors) == ["features.0.weight"]
    assert set(torch.serialization.get_safe_globals()) == before
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)


@pytest.mark.parametrize(
    "pairs",
    [
        [("classifier.0", "classifier.1"), ("classifier.3", "classifier.4")],
        [("classifier.3", "classifier.2"), ("classifier.6", "classifier.4")],
        [("classifier.6", "classifier.6.1")],
        [("classifier.6", "head")],
        [
            ("classifier.0", "pre_logits.fc1"),
            ("classifier.3", "pre_logits.fc2"),
            ("classifier.6", "head.fc"),
        ],
    ],
)
def test_connected_layers_with_other_names_are_recognised_with_a_note(
    path: Path, state: State, pairs: list[tuple[str, str]]
) -> None:
    torch.save(dict(sorted(rename(state, *pairs).items())), path)
    (note,) = check(path, state)
    assert all(f"'{new}' as '{old}'" in note for old, new in pairs)


def test_connected_layers_that_timm_stores_as_convolutions_are_recognised(
    path: Path, state: State
) -> None:
    stored = rename(state, ("classifier.0", "pre_logits.fc1"))
    stored["pre_logits.fc1.weight"] = stored["pre_logits.fc1.weight"].reshape(512, 256, 4, 4)
    torch.save(stored, path)
    (note,) = check(path, state)
    assert "'pre_logits.fc1' as 'classifier.0'" in note


def test_a_residual_network_with_a_head_of_several_layers_is_recognised(path: Path) -> None:
    state = dict(build_network("resnet18", 3, batch_norm=True).state_dict())
    torch.save(rename(state, ("fc.", "fc.1.")), path)
    expected = {name: tensor.float() for name, tensor in state.items()}
    assert check(path, expected, "resnet18") == [
        "Layers were recognised by their shapes: 'fc.1' as 'fc'."
    ]


def test_layers_that_could_be_one_or_another_are_not_guessed(path: Path) -> None:
    state = dict(build_network("vgg_small", 512, batch_norm=False).state_dict())
    torch.save(rename(state, ("classifier.3", "fc.a"), ("classifier.6", "fc.b")), path)
    with pytest.raises(CheckpointError, match=r"weights\.pth: .*no 'classifier\.6\.weight'"):
        load_as_backbone(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"features.99.weight": torch.ones(2)}, r"'features\.99\.weight', which the network does"),
        ({"attention.weight": torch.ones(2)}, r"'attention\.weight', which the network does not"),
        ({"features.3.weight": None}, r"no 'features\.3\.weight'\. Expected is a vgg_small"),
        (
            {"features.3.weight": None, "features.3.weight_orig": torch.ones(64, 32, 3, 3)},
            r"no 'features\.3\.weight', but 'features\.3\.weight_orig'",
        ),
        ({"classifier.6.bias": None}, r"no 'classifier\.6\.bias'.*The convolutions fit, the rest"),
    ],
)
def test_a_network_that_does_not_fit_is_refused_by_file_and_name(
    path: Path, state: State, change: dict[str, torch.Tensor | None], words: str
) -> None:
    torch.save({name: t for name, t in (state | change).items() if t is not None}, path)
    with pytest.raises(CheckpointError, match=rf"weights\.pth: .*{words}"):
        load_as_backbone(path)


def test_two_networks_with_nothing_to_choose_between_are_refused(path: Path, state: State) -> None:
    torch.save({"teacher": state, "student": {name: t + 1 for name, t in state.items()}}, path)
    with pytest.raises(CheckpointError, match=r"pth: There are 2 networks, .*'teacher'.*'student'"):
        load_as_backbone(path)


def test_a_tensor_that_is_there_twice_is_refused(path: Path, state: State) -> None:
    again = {"features.module.0.weight": state["features.0.weight"] + 1}
    torch.save({**state, **again}, path)
    with pytest.raises(CheckpointError, match=r"Two tensors are called 'features\.0\.weight'"):
        load_as_backbone(path)


@pytest.mark.parametrize("name", ["MODEL.SAFETENSORS", "model.pth", "model"])
def test_safetensors_are_known_by_their_content(tmp_path: Path, state: State, name: str) -> None:
    save_file(state, tmp_path / name)
    assert check(tmp_path / name, state) == []


@pytest.mark.parametrize("modern", [False, True])
def test_a_pth_called_safetensors_is_known_by_its_content(
    tmp_path: Path, state: State, modern: bool
) -> None:
    path = tmp_path / "model.safetensors"
    torch.save(state, path, _use_new_zipfile_serialization=modern)
    assert check(path, state) == []


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_torchscript_is_named(path: Path) -> None:
    torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)), path)
    with pytest.raises(CheckpointError, match=r"pth is a TorchScript file.*torch\.jit\.load"):
        load_as_backbone(path)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 9\n", "`git lfs pull`"),
        (b"<!DOCTYPE html><html><title>Quota exceeded</title></html>", "n HTML page"),
        (b"\x89HDF\r\n\x1a\n" + bytes(90), "n HDF5 file"),
        (b"\x1f\x8b" + bytes(90), " gzip archive"),
    ],
)
def test_files_of_another_kind_are_named(path: Path, content: bytes, kind: str) -> None:
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"weights\.pth is a.*{kind}"):
        load_as_backbone(path)


def test_dictionaries_in_dictionaries_end(path: Path) -> None:
    inner: dict[str, Any] = {"features.0.weight": torch.ones(2)}
    for _ in range(4):
        inner = {"state_dict": inner, "model": inner, "net": inner}
    inner["self"] = inner
    torch.save(inner, path)
    assert list(load_foreign_weights(path, "vgg_small").tensors) == ["features.0.weight"]
    for _ in range(8):
        inner = {"state_dict": inner}
    torch.save(inner, path)
    with pytest.raises(CheckpointError, match="does not hold a state_dict"):
        load_foreign_weights(path, "vgg_small")
