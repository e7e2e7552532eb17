"""What came out of a comparison, as sentences made from its numbers."""

from collections.abc import Mapping

from explorer.analysis.estimates import Estimate
from explorer.analysis.table import Measured
from explorer.data.names import join_words
from explorer.methods.registry import DEFAULT, METHODS, list_paper_figures

_SRAE = "srae"

Estimates = Mapping[Measured, Estimate]


def list_findings(estimates: Estimates) -> tuple[str, ...]:
    """Say what came out: about locality and about faithfulness, against the paper's Table 1.

    Parameters
    ----------
    estimates : Mapping
        From `explorer.analysis.table.summarise`.

    Returns
    -------
    tuple of str
        Sentences in Markdown: about the locality of SRAE, about F_reg and the number of x-features
        that carry the score, and about the explorer's default method beside SRAE. Those whose
        numbers are missing are left out.
    """
    found = (
        _describe_locality(estimates),
        _describe_scores(estimates),
        _describe_default(estimates),
    )
    return tuple(sentence for sentence in found if sentence)


def describe_verdict(estimates: Estimates) -> str:
    """Say in two plain sentences how the default method compares with the paper's own.

    Parameters
    ----------
    estimates : Mapping
        From `explorer.analysis.table.summarise`.

    Returns
    -------
    str
        In Markdown; empty if numbers are missing. One is called more local only if the intervals
        of the weighted locality do not touch.
    """
    names = ("effective_number", "weighted_locality", "relative_f_reg_test")
    if any((method, one) not in estimates for method in (DEFAULT.name, _SRAE) for one in names):
        return ""
    number, locality, error = (
        (estimates[DEFAULT.name, one], estimates[_SRAE, one]) for one in names
    )
    if not _are_apart(*locality):
        maps = "and its maps are about as local"
    elif locality[0].mean < locality[1].mean:
        maps = "and its maps are more local"
    else:
        maps = "but its maps are less local"
    return (
        f"**{DEFAULT.title}** shares the score among {number[0].mean:.1f} x-features, the paper's "
        f"SRAE among {number[1].mean:.1f}, {maps}. The score that {DEFAULT.title} rebuilds is off "
        f"by {error[0].mean:.1%} of the range of scores, that of SRAE by {error[1].mean:.1%}."
    )


def _describe_locality(estimates: Estimates) -> str:
    """Compare the locality of SRAE with that of the paper's other methods that draw the score."""
    own = estimates.get((_SRAE, "locality"))
    others = {
        method: estimates[method, "locality"]
        for method in _list_published("locality")
        if method not in (_SRAE, "z") and (method, "locality") in estimates
    }
    if own is None or not others:
        return ""
    is_whole = len(others) == len(_list_published("locality")) - 2  # without SRAE and Z
    nearest = min(others, key=lambda method: others[method].mean)
    is_lowest = own.mean < others[nearest].mean
    return (
        f"Leaving Z aside, SRAE's maps are {'' if is_lowest else 'not '}the most local of the "
        f"paper's methods{'' if is_whole else ' that were compared'}: "
        f"their locality is {own.mean:.3f}, that of {METHODS[nearest].title}"
        f"{', the next,' if is_lowest else ''} {others[nearest].mean:.3f}; "
        f"{_describe_intervals(own, others)}, and {_describe_order(estimates, 'locality')}."
    )


def _describe_intervals(own: Estimate, others: Mapping[str, Estimate]) -> str:
    if min(own.count, *(other.count for other in others.values())) < 2:
        return "a single category has no interval"
    apart = [METHODS[name].title for name, other in others.items() if _are_apart(own, other)]
    if not apart:
        return "SRAE's 95% interval overlaps with all others"
    if len(apart) == len(others):
        return "SRAE's 95% interval overlaps with no other"
    return f"SRAE's 95% interval overlaps with all others but {join_words(apart)}'s"


def _are_apart(one: Estimate, other: Estimate) -> bool:
    return one.high < other.low or other.high < one.low


def _describe_scores(estimates: Estimates) -> str:
    """Say how faithful SRAE is, and how many x-features carry its score."""
    own = estimates.get((_SRAE, "f_reg_test"))
    if own is None:
        return ""
    words = (
        f"SRAE's score is {own.mean:.3f} from the network's on average over test photos (F_reg), "
        f"and {_describe_order(estimates, 'f_reg_test')}"
    )
    number, share = (estimates.get((_SRAE, name)) for name in ("effective_number", "top_share"))
    if number is None or share is None:
        return f"{words}."
    return (
        f"{words}; {number.mean:.1f} x-features carry the score, the largest with "
        f"{share.mean:.0%} of it."
    )


def _describe_default(estimates: Estimates) -> str:
    """Say how the default method compares with the paper's own."""
    names = ("locality", "weighted_locality", "f_reg_test", "effective_number", "top_share")
    if any((method, one) not in estimates for method in (DEFAULT.name, _SRAE) for one in names):
        return ""
    locality, weighted, f_reg, number, share = (
        (estimates[DEFAULT.name, one].mean, estimates[_SRAE, one].mean) for one in names
    )
    return (
        f"{DEFAULT.title}, the default, has a locality of {locality[0]:.3f} ({weighted[0]:.3f} if "
        f"x-features count by their contributions; SRAE {weighted[1]:.3f}) and an F_reg of "
        f"{f_reg[0]:.3f}; {number[0]:.1f} x-features carry its score, the largest with "
        f"{share[0]:.0%} (SRAE {share[1]:.0%})."
    )


def _describe_order(estimates: Estimates, measure: str) -> str:
    """Say whether the means of the paper's methods, without Z, are in the paper's order."""
    published = [
        method
        for method in _list_published(measure)
        if method != "z" and (method, measure) in estimates
    ]
    if len(published) < 2:
        return "there is no other method to compare the paper's order with"
    means = {method: estimates[method, measure].mean for method in published}
    order = sorted(published, key=lambda method: means[method])
    words = " < ".join(METHODS[method].title for method in order)
    if order == published:
        return f"the paper's order holds ({words})"
    paper = " < ".join(METHODS[method].title for method in published)
    return f"the order is {words}, in the paper {paper}"


def _list_published(measure: str) -> list[str]:
    """List the methods with a figure in the paper, the lowest first."""
    figures = {method: f for (method, name), f in list_paper_figures().items() if name == measure}
    return sorted(figures, key=lambda method: figures[method])
