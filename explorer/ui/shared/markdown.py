"""Text and numbers as Markdown."""

import re

from explorer.render.numbers import format_signed

_MARKDOWN_SIGNS = r"\*_[]$~#<>:|@&`"
# Browsers turn addresses into links even where their signs are escaped. Only a zero-width character
# prevents that.
_ADDRESS = re.compile(r"(?i)www(?=\.)|https?(?=://)|(?<=[-.\w+])(?=@[-\w]+\.)")
_WORD_JOINER = "\u2060"
# Only single backticks with none beside them are certain to be rendered as code.
_CODE = re.compile(r"((?<!`)`[^`\n]+`(?!`))")


def escape_markdown(text: str) -> str:
    """Escape paths and names in a message; code in single backticks is kept."""
    pieces = _CODE.split(text)
    for index in range(0, len(pieces), 2):
        pieces[index] = _escape_plain(pieces[index])
    return "".join(pieces)


def _escape_plain(text: str) -> str:
    text = _ADDRESS.sub(rf"\g<0>{_WORD_JOINER}", text)
    escaped = "".join(f"\\{c}" if c in _MARKDOWN_SIGNS else c for c in text)
    # A line that starts like a list item would become one.
    return re.sub(r"(?m)^(\s*\d*)([-+=.)])(?=\s|$|[-=])", r"\1\\\2", escaped)


def format_contribution(contribution: float, x_feature: float) -> str:
    """Write a contribution in coloured Markdown: blue raises, orange lowers, grey is inactive."""
    if x_feature == 0:
        return ":gray[inactive on this photo]"
    colour = "blue" if contribution >= 0 else "orange"
    return f":{colour}[**{format_signed(contribution)}**]"


def format_small(words: str) -> str:
    """Write words small and grey on a line of their own; nothing if there are none."""
    return f"  \n:gray[:small[{words}]]" if words else ""


def format_share(value: float | None) -> str:
    """Write a share in per cent, or a dash where it is undefined."""
    return "–" if value is None else f"{value:.1%}"
