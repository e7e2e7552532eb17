"""One sentence for a photo: what a score is made of, in names, and what remains unexplained."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from explorer.explaining.naming import join_words

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
) -> str:
    """Say in a sentence what a score is made of.

    Parameters
    ----------
    contributions : array_like, shape (K,), float
        vₙEₙ, signed; they add up to ȳ.
    y_hat : float
        The network's score ŷ.
    names : Mapping of int to str
        Names of x-features, counted from 0; the others are called by their number. Those with the
        same name are added up.
    mark : callable
        How a name is written, for example in italics.

    Returns
    -------
    str
        Such as "Mostly red breast (3.8 of 5.1) and blue crown (0.9); background takes away 0.2;
        the rest, 0.6, is not explained." Where the module is off by more than half, that is said
        first.
    """
    values = np.asarray(contributions, np.float64)
    write = _Writer(1 if max(abs(y_hat), float(np.abs(values).max(initial=0.0))) >= 1 else 2, mark)
    adding, adding_others = _select(values, names)
    taking, taking_others = _select(-values, names)
    y_bar = float(values.sum())
    rest = y_hat - y_bar
    adds = write.list_verbs(adding, adding_others, "adds")
    takes = write.list_verbs(taking, taking_others, "takes away")
    if not values.any():
        return f"No x-feature is active: nothing of the score, {write.number(y_hat)}, is explained."
    if abs(rest) > _HALF * max(abs(y_hat), abs(y_bar)):
        return (
            f"The x-features do not explain this score: they add up to {write.number(y_bar)}, and "
            f"the network says {write.number(y_hat)}. {_capitalise('; '.join([*adds, *takes]))}."
        )
    remainder = write.describe_rest(rest)
    if y_hat <= 0:
        clauses = "; ".join([*takes, *adds, *remainder])
        return f"The score is {write.number(y_hat)}: {clauses}."
    is_alone = len(adding) == 1 and not (adding_others or taking)
    first = write.describe_sum(adding, adding_others, y_hat, is_alone=is_alone)
    return "; ".join([first, *takes, *remainder]) + "."


def _select(values: NDArray[np.float64], names: Mapping[int, str]) -> tuple[list[_Term], float]:
    """Return the largest positive values by name, and the sum of the others."""
    sums: dict[str, float] = {}
    for feature in np.flatnonzero(values > 0).tolist():
        words = names.get(feature) or f"x-feature {feature + 1}"
        sums[words] = sums.get(words, 0.0) + float(values[feature])
    terms = sorted((_Term(*item) for item in sums.items()), key=lambda term: -term.size)
    least = _SMALL * float(np.abs(values).sum())
    shown = terms[:1] + [term for term in terms[1:_MOST_TERMS] if term.size >= least]
    return shown, sum(term.size for term in terms[len(shown) :])


def _capitalise(text: str) -> str:
    return text[:1].upper() + text[1:]


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
        return f"{round(value, self.digits) + 0.0:.{self.digits}f}".replace("-", "−")

    def is_nothing(self, value: float) -> bool:
        """Whether a number would be written as zero."""
        return round(value, self.digits) == 0

    def describe_sum(
        self, terms: Sequence[_Term], others: float, y_hat: float, *, is_alone: bool
    ) -> str:
        """Write what adds to a positive score: "Mostly red breast (3.8 of 5.1) and …"."""
        first, *more = terms
        is_part = round(first.size, self.digits) <= round(y_hat, self.digits)
        score = f"{' of' if is_part else '; the score is'} {self.number(y_hat)}"
        parts = [f"{self.mark(first.words)} ({self.number(first.size)}{score})"]
        parts += [f"{self.mark(term.words)} ({self.number(term.size)})" for term in more]
        if not self.is_nothing(others):
            parts.append(f"smaller ones ({self.number(others)})")
        lead = "Only" if is_alone else "Mostly" if first.size >= _HALF * y_hat else "Because of"
        return f"{lead} {join_words(parts)}"

    def list_verbs(self, terms: Sequence[_Term], others: float, verb: str) -> list[str]:
        """Write "background takes away 0.2 and nape 0.1", as a list of none or one clause."""
        shown = [term for term in terms if not self.is_nothing(term.size)]
        if not shown:
            return []
        first, *more = shown
        parts = [f"{self.mark(first.words)} {verb} {self.number(first.size)}"]
        parts += [f"{self.mark(term.words)} {self.number(term.size)}" for term in more]
        if not self.is_nothing(others):
            parts.append(f"others {self.number(others)}")
        return [join_words(parts)]

    def describe_rest(self, rest: float) -> list[str]:
        """Write what the module leaves unexplained, as a list of none or one clause."""
        if self.is_nothing(rest):
            return []
        if rest > 0:
            return [f"the rest, {self.number(rest)}, is not explained"]
        return [f"together {self.number(-rest)} more than the network says"]
