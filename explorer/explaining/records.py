"""What is said of photos as records, which the command ``explain`` writes as JSON.

The format is documented in ``docs/explain.md``; a test compares the two.
"""

from dataclasses import dataclass

from explorer.analysis.trust import Count
from explorer.data.names import name_categories
from explorer.data.uploads.decoding import Upload
from explorer.explaining.answer import Answer
from explorer.explaining.part_shares import PartShares
from explorer.explaining.photo import Sum
from explorer.explaining.sentence import describe_contributions
from explorer.explaining.words import describe_answer

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class CategoryRecord:
    """A category: its name, score ŷ, probability, and whether the photo may well show it."""

    category: str
    name: str
    y_hat: float
    probability: float
    in_set: bool


@dataclass(frozen=True)
class XFeatureRecord:
    """An x-feature, counted from 1: its name if it has one, activation E and contribution vE.

    ``part_shares`` has the share of its heat on each found part, in [0, 1]; None without them.
    """

    x_feature: int
    name: str | None
    activation: float
    contribution: float
    part_shares: dict[str, float] | None = None


@dataclass(frozen=True)
class FoundPartRecord:
    """A part that was found on a photo: where, in pixels, and with what confidence, in [0, 1]."""

    part: str
    x: float
    y: float
    confidence: float


@dataclass(frozen=True)
class FoundRecord:
    """What was found on a photo: the box (x, y, width, height), in pixels, and the parts."""

    box: tuple[float, float, float, float]
    parts: tuple[FoundPartRecord, ...]


@dataclass(frozen=True)
class ExplanationRecord:
    """What adds up to a category's score.

    Attributes
    ----------
    category, run : str
        The category and the module that explains it.
    y_hat, y_bar : float
        Score of the network and of the module.
    rest : float
        ``y_hat - y_bar``, what the module does not explain.
    base : float
        The module's score without any x-feature; 0 in the paper's method.
    x_features : tuple of XFeatureRecord
        Their contributions and the base add up to `y_bar`.
    sentence : str
        What the score is made of, in words.
    """

    category: str
    run: str
    y_hat: float
    y_bar: float
    rest: float
    base: float
    x_features: tuple[XFeatureRecord, ...]
    sentence: str


@dataclass(frozen=True)
class PhotoRecord:
    """What is said of one photo.

    Attributes
    ----------
    file : str
        Path of the file, as given.
    width, height : int
        Size in pixels, as read.
    notes : tuple of str
        What the photo may lack because of its file.
    level : str or None
        ``known``, ``borderline`` or ``strange``; None if there are too few test photos to tell.
    share_as_strange : float or None
        Share of test photos that look as strange, in [0, 1].
    certainty : float
        Probability of the first category.
    headline, text : str
        The verdict in words.
    at_certainty, when_named : Count or None
        How often the network is right at this certainty, and when it names the first category.
    categories : tuple of CategoryRecord
        All categories, the most probable first.
    explanation : ExplanationRecord or None
        None if there is no module.
    found : FoundRecord or None
        None if parts are not looked for, because there is nothing to find them with, no module, or
        the photo is strange.
    """

    file: str
    width: int
    height: int
    notes: tuple[str, ...]
    level: str | None
    share_as_strange: float | None
    certainty: float
    headline: str
    text: str
    at_certainty: Count | None
    when_named: Count | None
    categories: tuple[CategoryRecord, ...]
    explanation: ExplanationRecord | None
    found: FoundRecord | None = None


@dataclass(frozen=True)
class FailureRecord:
    """A file that could not be read, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class ReportRecord:
    """What is said of several photos.

    Attributes
    ----------
    schema_version : int
        Version of this format.
    workspace, classifier_sha256 : str
        The workspace, and the hash of its network.
    photos : tuple of PhotoRecord
        In the order in which they were given.
    failures : tuple of FailureRecord
        Files that could not be read.
    """

    schema_version: int
    workspace: str
    classifier_sha256: str
    photos: tuple[PhotoRecord, ...]
    failures: tuple[FailureRecord, ...]


def describe_photo(
    file: str,
    upload: Upload,
    answer: Answer,
    explanation: Sum | None,
    parts: PartShares | None = None,
) -> PhotoRecord:
    """Make the record of a photo."""
    names = name_categories(answer.categories)
    words, judgement = describe_answer(answer, names), answer.judgement
    likely = set(answer.likely)
    return PhotoRecord(
        file=file,
        width=upload.pixels.shape[1],
        height=upload.pixels.shape[0],
        notes=upload.notes,
        level=None if judgement is None else judgement.level.value,
        share_as_strange=None if judgement is None else judgement.share,
        certainty=answer.certainty,
        headline=words.headline,
        text=" ".join(words.sentences),
        at_certainty=answer.at_certainty,
        when_named=answer.when_named,
        categories=tuple(
            CategoryRecord(
                category=answer.categories[index],
                name=names[answer.categories[index]],
                y_hat=float(answer.logits[index]),
                probability=float(answer.probabilities[index]),
                in_set=index in likely,
            )
            for index in answer.order
        ),
        explanation=None if explanation is None else _describe_sum(explanation, parts),
        found=None if parts is None else _describe_found(parts),
    )


def _describe_found(parts: PartShares) -> FoundRecord:
    found = parts.found
    return FoundRecord(
        box=found.box,
        parts=tuple(
            FoundPartRecord(name, x, y, confidence)
            for name, (x, y), confidence, is_visible in zip(
                parts.names,
                found.points.tolist(),
                found.confidence.tolist(),
                found.visible,
                strict=True,
            )
            if is_visible
        ),
    )


def _describe_sum(explanation: Sum, parts: PartShares | None) -> ExplanationRecord:
    count = len(explanation.x_features)
    shares: list[dict[str, float] | None] = [None] * count
    if parts is not None:
        shares = [dict(zip(parts.names, row, strict=True)) for row in parts.shares.tolist()]
    rows = zip(
        explanation.x_features.tolist(), explanation.contributions.tolist(), shares, strict=True
    )
    return ExplanationRecord(
        category=explanation.entry.category,
        run=explanation.entry.run,
        y_hat=explanation.y_hat,
        y_bar=explanation.y_bar,
        rest=explanation.y_hat - explanation.y_bar,
        base=explanation.base,
        x_features=tuple(
            XFeatureRecord(feature + 1, explanation.names.get(feature), *row)
            for feature, row in enumerate(rows)
        ),
        sentence=describe_contributions(
            explanation.contributions, explanation.y_hat, explanation.names, base=explanation.base
        ),
    )
