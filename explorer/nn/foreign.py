"""Loading weights that were saved by other programs, without running code from the file."""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from explorer.config import ExplorerError
from explorer.nn.backbones.architecture import Architecture
from explorer.nn.backbones.backbone import Backbone
from explorer.nn.backbones.build import build_network_from_weights, flatten_network
from explorer.nn.checkpoint import CheckpointError, load_tensors, round_to_half
from explorer.nn.foreign_names import find_network
from explorer.nn.records import MAX_VALUES
from explorer.storage.kinds import START_BYTES, name_kind
from explorer.storage.reading import explain_os_error, open_regular

_MAX_DEPTH = 8  # of dictionaries in dictionaries
_MAX_HEADER_BYTES = 100_000_000  # of a safetensors file, as its format says
_PICKLED = (b"PK\3\4", b"\x80")  # the beginnings of files that torch.save writes
_CURE = "Save it again with torch.save(model.state_dict(), …) or as safetensors."


class _Unread:
    """Stands for an object of a training script, such as its settings: keeps and does nothing."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


# Classes of which training scripts store objects beside the weights, and what stands for them.
# PyTorch reads any other class only with code from the file, which is refused.
_STAND_INS: Mapping[str, type] = dict.fromkeys(
    (
        "numpy.dtype",
        "numpy.ndarray",
        *(
            f"numpy.{core}.multiarray.{name}"
            for core in ("core", "_core")
            for name in ("scalar", "_reconstruct")
        ),
        "argparse.Namespace",
        *(
            f"{module}.{system}Path"
            for module in ("pathlib", "pathlib._local")
            for system in ("Posix", "Windows", "PurePosix", "PureWindows")
        ),
        *(f"datetime.{name}" for name in ("date", "datetime", "timedelta", "timezone")),
    ),
    _Unread,
) | dict.fromkeys(
    (
        "pytorch_lightning.utilities.parsing.AttributeDict",
        "lightning_fabric.utilities.data.AttributeDict",
        "lightning.fabric.utilities.data.AttributeDict",
    ),
    dict,
)


@dataclass(frozen=True, eq=False)
class ForeignWeights:
    """Weights from a user's file.

    Attributes
    ----------
    tensors : dict of str to Tensor
        float32, on the CPU, named as in torchvision.
    notes : tuple of str
        Sentences on tensors that were left out or go by another name.
    """

    tensors: dict[str, Tensor]
    notes: tuple[str, ...]


def load_foreign_backbone(
    path: Path,
    architecture: Architecture,
    categories: tuple[str, ...],
    z_layer: str,
    *,
    half: bool = False,
) -> tuple[Backbone, dict[str, Any]]:
    """Build a classifier from a user's file; see `load_foreign_weights`.

    With `half`, weights are rounded to half precision, as they will be stored.

    Returns
    -------
    backbone : Backbone
        On the CPU, in float32.
    report : dict
        Where it comes from: ``imported_from``, the name of the file, and ``notes``.
    """
    found = load_foreign_weights(path, architecture.name)
    try:
        layers = flatten_network(build_network_from_weights(architecture.name, found.tensors))
        if half:
            round_to_half(layers)
        backbone = Backbone(architecture, layers, categories, z_layer)
    except ExplorerError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return backbone, {"imported_from": path.name, "notes": list(found.notes)}


def load_foreign_weights(path: Path, architecture: str) -> ForeignWeights:
    """Read a user's weights from safetensors, or from a file of ``torch.save`` with tensors.

    The format is told by the content, not the name. The weights are found in the checkpoint of a
    training script and among other tensors; see `explorer.nn.foreign_names.find_network`.

    Raises
    ------
    CheckpointError
        When the file is missing or damaged, or needs more than tensors and a few plain objects.
        Code in a pickle is never run.
    """
    start = _read_start(path)
    if _is_safetensors(path, start):
        tensors = load_tensors(path)[0]
    else:
        content = _load_pickle(path, start)
        tensors = _flatten(content)
        if not tensors:
            raise CheckpointError(
                f"{path} does not hold a state_dict (names to tensors){_describe(content)}. {_CURE}"
            )
    try:
        found = find_network(architecture, tensors)
    except ExplorerError as error:
        raise CheckpointError(f"{path}: {error}") from error
    _check_tensors(path, found.tensors)
    return ForeignWeights({name: t.float() for name, t in found.tensors.items()}, found.notes)


def _read_start(path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            return file.read(START_BYTES)
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no file {path}.") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {explain_os_error(error)}.") from error


def _is_safetensors(path: Path, start: bytes) -> bool:
    size = int.from_bytes(start[:8], "little")
    begins_so = start[8:9] == b"{" and 2 <= size <= _MAX_HEADER_BYTES
    # A damaged one is left to its own reader, which says what is wrong with it.
    is_called_so = path.suffix.lower() == ".safetensors" and not start.startswith(_PICKLED)
    return begins_so or is_called_so


def _load_pickle(path: Path, start: bytes) -> Any:
    if _is_torchscript(path):
        raise CheckpointError(
            f"{path} is a TorchScript file, which holds code. Save its tensors: "
            f'torch.save(torch.jit.load("{path.name}").state_dict(), …).'
        )
    try:
        # A file, as PyTorch would choose its reader by the ending of a name.
        with (
            open_regular(path) as file,
            torch.serialization.safe_globals([(kind, n) for n, kind in _STAND_INS.items()]),
        ):
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle may raise nearly anything
        raise CheckpointError(_explain(path, start)) from error


def _is_torchscript(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return False


def _explain(path: Path, start: bytes) -> str:
    """Explain whether a file is damaged, or holds other objects, such as a whole model."""
    kind = name_kind(start)
    if kind and not start.startswith(_PICKLED):
        return f"{path} is {kind}, not a file of weights. Name one that torch.save wrote."
    try:
        with open_regular(path) as file:
            needed = torch.serialization.get_unsafe_globals_in_checkpoint(file)
    except Exception:  # not in PyTorch's own format, or damaged
        needed = []
    foreign = [name for name in needed if name not in _STAND_INS]
    if not foreign:
        return f"{path} cannot be read as a file of tensors. {_CURE}"
    return (
        f"{path} holds more than tensors, perhaps a whole pickled model (it needs {foreign[0]}), "
        "and loading it would run code from the file. In the program that made it, save only the "
        "tensors, with torch.save(model.state_dict(), …) or as safetensors."
    )


def _flatten(content: Any) -> dict[str, Tensor]:
    """List the tensors in a dictionary and in those within it, with dots between their names."""
    tensors: dict[str, Tensor] = {}
    seen: set[int] = set()  # a dictionary may contain itself
    waiting = [("", content, 0)]
    while waiting:
        prefix, one, depth = waiting.pop()
        if isinstance(one, Tensor) and prefix:
            tensors.setdefault(prefix, one)
        elif isinstance(one, dict) and id(one) not in seen and depth < _MAX_DEPTH:
            seen.add(id(one))
            dot = "." if prefix else ""
            inner = [(f"{prefix}{dot}{name}", value, depth + 1) for name, value in one.items()]
            waiting += reversed(inner)
    return tensors


def _describe(content: Any) -> str:
    """Say what the first entry of a dictionary is."""
    if not isinstance(content, dict) or not content:
        return ""
    name, value = next(iter(content.items()))
    kind = "an array or object" if isinstance(value, _Unread) else f"a {type(value).__name__}"
    return f": {str(name)[:80]!r} is {kind}"


def _check_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    for name, value in tensors.items():
        is_plain = value.layout == torch.strided and value.device.type == "cpu"
        if not is_plain or value.is_complex() or value.is_quantized:
            raise CheckpointError(
                f"{path}: {name[:80]!r} is not a dense tensor of real numbers. {_CURE}"
            )
    # An expanded tensor of any size takes only a few bytes in the file.
    values = sum(tensor.numel() for tensor in tensors.values())
    if values > MAX_VALUES:
        raise CheckpointError(f"{path} holds {values:,} numbers, more than {MAX_VALUES:,}. {_CURE}")
