"""What weights' files say about themselves, read without their weights and without torch.

A safetensors file begins with eight bytes for the length of a JSON object, then that object: for
every tensor its type, shape and place, and under ``__metadata__`` texts by name. Our own files keep
one text there, JSON again. Everything is checked before a byte of a tensor is read, so that no
tampered number decides how much memory is taken.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any

from explorer.config import ExplorerError
from explorer.storage.reading import explain_os_error, open_regular, parse_json

SCHEMA_VERSION = 1
HEADER_KEY = "srae_explorer"
MOST_VALUES = 2**29
"""Numbers in a file of weights: VGG19 has 144 million."""

_MOST_HEADER_BYTES = 64 * 2**20
_FLOAT_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
_OTHER_BYTES = {"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
_MOST_ID = 2**63


class CheckpointError(ExplorerError):
    """A weights file that cannot be used; the message names the file and the reason."""


@dataclass(frozen=True)
class WeightsHeader:
    """What a safetensors file says before its tensors.

    Attributes
    ----------
    shapes : Mapping of str to tuple of int
        Of every tensor.
    whole : tuple of str
        Names of the tensors that are not made of floating-point numbers.
    metadata : Mapping of str to str
        Texts by name.
    """

    shapes: Mapping[str, tuple[int, ...]]
    whole: tuple[str, ...]
    metadata: Mapping[str, str]


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
        ``train`` and ``test``: lists of image ids, none of them twice.
    weights_sha256 : str
        Hash of the module's weights, by which measures know whose they are; written by
        `save_module`, empty in older files.
    """

    category: str
    z_layer: str
    backbone_sha256: str
    settings: dict[str, Any]
    training: dict[str, Any]
    split: dict[str, list[int]]
    weights_sha256: str = ""


def load_weights_header(path: Path, most_values: int = MOST_VALUES) -> WeightsHeader:
    """Read and check the beginning of a safetensors file.

    Parameters
    ----------
    path : Path
        The file.
    most_values : int
        How many numbers its tensors may have together.

    Raises
    ------
    CheckpointError
        When there is no such file, or it is no whole safetensors file of known types.
    """
    try:
        return _read_header(path, most_values)
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no file {path}.") from error
    except OSError as error:
        raise _explain_unreadable(path, explain_os_error(error)) from error
    except ValueError as error:
        raise _explain_unreadable(path, str(error)) from error


def _explain_unreadable(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{path} is not a readable safetensors file: {reason.rstrip('.')}. Put a whole copy in "
        "its place, or make it again."
    )


def _read_header(path: Path, most_values: int) -> WeightsHeader:
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            raise ValueError("it is cut short, or no such file at all")
        if length > _MOST_HEADER_BYTES:
            raise ValueError(f"its header has {length:,} bytes")
        header = parse_json(file.read(length))
    if not isinstance(header, dict):
        raise ValueError("its header is no JSON object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ValueError("its metadata are not texts by name")
    tensors = {name: _check_tensor(name, entry) for name, entry in header.items()}
    _check_places({name: place for name, (_, place) in tensors.items()}, size - 8 - length)
    shapes = {name: shape for name, (shape, _) in tensors.items()}
    values = sum(map(math.prod, shapes.values()))
    if values > most_values:
        raise ValueError(f"it holds {values:,} numbers, more than {most_values:,}")
    whole = tuple(name for name, entry in header.items() if entry["dtype"] in _OTHER_BYTES)
    return WeightsHeader(shapes, whole, metadata)


def _check_tensor(name: str, entry: Any) -> tuple[tuple[int, ...], tuple[int, int]]:
    """Return shape and place of a tensor, which fit each other and its type."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name[:80]!r} has not just type, shape and place")
    dtype, shape, place = entry["dtype"], entry["shape"], entry["data_offsets"]
    width = (_FLOAT_BYTES | _OTHER_BYTES).get(dtype) if isinstance(dtype, str) else None
    if width is None:
        raise ValueError(f"{name[:80]!r} is of an unknown type, {str(dtype)[:20]!r}")
    if not _are_counts(shape) or not _are_counts(place) or len(place) != 2:
        raise ValueError(f"shape and place of {name[:80]!r} are not whole numbers")
    if place[1] - place[0] != math.prod(shape) * width:
        raise ValueError(f"shape and place of {name[:80]!r} do not fit each other")
    return tuple(shape), (place[0], place[1])


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(type(v) is int and 0 <= v < _MOST_ID for v in values)


def _check_places(places: Mapping[str, tuple[int, int]], size: int) -> None:
    """Raise where tensors do not lie one after the other, from the first byte to the last."""
    end = 0
    for name, (first, last) in sorted(places.items(), key=lambda item: item[1]):
        if first != end:
            raise ValueError(f"{name[:80]!r} overlaps another tensor, or leaves a gap before it")
        end = last
    if end != size:
        raise ValueError(f"its tensors take {end:,} bytes, but it holds {size:,}")


def parse_header(path: Path, header: WeightsHeader) -> dict[str, Any]:
    """Read our own header; one of foreign origin is empty.

    Raises
    ------
    CheckpointError
        When it is damaged, or of a newer version.
    """
    try:
        content = parse_json(header.metadata.get(HEADER_KEY, "{}"))
    except ValueError as error:
        raise CheckpointError(
            f"{path} has a damaged header: {str(error).rstrip('.')}. Put a whole copy in its "
            "place, or make it again."
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} has a damaged header: it is no JSON object.")
    found = content.get("schema_version", SCHEMA_VERSION)
    if type(found) is not int or not 0 < found <= SCHEMA_VERSION:
        raise CheckpointError(
            f"{path} was written in format {str(found)[:40]}; this version reads up to "
            f"{SCHEMA_VERSION}. Update the explorer."
        )
    return content


def load_module_record(path: Path) -> ModuleRecord:
    """Read what a module's file says about itself, without its weights.

    Raises
    ------
    CheckpointError
        When the file is damaged or no module.
    """
    return parse_module_record(path, parse_header(path, load_weights_header(path)))


def parse_module_record(path: Path, header: Mapping[str, Any]) -> ModuleRecord:
    """Make a record of a module's header, every field of its own type.

    Raises
    ------
    CheckpointError
        When it is not a module's, or a field is missing or of another type.
    """
    if header.get("kind") != "module":
        raise CheckpointError(f"{path} is not an explanation module written by the explorer.")
    fields = ModuleRecord.__dataclass_fields__
    missing = [
        name for name, field in fields.items() if name not in header and field.default is MISSING
    ]
    if missing:
        raise CheckpointError(f"{path}: the header lacks {missing[0]!r}. {_TRAIN_AGAIN}")
    for name in ("category", "z_layer", "backbone_sha256", "weights_sha256"):
        if not isinstance(header.get(name, ""), str):
            raise CheckpointError(f"{path}: {name!r} in the header is no text. {_TRAIN_AGAIN}")
    for name in ("settings", "training"):
        if not isinstance(header[name], dict):
            raise CheckpointError(
                f"{path} does not fit its own description: {name!r} are not values by name. "
                f"{_TRAIN_AGAIN}"
            )
    fault = _find_fault_of_split(header["split"])
    if fault:
        raise CheckpointError(f"{path}: its split {fault}. {_TRAIN_AGAIN}")
    return ModuleRecord(**{name: header[name] for name in fields if name in header})


_TRAIN_AGAIN = "Train the module again."


def _find_fault_of_split(split: Any) -> str:
    """Say what is wrong with a split; nothing where it is sound."""
    if not isinstance(split, dict) or set(split) != {"train", "test"}:
        return "has not just 'train' and 'test'"
    seen: set[int] = set()
    for side, ids in split.items():
        if not _are_counts(ids):
            return f"does not hold image ids under {side!r}"
        if not ids:
            return f"has no photo under {side!r}"
        if len(set(ids)) < len(ids):
            return f"names a photo twice under {side!r}"
        if not seen.isdisjoint(ids):
            return f"has photo {min(seen.intersection(ids))} on both sides"
        seen.update(ids)
    return ""
