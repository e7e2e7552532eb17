"""Names under which categories are shown."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

from explorer.data.cub import format_category

# Spelt with a vowel, but not spoken with one: a European Starling, a Eurasian, a Unicorn.
_NO_VOWEL = re.compile(r"(?i)eu|uni|one\b")


def name_categories(categories: Sequence[str]) -> dict[str, str]:
    """Return the name under which each category is shown; all names differ."""
    return dict(_name_categories(tuple(categories)))


# A page asks for them dozens of times.
@lru_cache(16)
def _name_categories(categories: tuple[str, ...]) -> Mapping[str, str]:
    plain = [format_category(category) for category in categories]
    counts = Counter(plain)
    return {
        category: name if counts[name] == 1 else category
        for category, name in zip(categories, plain, strict=True)
    }


def add_article(name: str) -> str:
    """Put the article before a name: ``a Cardinal``, ``an Indigo Bunting``."""
    is_vowel = name[:1] in tuple("AEIOUaeiou") and not _NO_VOWEL.match(name)
    return f"{'an' if is_vowel else 'a'} {name}"


def join_words(words: Sequence[str]) -> str:
    """Join words as in "back, nape and tail"."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def count_words(count: int, noun: str, nouns: str = "") -> str:
    """Say how many there are: ``1 note``, ``2 notes``, or with the given plural."""
    return f"{count:,} {noun if count == 1 else nouns or f'{noun}s'}"
