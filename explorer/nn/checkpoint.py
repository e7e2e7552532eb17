"""Networks and modules as safetensors files with a versioned JSON header. Never a pickle."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from explorer.config import ExplorerError
from explorer.files import write_bytes
from explorer.nn.backbones import Backbone
from explorer.nn.settings import ModuleSettings
from explorer.nn.srae import ExplanationModule
from explorer.nn.vgg import build_network_from_weights, flatten_network, get_architecture

SCHEMA_VERSION = 1
_HEADER_KEY = "srae_explorer"
_LIBRARIES = ("torch", "numpy", "safetensors")


class CheckpointError(ExplorerError):
    """A weights file that cannot be used; the message names the file and the reason."""


@dataclass(frozen=True)
class ModuleRecord:
    """What a module's file says about how it came to be.

    Attributes
    ----------
    category : str
        The category it explains, as in ``classes.txt``.
    z_layer : str
        Layer of the classifier that it reads.
    backbone_sha256 : str
        Hash of the classifier that it was trained on.
    settings : dict
        Fields of `ModuleSettings`, widths filled in.
    training : dict
        Fields of the training settings, the seed among them.
    split : dict
        ``train`` and ``test``: lists of image ids.
    """

    category: str
    z_layer: str
    backbone_sha256: str
    settings: dict[str, Any]
    training: dict[str, Any]
    split: dict[str, list[int]]


def save_tensors(
    path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any], *, half: bool = False
) -> None:
    """Write `tensors` with `header`, whole or not at all.

    Parameters
    ----------
    path : Path
        File to write, ``*.safetensors``.
    tensors : Mapping[str, Tensor]
        Floating-point tensors on any device.
    header : Mapping
        JSON-ready; schema version and library versions are added.
    half : bool
        Store float16, half the size; the caller has rounded the values beforehand (see
        `round_to_half`), so that nothing that was measured changes by the saving.
    """
    dtype = torch.float16 if half else torch.float32
    stored = {name: t.detach().to("cpu", dtype).contiguous() for name, t in tensors.items()}
    full = {
        "schema_version": SCHEMA_VERSION,
        "libraries": {name: version(name) for name in _LIBRARIES},
        **header,
    }
    write_bytes(path, save(stored, {_HEADER_KEY: json.dumps(full, ensure_ascii=False)}))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors (as float32) and header from a safetensors file.

    Raises
    ------
    CheckpointError
        When the file is missing, damaged, from a newer version or holds values that are not
        finite. A header of foreign origin comes back empty.
    """
    tensors, metadata = _read_safetensors(path)
    try:
        header = json.loads(metadata.get(_HEADER_KEY, "{}"))
    except json.JSONDecodeError as error:
        raise CheckpointError(f"{path} has a damaged header: {error}.") from error
    if not isinstance(header, dict):
        raise CheckpointError(f"{path} has a damaged header.")
    _check_schema(path, header)
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"{path}: {name!r} holds NaN or infinite values.")
    return tensors, header


def _check_schema(path: Path, header: Mapping[str, Any]) -> None:
    found = header.get("schema_version", SCHEMA_VERSION)
    if not isinstance(found, int) or found > SCHEMA_VERSION:
        raise CheckpointError(
            f"{path} was written in format {found}; this version reads up to {SCHEMA_VERSION}. "
            "Update the explorer."
        )


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name).to(torch.float32) for name in file.keys()}  # noqa: SIM118
            return tensors, file.metadata() or {}
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
            raise CheckpointError("A weight is too large to be stored in half precision.")
        parameter.data = rounded


def save_backbone(
    path: Path, backbone: Backbone, training: Mapping[str, Any], *, half: bool = False
) -> None:
    """Write a classifier, batch norm folded, named as in torchvision's VGG."""
    header = {
        "kind": "classifier",
        "architecture": backbone.architecture.name,
        "categories": list(backbone.categories),
        "training": dict(training),
    }
    save_tensors(path, unflatten_names(backbone.layers), header, half=half)


def unflatten_names(layers: torch.nn.Sequential) -> dict[str, Tensor]:
    """Name the tensors of flattened layers as torchvision's VGG does."""
    first_linear = next(i for i, layer in enumerate(layers) if isinstance(layer, torch.nn.Linear))
    named = {}
    for name, tensor in layers.state_dict().items():
        index, field = name.split(".")
        if int(index) < first_linear:
            named[f"features.{index}.{field}"] = tensor
        else:
            named[f"classifier.{int(index) - first_linear}.{field}"] = tensor
    return named


def load_backbone(path: Path, *, z_layer: str = "fc6") -> tuple[Backbone, dict[str, Any]]:
    """Read a classifier that `save_backbone` wrote.

    Returns
    -------
    backbone : Backbone
        On the CPU, in float32.
    training : dict
        How it was trained and what it reached, as given to `save_backbone`.
    """
    tensors, header = load_tensors(path)
    if header.get("kind") != "classifier":
        raise CheckpointError(f"{path} is not a classifier written by the explorer.")
    try:
        architecture = get_architecture(str(header.get("architecture")))
        network = build_network_from_weights(architecture.name, tensors)
        categories = tuple(map(str, header.get("categories", ())))
        backbone = Backbone(architecture, flatten_network(network), categories, z_layer)
        training = dict(header.get("training", {}))
    except (ExplorerError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    return backbone, training


def save_module(
    path: Path, module: ExplanationModule, record: ModuleRecord, *, half: bool = False
) -> None:
    """Write an explanation module with all that is needed to check and to repeat it."""
    header = {"kind": "module", **asdict(record)}
    save_tensors(path, module.state_dict(), header, half=half)


def load_module_record(path: Path) -> ModuleRecord:
    """Read what a module's file says about itself, without its weights."""
    if not path.is_file():
        raise CheckpointError(f"There is no file {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get(_HEADER_KEY, "{}"))
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path} is not a readable safetensors file: {error}.") from error
    return _parse_module_record(path, header)


def _parse_module_record(path: Path, header: Any) -> ModuleRecord:
    if not isinstance(header, dict) or header.get("kind") != "module":
        raise CheckpointError(f"{path} is not an explanation module written by the explorer.")
    _check_schema(path, header)
    fields = ModuleRecord.__dataclass_fields__
    missing = [name for name in fields if name not in header]
    if missing:
        raise CheckpointError(f"{path}: the header lacks {missing[0]!r}.")
    return ModuleRecord(**{name: header[name] for name in fields})


def load_module(path: Path, backbone: Backbone) -> tuple[ExplanationModule, ModuleRecord]:
    """Read an explanation module for use on `backbone`.

    Raises
    ------
    CheckpointError
        When the file is damaged, or was trained on another network or layer.
    """
    tensors, header = load_tensors(path)
    record = _parse_module_record(path, header)
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
        settings = ModuleSettings(**{**record.settings, "widths": tuple(record.settings["widths"])})
        module = ExplanationModule(backbone.z_size, settings)
        module.load_state_dict(tensors)
    except (ExplorerError, RuntimeError, TypeError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path} does not fit its own description: {error}") from error
    return module.eval().requires_grad_(False), record
