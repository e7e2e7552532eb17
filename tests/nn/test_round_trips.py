"""Stored values are restored bit by bit, and storing them again gives the same bytes."""

import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor

from explorer.nn.backbones.backbone import Backbone, compute_sha256
from explorer.nn.checkpoint import load_module, load_tensors, save_module, save_tensors
from explorer.nn.records import ModuleRecord
from explorer.nn.settings import ModuleShape
from explorer.nn.srae import ExplanationModule

CASES = settings(max_examples=60)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | NAMES | NUMBERS
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)
)


@st.composite
def float_tensors(draw: st.DrawFn, width: int) -> Tensor:
    """Draw a tensor of finite values and any shape, possibly zero-dimensional or empty."""
    shape = draw(arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    elements = st.floats(allow_nan=False, allow_infinity=False, width=width)
    array = draw(arrays.arrays(np.dtype(f"float{width}"), shape, elements=elements))
    return torch.from_numpy(np.asarray(array))


def read_bits(tensors: dict[str, Tensor]) -> dict[str, tuple[tuple[int, ...], bytes]]:
    """Distinguish minus zero from zero, unlike `torch.equal`."""
    return {n: (tuple(t.shape), t.float().numpy().tobytes()) for n, t in tensors.items()}


def store(save: Callable[[Path], None], load: Callable[[Path], Any]) -> tuple[Any, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.safetensors"
        save(path)
        return load(path), path.read_bytes()


@CASES
@given(st.dictionaries(NAMES, float_tensors(32)), st.dictionaries(NAMES, VALUES, max_size=3))
def test_tensors_and_header_are_restored(
    tensors: dict[str, Tensor], header: dict[str, Any]
) -> None:
    (restored, found), first = store(lambda path: save_tensors(path, tensors, header), load_tensors)
    assert read_bits(restored) == read_bits(tensors)
    assert {name: found[name] for name in header} == header
    _, second = store(lambda path: save_tensors(path, restored, header), load_tensors)
    assert second == first


@CASES
@given(st.dictionaries(NAMES, float_tensors(16)))
def test_rounded_values_are_restored_from_half_precision(tensors: dict[str, Tensor]) -> None:
    (restored, _), _ = store(lambda path: save_tensors(path, tensors, {}, half=True), load_tensors)
    assert read_bits(restored) == read_bits(tensors)


modules = st.builds(
    ModuleShape,
    x_features=st.integers(1, 6),
    widths=st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple),
)


@st.composite
def splits(draw: st.DrawFn) -> dict[str, list[int]]:
    ids = draw(st.lists(st.integers(0, 2**63 - 1), min_size=2, max_size=12, unique=True))
    cut = draw(st.integers(1, len(ids) - 1))
    return {"train": ids[:cut], "test": ids[cut:]}


@CASES
@given(modules, st.integers(0, 2**31), splits(), st.dictionaries(NAMES, VALUES, max_size=3))
def test_modules_and_records_are_restored(
    small_backbone: Backbone,
    shape: ModuleShape,
    seed: int,
    split: dict[str, list[int]],
    training: dict[str, Any],
) -> None:
    generator = torch.Generator().manual_seed(seed)
    module = ExplanationModule(small_backbone.z_size, shape, generator)
    described = {**asdict(shape), "widths": list(shape.widths)}
    record = ModuleRecord(
        small_backbone.categories[0], "fc6", small_backbone.sha256, described, training, split
    )
    (restored, found), first = store(
        lambda path: save_module(path, module, record),
        lambda path: load_module(path, small_backbone),
    )
    assert found == replace(record, weights_sha256=compute_sha256(module.state_dict()))
    assert restored.settings == shape
    assert read_bits(restored.state_dict()) == read_bits(module.state_dict())
    z = torch.rand(3, small_backbone.z_size, generator=generator)
    assert torch.equal(restored(z).y_bar, module(z).y_bar)
    _, second = store(
        lambda path: save_module(path, restored, found),
        lambda path: load_module(path, small_backbone),
    )
    assert second == first
