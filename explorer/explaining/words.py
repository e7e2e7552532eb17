"""The verdict on a photo in one or two sentences, the same on the page and on the command line."""

from collections.abc import Mapping
from typing import NamedTuple

from explorer.analysis.doubt import Level
from explorer.data.names import count_words
from explorer.explaining.answer import Answer

_MOST_NAMED = 6
_SURE = 0.5


class Words(NamedTuple):
    """What is said of a photo, in plain text.

    Attributes
    ----------
    headline : str
        What the network says, or that it does not know.
    sentences : tuple of str
        How far to rely on it.
    """

    headline: str
    sentences: tuple[str, ...]


def describe_answer(answer: Answer, names: Mapping[str, str]) -> Words:
    """Say what the classifier says of a photo, and how far to rely on it.

    Parameters
    ----------
    answer : Answer
        From `explorer.explaining.answer.make_answer`.
    names : Mapping of str to str
        Name of each category; see `explorer.data.names.name_categories`.
    """
    name = names[answer.first]
    if answer.judgement is None:
        return Words(
            f"The network says {name}.",
            ("There are too few test photos to say how far to rely on that.",),
        )
    certain = f"{name}, {format_percent(answer.certainty)} certain"
    as_strange = _describe_strangeness(answer.judgement.share)
    if answer.judgement.level is Level.STRANGE:
        return Words(
            f"This does not look like any of the {len(names)} species that the network knows.",
            (as_strange, f"Its guess all the same is {name}; do not rely on it."),
        )
    record, likely = _describe_record(answer, name), describe_set(answer, names)
    if answer.judgement.level is Level.BORDERLINE:
        return Words(
            f"This may be none of the {len(names)} species that the network knows.",
            (
                as_strange,
                f"If it is one of them, the network says {certain}.",
                record,
                f"If so: {likely[0].lower()}{likely[1:]}",
            ),
        )
    if answer.certainty < _SURE:
        return Words(f"The network is not sure. Its first guess is {certain}.", (record, likely))
    return Words(f"The network says {certain}.", (record, likely))


def describe_set(answer: Answer, names: Mapping[str, str]) -> str:
    """Name the categories that a photo may show, the most probable first."""
    likely = [names[answer.categories[index]] for index in answer.likely]
    if len(likely) == 1:
        return "No other species is likely enough to be named beside it."
    if len(likely) <= _MOST_NAMED:
        return f"It is probably one of: {', '.join(likely)}."
    first, others = ", ".join(likely[:_MOST_NAMED]), len(likely) - _MOST_NAMED
    return f"It is probably one of {len(likely)} species: {first} and {others} more."


def format_percent(share: float) -> str:
    """Write a share in per cent, rounded to 0 or 100 only if it is exactly that."""
    if 0 < share < 0.005:
        return "less than 1%"
    return "more than 99%" if 0.995 <= share < 1 else f"{share:.0%}"


def _describe_strangeness(share: float) -> str:
    if share == 0:
        return "No test photo looks as strange to it."
    few = "Fewer than 1%" if share < 0.005 else f"Only {format_percent(share)}"
    return f"{few} of test photos look as strange to it."


def _describe_record(answer: Answer, name: str) -> str:
    """Say how often the classifier was right on similar test photos."""
    alike, named = answer.at_certainty, answer.when_named
    if alike and alike.photos:
        photos = count_words(alike.photos, "test photo")
        words = f"At this certainty it is right on {alike.right} of {photos}"
        if named and named.photos:
            words += f"; when it says {name}, on {named.right} of {named.photos}"
        return f"{words}."
    if named and named.photos:
        photos = count_words(named.photos, "test photo")
        return f"When it says {name}, it is right on {named.right} of {photos}."
    return "It was never this certain of a test photo, nor gave one this name."
