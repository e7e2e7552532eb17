"""What weights' files say about themselves, read without their weights and without torch.

Our own files keep one text in the metadata of a safetensors file, which is JSON. Everything is
checked before a byte of a tensor is read, so that no tampered number decides how much memory is
taken.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from explorer.config import ExplorerError
from explorer.storage.json_records import convert_record, parse_json
from explorer.storage.reading import check_regular, explain_os_error

SCHEMA_VERSION = 1
HEADER_KEY = "srae_explorer"
MOST_VALUES = 2**29
"""Numbers in a file of weights: VGG19 has 144 million."""

_FLOATS = frozenset(("F64", "F32", "F16", "BF16"))
_OTHERS = frozenset(("I64", "I32", "I16", "I8", "U8", "BOOL"))
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
    kinds : Mapping of str to str
        Type of every tensor, such as ``"F32"``.
    metadata : Mapping of str to str
        Texts by name.
    """

    shapes: Mapping[str, tuple[int, ...]]
    kinds: Mapping[str, str]
    metadata: Mapping[str, str]

    @property
    def whole(self) -> tuple[str, ...]:
        """Names of the tensors that are not made of floating-point numbers."""
        return tuple(name for name, kind in self.kinds.items() if kind in _OTHERS)


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

    def __post_init__(self) -> None:
        fault = _find_fault_of_split(self.split)
        if fault:
            raise ValueError(f"its split {fault}")


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
        When there is no such file, or it is not a whole safetensors file of known types.
    """
    try:
        check_regular(path)
        header = _read_header(path)
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no file {path}.") from error
    except OSError as error:
        raise _explain_unreadable(path, explain_os_error(error)) from error
    except SafetensorError as error:
        raise _explain_unreadable(path, str(error)) from error
    unknown = next((n for n, kind in header.kinds.items() if kind not in _FLOATS | _OTHERS), None)
    if unknown is not None:
        reason = f"{unknown[:80]!r} is of type {header.kinds[unknown]}, which is not read here"
        raise _explain_unreadable(path, reason)
    values = sum(map(math.prod, header.shapes.values()))
    if values > most_values:
        raise _explain_unreadable(path, f"it holds {values:,} numbers, more than {most_values:,}")
    return header


def _read_header(path: Path) -> WeightsHeader:
    # The library sees to it that types, shapes and places fit each other and the file.
    with safe_open(path, framework="np") as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        shapes = {name: tuple(one.get_shape()) for name, one in slices.items()}
        kinds = {name: one.get_dtype() for name, one in slices.items()}
        return WeightsHeader(shapes, kinds, file.metadata() or {})


def _explain_unreadable(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{path} is not a readable safetensors file: {reason.rstrip('.')}. Put a whole copy in "
        "its place, or make it again."
    )


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
        raise CheckpointError(f"{path} has a damaged header: it is not a JSON object.")
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
    try:
        return convert_record(header, ModuleRecord)
    except ValueError as error:
        raise CheckpointError(
            f"{path} does not fit its own description: {error}. {_TRAIN_AGAIN}"
        ) from error


_TRAIN_AGAIN = "Train the module again."


def _find_fault_of_split(split: Mapping[str, Sequence[int]]) -> str:
    """Say what is wrong with a split; nothing where it is sound."""
    if set(split) != {"train", "test"}:
        return "does not have just 'train' and 'test'"
    seen: set[int] = set()
    for side, ids in split.items():
        if not all(0 <= image_id < _MOST_ID for image_id in ids):
            return f"does not hold image ids under {side!r}"
        if not ids:
            return f"has no photo under {side!r}"
        if len(set(ids)) < len(ids):
            return f"names a photo twice under {side!r}"
        if not seen.isdisjoint(ids):
            return f"has photo {min(seen.intersection(ids))} on both sides"
        seen.update(ids)
    return ""
