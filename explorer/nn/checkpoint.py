"""Saving and loading networks as safetensors files with a versioned JSON header; no pickle."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from explorer.config import ExplorerError
from explorer.nn.backbones.backbone import Backbone, compute_sha256
from explorer.nn.backbones.build import build_network_from_weights, flatten_network, name_tensors
from explorer.nn.backbones.registry import get_architecture, get_family
from explorer.nn.records import (
    HEADER_KEY,
    MAX_VALUES,
    SCHEMA_VERSION,
    CheckpointError,
    ModuleRecord,
    WeightsHeader,
    load_weights_header,
    pack_ids,
    parse_header,
    parse_module_record,
)
from explorer.nn.settings import read_shape
from explorer.nn.srae import ExplanationModule
from explorer.storage.writing import write_bytes

_LIBRARIES = ("torch", "numpy", "safetensors")
_MAX_MODULE_VALUES = 2**27  # a module for VGG19 has 7 million
_MAX_LAYERS = 32
_MAX_WIDTH = 2**20


def save_tensors(
    path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any], *, half: bool = False
) -> None:
    """Write `tensors` with `header`, atomically.

    Parameters
    ----------
    path : Path
        File to write, ``*.safetensors``.
    tensors : Mapping[str, Tensor]
        Floating-point tensors on any device.
    header : Mapping
        JSON-serialisable; the schema version and library versions are added.
    half : bool
        Whether to store float16. The caller must have rounded the values (see `round_to_half`), so
        that measures taken before saving stay valid.
    """
    dtype = torch.float16 if half else torch.float32
    stored = {name: t.detach().to("cpu", dtype).contiguous() for name, t in tensors.items()}
    full = {
        "schema_version": SCHEMA_VERSION,
        "libraries": {name: version(name) for name in _LIBRARIES},
        **header,
    }
    write_bytes(path, save(stored, {HEADER_KEY: json.dumps(full, ensure_ascii=False)}))


def load_tensors(
    path: Path, *, max_values: int = MAX_VALUES, only_floats: bool = False
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors, as float32, and the header from a safetensors file.

    Parameters
    ----------
    path : Path
        The file.
    max_values : int
        Maximum number of values.
    only_floats : bool
        Whether to refuse integer tensors.

    Raises
    ------
    CheckpointError
        When the file is missing, damaged, written by a newer version or has non-finite values. The
        header of a file that the explorer did not write is empty.
    """
    found = load_weights_header(path, max_values)
    header = parse_header(path, found)
    if only_floats and found.integer_tensors:
        name = found.integer_tensors[0][:80]
        raise CheckpointError(f"{path}: {name!r} holds integers, not weights.")
    tensors = _read_tensors(path)
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise CheckpointError(
                f"{path}: {name!r} holds NaN or infinite values. Replace the file with an intact "
                "copy, or create it again."
            )
    return tensors, header


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name).to(torch.float32) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is not a readable safetensors file: {error}.") from error


def round_to_half(module: torch.nn.Module) -> None:
    """Round every parameter to the nearest float16 value, in place.

    Raises
    ------
    CheckpointError
        When a value is too large for float16.
    """
    for parameter in module.parameters():
        rounded = parameter.data.to(torch.float16).to(parameter.dtype)
        if not torch.isfinite(rounded).all():
            raise CheckpointError("A weight is too large for half precision.")
        parameter.data = rounded


def save_backbone(
    path: Path, backbone: Backbone, training: Mapping[str, Any], *, half: bool = False
) -> None:
    """Write a classifier with batch norm folded, and tensors named as in torchvision."""
    header = {
        "kind": "classifier",
        "architecture": backbone.architecture.name,
        "categories": list(backbone.categories),
        "training": dict(training),
    }
    tensors = name_tensors(backbone.architecture.name, backbone.layers)
    save_tensors(path, tensors, header, half=half)


def load_backbone(path: Path, *, z_layer: str = "") -> tuple[Backbone, dict[str, Any]]:
    """Read a classifier from `save_backbone`; the default Z layer is that of its family.

    Returns
    -------
    backbone : Backbone
        On the CPU, in float32.
    training : dict
        How it was trained, and its results, as given to `save_backbone`.
    """
    tensors, header = load_tensors(path, only_floats=True)
    if header.get("kind") != "classifier":
        raise CheckpointError(f"{path} is not a classifier written by the explorer.")
    try:
        architecture = get_architecture(str(header.get("architecture")))
        network = build_network_from_weights(architecture.name, tensors)
        categories = tuple(map(str, header.get("categories", ())))
        layers, z_layer = flatten_network(network), z_layer or get_family(architecture.name).z_layer
        backbone = Backbone(architecture, layers, categories, z_layer)
        training = dict(header.get("training", {}))
    except (ExplorerError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    return backbone, training


def save_module(
    path: Path,
    module: ExplanationModule,
    record: ModuleRecord,
    *,
    half: bool = False,
    is_compact: bool = False,
) -> None:
    """Write an explanation module with everything needed to verify and to reproduce it.

    The hash of the weights in the record is computed here. A compact header holds the split as
    text of a twentieth of the size (see `explorer.nn.records.pack_ids`).
    """
    weights = module.state_dict()
    header = {"kind": "module", **asdict(record), "weights_sha256": compute_sha256(weights)}
    if is_compact:
        header["split"] = {side: pack_ids(ids) for side, ids in record.split.items()}
    save_tensors(path, weights, header, half=half)


def load_module(path: Path, backbone: Backbone) -> tuple[ExplanationModule, ModuleRecord]:
    """Read an explanation module of `backbone`.

    Raises
    ------
    CheckpointError
        When the file is damaged, its weights do not match the hash in its header, or it was trained
        on another network or layer.
    """
    found = load_weights_header(path, _MAX_MODULE_VALUES)
    record = parse_module_record(path, parse_header(path, found))
    if record.backbone_sha256 != backbone.sha256:
        raise CheckpointError(
            f"{path} was trained on another network (hash {record.backbone_sha256[:12]}…) than "
            f"the one in this workspace ({backbone.sha256[:12]}…). Train the module again."
        )
    if record.z_layer != backbone.z_layer:
        raise CheckpointError(
            f"{path} reads layer {record.z_layer}, but this workspace explains {backbone.z_layer}."
        )
    try:
        module = _build_module(backbone.z_size, record, found)
    except (ExplorerError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path} contradicts its own description: {error}. Train the module again."
        ) from error
    tensors, _ = load_tensors(path, max_values=_MAX_MODULE_VALUES, only_floats=True)
    if record.weights_sha256 and record.weights_sha256 != compute_sha256(tensors):
        raise CheckpointError(
            f"{path} is damaged: its weights are not those that were saved. Replace it with an "
            "intact copy, or train the module again."
        )
    module.to_empty(device="cpu").load_state_dict(tensors)
    return module.eval().requires_grad_(False), record


def _build_module(z_size: int, record: ModuleRecord, found: WeightsHeader) -> ExplanationModule:
    """Build a module on the meta device, after checking that the shapes in the file fit."""
    shape = read_shape(record.settings)
    sizes = (*shape.widths, shape.x_features)
    if len(sizes) > _MAX_LAYERS or not all(
        type(size) is int and size <= _MAX_WIDTH for size in sizes
    ):
        raise ValueError("its widths are invalid")
    with torch.device("meta"):
        module = ExplanationModule(z_size, shape)
    expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    if expected != found.shapes:
        names = sorted(
            name
            for name in expected.keys() | found.shapes.keys()
            if expected.get(name) != found.shapes.get(name)
        )
        raise ValueError(
            f"{names[0][:80]!r} has shape {found.shapes.get(names[0])}, but the settings require "
            f"{expected.get(names[0])}"
        )
    return module
