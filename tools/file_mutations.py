"""Mutations that damage files: at random, within their format, or by replacing the whole file.

Each mutation takes a random generator and a path, changes the file, and returns a description.
"""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

Mutation = Callable[[random.Random, Path], str]

HOSTILE_TEXTS = (
    "../../../etc/passwd",
    "/etc/passwd",
    "<img src=x onerror=alert(1)>",
    "[a](javascript:alert(1))",
    "\u202egnp.exe",
    "\x00",
    "\x1b[31m",
    "🦜" * 40,
    "a" * 5000,
    "",
    "nan",
)
HOSTILE_VALUES: tuple[Any, ...] = (
    *HOSTILE_TEXTS,
    None,
    True,
    False,
    0,
    -1,
    1,
    1.5,
    2**31,
    2**63,
    2**64,
    10**30,
    10**400,
    float("nan"),
    float("inf"),
    [],
    {},
    [[]],
    [None],
    {"a": {"b": []}},
)
HOSTILE_NUMBERS = ("nan", "inf", "-inf", "1e999", "-1", "0", "1e308", "9" * 30, "1.5", "x", "0x10")
HOSTILE_SHAPES = (
    "(-1, 3)",
    "(0,)",
    "()",
    "(3,)",
    "(9223372036854775807, 9)",
    "(1000000000, 1000000)",
    "(True, 2)",
    "'abc'",
    "((((((1,),),),),),)",
    "[" * 400 + "]" * 400,
)
HOSTILE_TYPES = ("'|O'", "'<f8'", "'<U4000'", "[('a', '|O')]", "'<M8[us]'", "'|V0'", "[]", "'x'")


def flip_bits(rng: random.Random, path: Path) -> str:
    data = bytearray(path.read_bytes())
    count = min(len(data), rng.choice((1, 1, 2, 8, 64)))
    for _ in range(count):
        data[_choose_offset(rng, len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    return f"{count} bits flipped"


def _choose_offset(rng: random.Random, size: int) -> int:
    """Choose an offset, in half of the cases within the first 400 bytes, where headers are."""
    return rng.randrange(min(size, 400) if rng.random() < 0.5 else size)


def truncate(rng: random.Random, path: Path) -> str:
    data = path.read_bytes()
    kept = _choose_offset(rng, len(data)) if data else 0
    path.write_bytes(data[:kept])
    return f"truncated to {kept} bytes"


def splice(rng: random.Random, path: Path) -> str:
    data = bytearray(path.read_bytes())
    if data:
        start, position = _choose_offset(rng, len(data)), _choose_offset(rng, len(data))
        chunk = data[start : start + rng.randrange(1, 200)]
        data[position : position + rng.choice((0, len(chunk)))] = chunk
    path.write_bytes(data)
    return "a range copied elsewhere"


def insert_noise(rng: random.Random, path: Path) -> str:
    data = bytearray(path.read_bytes())
    position = _choose_offset(rng, len(data) + 1)
    data[position:position] = rng.randbytes(rng.randrange(1, 64))
    path.write_bytes(data)
    return "noise inserted"


def delete_range(rng: random.Random, path: Path) -> str:
    data = bytearray(path.read_bytes())
    position = _choose_offset(rng, len(data) + 1)
    del data[position : position + rng.randrange(1, 100)]
    path.write_bytes(data)
    return "a range deleted"


def fill_range(rng: random.Random, path: Path) -> str:
    data = bytearray(path.read_bytes())
    position = _choose_offset(rng, len(data) + 1)
    size = min(rng.randrange(1, 64), len(data) - position)
    data[position : position + size] = bytes([rng.choice((0, 0x20, 0x7F, 0xFF))]) * size
    path.write_bytes(data)
    return "a range overwritten"


def replace_all(rng: random.Random, path: Path) -> str:
    texts = (b"", b"{}", b"[]", b"null", b"\x80\x04N.", b"PK\x03\x04", b"[" * 100_000, b"\xff" * 64)
    data = rng.choice((*texts, rng.randbytes(200)))
    path.write_bytes(data)
    return f"replaced by {data[:8]!r}"


def replace_by_pipe(rng: random.Random, path: Path) -> str:
    path.unlink()
    os.mkfifo(path)
    return "replaced by a pipe"


def replace_by_link(rng: random.Random, path: Path) -> str:
    path.unlink()
    targets = (
        "/dev/zero",
        "/dev/full",
        "/etc/passwd",
        "/nowhere/at/all",
        path.name,
        "/",
        "/proc/self/mem",
    )
    target = rng.choice(targets)
    path.symlink_to(target)
    return f"replaced by a link to {target}"


def replace_by_folder(rng: random.Random, path: Path) -> str:
    path.unlink()
    path.mkdir()
    return "replaced by a folder"


def remove(rng: random.Random, path: Path) -> str:
    path.unlink()
    return "removed"


RANDOM: tuple[Mutation, ...] = (
    flip_bits,
    flip_bits,
    flip_bits,
    truncate,
    splice,
    splice,
    insert_noise,
    delete_range,
    fill_range,
    replace_all,
)
REPLACEMENTS: tuple[Mutation, ...] = (
    replace_by_pipe,
    replace_by_link,
    replace_by_link,
    replace_by_folder,
    remove,
)


def change_json(rng: random.Random, path: Path) -> str:
    """Change a value in a JSON file, or in a line of a JSON Lines file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    is_lines = path.suffix == ".jsonl"
    position = rng.randrange(len(lines)) if is_lines else 0
    text, words = change_json_text(rng, lines[position] if is_lines else "\n".join(lines))
    if is_lines:
        lines[position] = text
        text = "\n".join(lines)
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    return words


def change_json_text(rng: random.Random, text: str) -> tuple[str, str]:
    kind = rng.random()
    if kind < 0.06:
        depth = rng.choice((50, 2_000, 200_000))
        return '{"a":' * depth + "1" + "}" * depth, f"nested {depth} levels deep"
    if kind < 0.12 and text.startswith("{"):
        return "{" + '"schema_version": 1, "kind": 1,' + text[1:], "names repeated"
    if kind < 0.18:
        return text.replace("1", rng.choice(HOSTILE_NUMBERS), 1), "a number replaced in the text"
    content = json.loads(text)
    words = _change_value(rng, content)
    return json.dumps(content, ensure_ascii=rng.random() < 0.5), words


def _change_value(rng: random.Random, content: Any) -> str:
    """Change a value at a random position, in place."""
    positions = list(_list_positions(content))
    holder, key = rng.choice(positions)
    action = rng.choice(("replace", "replace", "replace", "delete", "repeat", "rename"))
    if action == "delete":
        del holder[key]
    elif action == "repeat" and isinstance(holder, list):
        holder.append(holder[key])
    elif action == "rename" and isinstance(holder, dict):
        holder[rng.choice(HOSTILE_TEXTS)] = holder.pop(key)
    else:
        holder[key] = rng.choice(HOSTILE_VALUES)
    return f"{action} {str(key)[:40]!r}"


def _list_positions(content: Any) -> list[tuple[Any, Any]]:
    if isinstance(content, dict):
        keys: list[Any] = list(content)
    elif isinstance(content, list):
        keys = list(range(min(len(content), 5)))
    else:
        return []
    found: list[tuple[Any, Any]] = []
    for key in keys:
        found.append((content, key))
        found += _list_positions(content[key])
    return found


def change_safetensors(rng: random.Random, path: Path) -> str:
    """Change a value in the header of a safetensors file, or in the metadata within it."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    text = data[8 : 8 + length].decode()
    kind = rng.random()
    if kind < 0.1:
        wrong = rng.choice((0, 1, length - 1, length + 1, 2**31, 2**63, 2**64 - 1))
        path.write_bytes(wrong.to_bytes(8, "little") + data[8:])
        return f"header length {wrong}"
    if kind < 0.4:
        text, words = change_json_text(rng, text)
    else:
        header = json.loads(text)
        metadata = header.get("__metadata__", {})
        if metadata and kind < 0.8:
            name = rng.choice(sorted(metadata))
            if metadata[name].startswith("{"):
                metadata[name], words = change_json_text(rng, metadata[name])
            else:
                metadata[name], words = rng.choice(HOSTILE_TEXTS), "other metadata"
        else:
            tensor = rng.choice([entry for name, entry in header.items() if name != "__metadata__"])
            field = rng.choice(sorted(tensor))
            choices = {
                "dtype": ("F64", "I64", "BOOL", "F8_E4M3", "C64", "X", 7),
                "shape": ([], [0], [-1], [2**62, 2], [1, 1], "x", [1.5], [2**63]),
                "data_offsets": ([0, 0], [8, 4], [0, 2**62], [-8, 0], [0], "x", [1, 2]),
            }
            tensor[field] = rng.choice(choices[field])
            words = f"{field} of a tensor"
        text = json.dumps(header, ensure_ascii=False)
    raw = text.encode("utf-8", "surrogatepass")
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + data[8 + length :])
    return f"header: {words}"


def overwrite_weights(rng: random.Random, path: Path) -> str:
    """Overwrite weights with NaN or infinity, in half or single precision."""
    data = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")
    value = rng.choice((b"\x00\x7e\x00\x7e", b"\x00\x7c\x00\x7c", b"\x00\x00\xc0\x7f", b"\xff" * 4))
    position = start + 4 * rng.randrange(max(1, (len(data) - start) // 4))
    data[position : position + 4] = value
    path.write_bytes(data)
    return "non-finite weights"


def change_array(rng: random.Random, path: Path) -> str:
    """Change the shape or type in the header of an array, but not its length."""
    data = path.read_bytes()
    length = int.from_bytes(data[8:10], "little")
    text = data[10 : 10 + length].decode("latin-1")
    start = text.index("'shape': ") + len("'shape': ")
    end = text.index(")", start) + 1
    if rng.random() < 0.5:
        shape = rng.choice(HOSTILE_SHAPES)
        text, words = text[:start] + shape + text[end:], f"shape {shape[:30]}"
    else:
        kind = rng.choice(HOSTILE_TYPES)
        first = text.index("'descr': ") + len("'descr': ")
        last = text.index(", 'fortran_order'")
        text, words = text[:first] + kind + text[last:], f"type {kind}"
    raw = text.strip().encode("latin-1")
    raw = raw.ljust(max(len(raw), length - 1)) + b"\n"
    path.write_bytes(data[:8] + len(raw).to_bytes(2, "little") + raw + data[10 + length :])
    return f"header: {words}"


def change_word(rng: random.Random, path: Path) -> str:
    """Replace or delete a word, or repeat or delete a line, of a table."""
    lines = path.read_text(encoding="utf-8").splitlines()
    position = rng.randrange(len(lines))
    separator = "," if path.suffix == ".csv" else " "
    words = lines[position].split(separator)
    action = rng.choice(("number", "number", "text", "drop", "twice", "delete"))
    index = rng.randrange(len(words))
    if action == "number":
        words[index] = rng.choice(HOSTILE_NUMBERS)
    elif action == "text":
        words[index] = rng.choice(HOSTILE_TEXTS)
    elif action == "drop":
        del words[index]
    lines[position] = separator.join(words)
    if action == "twice":
        lines.insert(position, lines[position])
    elif action == "delete":
        del lines[position]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"{action} in line {position + 1}"
