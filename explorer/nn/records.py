"""Headers of weights files, read without the weights and without torch.

The explorer's own files have one entry in the metadata of the safetensors file, as JSON. Everything
is checked before any tensor is read, so that a manipulated header cannot make the explorer allocate
too much memory.
"""

import base64
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from explorer.config import ExplorerError
from explorer.storage.json_records import convert_record, parse_json
from explorer.storage.reading import check_regular, explain_os_error

SCHEMA_VERSION = 1
HEADER_KEY = "srae_explorer"
MAX_VALUES = 2**29
"""Maximum number of values in a weights file; VGG19 has 144 million."""

_FLOATS = frozenset(("F64", "F32", "F16", "BF16"))
_INTEGERS = frozenset(("I64", "I32", "I16", "I8", "U8", "BOOL"))
_MAX_ID = 2**63
_MOST_PACKED_IDS = 2**24


class CheckpointError(ExplorerError):
    """A weights file that cannot be used; the message names the file and the reason."""


@dataclass(frozen=True)
class WeightsHeader:
    """The header of a safetensors file.

    Attributes
    ----------
    shapes : Mapping of str to tuple of int
        Shapes of the tensors by name.
    kinds : Mapping of str to str
        Types of the tensors by name, such as ``"F32"``.
    metadata : Mapping of str to str
        Strings by name.
    """

    shapes: Mapping[str, tuple[int, ...]]
    kinds: Mapping[str, str]
    metadata: Mapping[str, str]

    @property
    def integer_tensors(self) -> tuple[str, ...]:
        """Names of the tensors of integers or booleans."""
        return tuple(name for name, kind in self.kinds.items() if kind in _INTEGERS)


@dataclass(frozen=True)
class ModuleRecord:
    """The record in a module's file, which describes the module and its training.

    Attributes
    ----------
    category : str
        The explained category, as in ``classes.txt``.
    z_layer : str
        Layer of the classifier that the module reads.
    backbone_sha256 : str
        Hash of the classifier that the module was trained on.
    settings : dict
        From `ModuleSettings.describe`, with the actual widths.
    training : dict
        From `TrainingSettings.describe`.
    split : dict
        ``train`` and ``test``, lists of distinct image ids.
    weights_sha256 : str
        Hash of the module's weights, which identifies its measures. It is set by `save_module` and
        empty in older files.
    """

    category: str
    z_layer: str
    backbone_sha256: str
    settings: dict[str, Any]
    training: dict[str, Any]
    split: dict[str, list[int]]
    weights_sha256: str = ""

    def __post_init__(self) -> None:
        problem = _find_split_problem(self.split)
        if problem:
            raise ValueError(f"its split {problem}")


def load_weights_header(path: Path, max_values: int = MAX_VALUES) -> WeightsHeader:
    """Read and check the header of a safetensors file.

    Parameters
    ----------
    path : Path
        The file.
    max_values : int
        Maximum number of values of all tensors.

    Raises
    ------
    CheckpointError
        When the file is missing, damaged, too large or has unknown types.
    """
    try:
        check_regular(path)
        header = _read_header(path)
    except FileNotFoundError as error:
        raise CheckpointError(f"There is no file {path}.") from error
    except OSError as error:
        raise _make_read_error(path, explain_os_error(error)) from error
    except SafetensorError as error:
        raise _make_read_error(path, str(error)) from error
    unknown = next((n for n, kind in header.kinds.items() if kind not in _FLOATS | _INTEGERS), None)
    if unknown is not None:
        reason = f"{unknown[:80]!r} has the unsupported type {header.kinds[unknown]}"
        raise _make_read_error(path, reason)
    values = sum(map(math.prod, header.shapes.values()))
    if values > max_values:
        raise _make_read_error(path, f"it holds {values:,} values, more than {max_values:,}")
    return header


def _read_header(path: Path) -> WeightsHeader:
    # The library checks that types, shapes and offsets fit each other and the file.
    with safe_open(path, framework="np") as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        shapes = {name: tuple(one.get_shape()) for name, one in slices.items()}
        kinds = {name: one.get_dtype() for name, one in slices.items()}
        return WeightsHeader(shapes, kinds, file.metadata() or {})


def _make_read_error(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{path} is not a readable safetensors file: {reason.rstrip('.')}. Replace it with an "
        "intact copy, or create it again."
    )


def parse_header(path: Path, header: WeightsHeader) -> dict[str, Any]:
    """Parse the explorer's own header; empty for files of other programs.

    Raises
    ------
    CheckpointError
        When it is damaged or was written by a newer version.
    """
    try:
        content = parse_json(header.metadata.get(HEADER_KEY, "{}"))
    except ValueError as error:
        raise CheckpointError(
            f"{path} has a damaged header: {str(error).rstrip('.')}. Replace it with an intact "
            "copy, or create it again."
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
    """Read the record of a module without its weights.

    Raises
    ------
    CheckpointError
        When the file is damaged or not a module.
    """
    return parse_module_record(path, parse_header(path, load_weights_header(path)))


def parse_module_record(path: Path, header: Mapping[str, Any]) -> ModuleRecord:
    """Convert the header of a module to a record.

    Raises
    ------
    CheckpointError
        When it is not the header of a module, or a field is missing or of the wrong type.
    """
    if header.get("kind") != "module":
        raise CheckpointError(f"{path} is not an explanation module written by the explorer.")
    try:
        return convert_record(_unpack_split(header), ModuleRecord)
    except ValueError as error:
        raise CheckpointError(
            f"{path} has an invalid description: {error}. Train the module again."
        ) from error


def _unpack_split(header: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a header with its split as lists of ids."""
    split = header.get("split")
    if not isinstance(split, dict):
        return header
    sides = {side: unpack_ids(ids) if isinstance(ids, str) else ids for side, ids in split.items()}
    return {**header, "split": sides}


def pack_ids(ids: Sequence[int]) -> str | list[int]:
    """Pack ids as text: a compressed bit for each id up to the highest, in base 64.

    Ids that are not in ascending order, or too high for it, are returned as they are.
    """
    values = np.asarray(ids, np.int64)
    if not len(values) or values[-1] >= _MOST_PACKED_IDS or (np.diff(values) <= 0).any():
        return list(ids)
    is_in = np.zeros(values[-1] + 1, np.bool_)
    is_in[values] = True
    return base64.b64encode(zlib.compress(np.packbits(is_in).tobytes(), 9)).decode()


def unpack_ids(text: str) -> list[int]:
    """Unpack the ids in a text from `pack_ids`; `ValueError` if it is damaged."""
    try:
        unpacker = zlib.decompressobj()
        bits = unpacker.decompress(base64.b64decode(text, validate=True), _MOST_PACKED_IDS // 8)
    except (ValueError, zlib.error) as error:
        raise ValueError("its split is damaged") from error
    if not unpacker.eof:
        raise ValueError("its split is damaged")
    ids: list[int] = np.flatnonzero(np.unpackbits(np.frombuffer(bits, np.uint8))).tolist()
    return ids


def _find_split_problem(split: Mapping[str, Sequence[int]]) -> str:
    """Describe what is wrong with a split; empty if it is valid."""
    if set(split) != {"train", "test"}:
        return "does not have exactly 'train' and 'test'"
    seen: set[int] = set()
    for side, ids in split.items():
        if not all(0 <= image_id < _MAX_ID for image_id in ids):
            return f"has an invalid image id in {side!r}"
        if not ids:
            return f"has no photos in {side!r}"
        if len(set(ids)) < len(ids):
            return f"has a photo twice in {side!r}"
        if not seen.isdisjoint(ids):
            return f"has photo {min(seen.intersection(ids))} on both sides"
        seen.update(ids)
    return ""
