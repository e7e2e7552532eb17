"""One sentence for a photo: what a score is made of, in names, and what remains unexplained."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.data.names import join_words
from explorer.explaining.naming import call_feature
from explorer.render.numbers import format_number

_MOST_TERMS = 3  # of each sign
_SMALL = 0.1  # of all contributions: less than this is said of several together
_HALF = 0.5


class _Term(NamedTuple):
    words: str
    size: float  # >= 0


def describe_contributions(
    contributions: ArrayLike,
    y_hat: float,
    names: Mapping[int, str],
    mark: Callable[[str], str] = str,
    *,
    base: float = 0.0,
) -> str:
    """Say in a sentence what a score is made of.

    Parameters
    ----------
    contributions : array_like, shape (K,), float
        vₙEₙ, signed; with the base, they add up to ȳ.
    y_hat : float
        The network's score ŷ.
    names : Mapping of int to str
        Names of x-features, counted from 0; the others are called by their number. Those with the
        same name are added up.
    mark : callable
        How a name is written, for example in italics.
    base : float
        The module's score without any x-feature. Where it is not 0, the score is counted from it.

    Returns
    -------
    str
        Such as "Mostly red breast (3.8 of 5.1) and blue crown (0.9); against it: background
        (−0.2); the rest, 0.6, is not explained." Where the module is off by more than half, that
        is said first.
    """
    values, gain = np.asarray(contributions, np.float64), y_hat - base
    write = _Writer(1 if max(abs(gain), float(np.abs(values).max(initial=0.0))) >= 1 else 2, mark)
    adding, adding_others = _select(values, names)
    taking, taking_others = _select(-values, names)
    total = float(values.sum())
    rest = gain - total
    start = write.describe_base(base)
    adds = write.list_sides("for it", adding, adding_others)
    takes = write.list_sides("against it", taking, taking_others, -1)
    if not values.any():
        return f"No x-feature is active: nothing of the score, {write.number(y_hat)}, is explained."
    if abs(rest) > _HALF * max(abs(gain), abs(total)):
        with_base = f"with the base of {write.number(base)}, " if start else ""
        return (
            f"The x-features do not explain this score: {with_base}they add up to "
            f"{write.number(base + total)}, and the network says {write.number(y_hat)}."
            f"{_join_clauses([*adds, *takes])}"
        )
    remainder = write.describe_rest(rest)
    if y_hat <= 0:
        clauses = _join_clauses([*takes, *adds, *remainder, *start])
        return f"The score is {write.number(y_hat)}.{clauses}"
    is_alone = len(adding) == 1 and not (adding_others or taking)
    whole = "the score rises by" if start else "the score is"
    first = write.describe_sum(adding, adding_others, gain, whole, is_alone=is_alone)
    return "; ".join([first, *takes, *remainder, *start]) + "."


def _select(values: NDArray[np.float64], names: Mapping[int, str]) -> tuple[list[_Term], float]:
    """Return the largest positive values by name, and the sum of the others."""
    sums: dict[str, float] = {}
    for feature in np.flatnonzero(values > 0).tolist():
        words = call_feature(feature, names)
        sums[words] = sums.get(words, 0.0) + float(values[feature])
    terms = sorted((_Term(*item) for item in sums.items()), key=lambda term: -term.size)
    least = _SMALL * float(np.abs(values).sum())
    shown = terms[:1] + [term for term in terms[1:_MOST_TERMS] if term.size >= least]
    if len(terms) == len(shown) + 1:  # a single one is named rather than called smaller ones
        shown = terms
    return shown, sum(term.size for term in terms[len(shown) :])


def _join_clauses(clauses: Sequence[str]) -> str:
    """Join clauses as a sentence after another one; no clauses are no sentence."""
    text = "; ".join(clauses)
    return f" {text[0].upper()}{text[1:]}." if text else ""


class _Writer(NamedTuple):
    """Writes numbers and clauses.

    Attributes
    ----------
    digits : int
        Decimals of numbers.
    mark : callable
        How a name is written.
    """

    digits: int
    mark: Callable[[str], str]

    def number(self, value: float) -> str:
        """Write a number, with a sign if it is negative."""
        return format_number(value, self.digits)

    def is_nothing(self, value: float) -> bool:
        """Whether a number would be written as zero."""
        return round(value, self.digits) == 0

    def describe_sum(
        self, terms: Sequence[_Term], others: float, gain: float, whole: str, *, is_alone: bool
    ) -> str:
        """Write what adds to a positive score: "Mostly red breast (3.8 of 5.1) and …"."""
        first, *more = terms
        is_part = round(first.size, self.digits) <= round(gain, self.digits)
        score = f"{' of' if is_part else f'; {whole}'} {self.number(gain)}"
        parts = [f"{self.mark(first.words)} ({self.number(first.size)}{score})"]
        parts += [f"{self.mark(term.words)} ({self.number(term.size)})" for term in more]
        if not self.is_nothing(others):
            parts.append(f"smaller ones ({self.number(others)})")
        lead = "Only" if is_alone else "Mostly" if first.size >= _HALF * gain else "Because of"
        return f"{lead} {join_words(parts)}"

    def list_sides(
        self, lead: str, terms: Sequence[_Term], others: float, sign: int = 1
    ) -> list[str]:
        """Write "against it: background (−0.2) and nape (−0.1)", as a list of none or one clause.

        No name is the subject of a verb: it may be of several things, such as wings.
        """
        shown = [term for term in terms if not self.is_nothing(term.size)]
        parts = [f"{self.mark(term.words)} ({self.number(sign * term.size)})" for term in shown]
        if parts and not self.is_nothing(others):
            parts.append(f"smaller ones ({self.number(sign * others)})")
        return [f"{lead}: {join_words(parts)}"] if parts else []

    def describe_base(self, base: float) -> list[str]:
        """Write where the score is counted from, as a list of none or one clause."""
        if self.is_nothing(base):
            return []
        return [f"without any x-feature, the score would be {self.number(base)}"]

    def describe_rest(self, rest: float) -> list[str]:
        """Write what the module leaves unexplained, as a list of none or one clause."""
        if self.is_nothing(rest):
            return []
        if rest > 0:
            return [f"the rest, {self.number(rest)}, is not explained"]
        return [f"that is {self.number(-rest)} more than the network says"]
