"""Locality of a method's maps."""

from explorer.analysis.table import Column, Section
from explorer.evaluation.measures import titles
from explorer.evaluation.measures.base import Measure, Subject
from explorer.evaluation.records import Measures
from explorer.measuring.summaries import compute_mean_outside


def measure_locality(subject: Subject) -> Measures:
    """Measure how local the maps on the test photos are.

    Returns
    -------
    dict
        ``locality`` in nats and ``outside``, the share of the map outside the box, as means over
        live maps; ``live_x_features`` and ``photos``, their numbers.
    """
    return {
        "live_x_features": float(subject.live.sum()),
        "photos": float(len(subject.heats)),
        "locality": subject.summary.mean_locality,
        "outside": compute_mean_outside(subject.summary, subject.live.tolist()),
    }


MEASURE = Measure(
    measure_locality,
    (
        Section(
            titles.FAITHFULNESS,
            (
                Column("locality", "locality", better="low", has_interval=True),
                Column("weighted_locality", "weighted", better="low", has_interval=True),
                Column("outside", "outside box", ".0%", better="low"),
                Column("live_x_features", "live", ".1f"),
            ),
            "Locality is in nats over the category's own test photos; low is local. *Weighted* "
            "locality weights each x-feature by its mean |vₙEₙ|; in the paper's plain mean, those "
            "that hardly contribute count as much as the others. Ranges are 95% bootstrap "
            "intervals over categories. Columns with *paper* have its figures, for 30 categories "
            "of CUB-200-2011 with VGG19.",
        ),
    ),
)
