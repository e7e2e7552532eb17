"""JSON files as typed records: parsed strictly, validated by type and written atomically."""

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from explorer.config import ExplorerError
from explorer.storage.reading import explain_os_error, read_regular
from explorer.storage.writing import write_text

T = TypeVar("T")
_TYPE_NAMES = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_MAX_DIGITS = 20  # of a signed 64-bit integer


class FileError(ExplorerError):
    """A file that cannot be read or is damaged; the message names the file and the reason."""


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    FileError
        When the file cannot be read or does not hold a JSON object.
    """
    try:
        content = parse_json(read_regular(file))
    except OSError as error:
        raise FileError(f"{file} cannot be read: {explain_os_error(error)}.") from error
    except ValueError as error:
        reason = str(error).rstrip(".")
        raise FileError(f"{file} cannot be read: {reason}.") from error
    if not isinstance(content, dict):
        raise FileError(f"{file} is damaged: it does not hold a JSON object.")
    return content


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object, indented; `ValueError` for NaN and infinity."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    write_text(file, text + "\n")


def convert_record(content: object, kind: type[T], *, allow_unknown: bool = True) -> T:
    """Convert parsed JSON to a dataclass or a `msgspec.Struct`, checking the type of every field.

    Parameters
    ----------
    content : object
        From `parse_json`. Strings are not converted to numbers, nor fractions to integers.
    kind : type
        The wanted type. Fields may be dataclasses, tuples and mappings. A `ValueError` from its
        ``__post_init__`` is passed on.
    allow_unknown : bool
        Whether keys of `content` without a field are ignored.

    Raises
    ------
    ValueError
        When a field is missing, unknown or of the wrong type; the message names it.
    """
    if not allow_unknown and isinstance(content, dict) and is_dataclass(kind):
        unknown = sorted(content.keys() - {field.name for field in fields(kind)})
        if unknown:
            raise ValueError(f"{unknown[0][:80]!r} is unknown")
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise ValueError(_explain(str(error))) from error


def _explain(message: str) -> str:
    """Rewrite a message such as "Expected `int`, got `str` - at `$.a.b`" in plain words."""
    problem, _, place = message.partition(" - at `$")
    problem = problem.replace("Object missing required field", "it lacks").replace("`", "'")
    for kind, words in _TYPE_NAMES.items():
        problem = problem.replace(f"'{kind}'", words)
    place = place.rstrip("`").lstrip(".")
    if not place:
        return problem
    return f"at {place!r}, {problem[:1].lower()}{problem[1:]}"


def parse_json(text: str | bytes) -> Any:
    """Parse JSON strictly.

    Raises
    ------
    ValueError
        When it is not JSON or not UTF-8, is nested too deeply, has a duplicate key, or contains
        NaN, an infinite number or an integer of more than 64 bits.

    Notes
    -----
    msgspec parses JSON faster, but silently accepts duplicate keys.
    """
    try:
        return json.loads(
            text,
            object_pairs_hook=_make_object,
            parse_constant=_refuse_constant,
            parse_float=_parse_float,
            parse_int=_parse_int,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise ValueError(f"it has the key {twice[:80]!r} twice")
    return content


def _refuse_constant(name: str) -> float:
    raise ValueError(f"it contains {name}, which is not a number")


def _parse_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"it contains the number {text[:40]}, which is too large")
    return value


def _parse_int(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"it contains an integer of {len(text)} digits")
    return int(text)
