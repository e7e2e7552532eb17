"""Checking and cleaning text of unknown origin, such as names in files."""

import unicodedata

BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that change the writing direction of the text after them."""

_UNSAFE = ("Cc", "Cs", "Zl", "Zp")


def is_plain_line(text: str) -> bool:
    """Return whether a text has no control characters, line breaks or bidirectional controls."""
    if text.isprintable():  # faster, and true of most names
        return True
    return not any(unicodedata.category(c) in _UNSAFE or c in BIDI_CONTROLS for c in text)


def strip_controls(line: str) -> str:
    """Remove control characters and bidirectional controls from a line."""
    # Lone surrogates (Cs) cannot be encoded as UTF-8.
    return "".join(
        c for c in line if unicodedata.category(c) not in ("Cc", "Cs") and c not in BIDI_CONTROLS
    )
