"""Text from elsewhere: what in it could be seen as something that it is not."""

import unicodedata

TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of what follows them, beyond the end of a name."""

_UNSAFE_KINDS = ("Cc", "Cs", "Zl", "Zp")


def is_plain_line(text: str) -> bool:
    """Tell whether a name is free of control characters, line breaks and turns of direction."""
    return not any(unicodedata.category(c) in _UNSAFE_KINDS or c in TURNING for c in text)


def drop_controls(line: str) -> str:
    """Return a line without control characters and turns of direction."""
    # Half of a surrogate pair cannot be written as UTF-8.
    return "".join(
        c for c in line if unicodedata.category(c) not in ("Cc", "Cs") and c not in TURNING
    )
