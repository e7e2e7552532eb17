"""Whether a method's x-features are different concepts."""

from explorer.analysis.concepts import compute_pair_overlaps
from explorer.analysis.table import Column, Section
from explorer.evaluation.measures import titles
from explorer.evaluation.measures.base import Measure, Subject
from explorer.evaluation.records import Measures
from explorer.measuring import summaries


def measure_concepts(subject: Subject) -> Measures:
    """Measure on the test photos how many x-features carry the score, and how their maps overlap.

    Returns
    -------
    dict
        The measures of `ConceptMeasures` by name. Empty if the method has a single activation, or
        activations that do not add up to a score.
    """
    if subject.source.v is None or len(subject.source.v) < 2:
        return {}
    contributions = subject.test_contributions
    summary = summaries.measure_concepts(
        contributions,
        [
            compute_pair_overlaps(heat.maps, own)
            for heat, own in zip(subject.heats, contributions, strict=True)
        ],
        subject.summary,
    )
    return {
        "weighted_locality": summary.weighted_locality,
        "effective_number": summary.effective_number,
        "top_share": summary.top_share,
        "overlap": summary.overlap,
        "silent_photos": float(summary.silent_photos),
        "overlap_pairs": float(summary.pairs),
        "zero_maps": float(summary.zero_maps),
    }


MEASURE = Measure(
    measure_concepts,
    (
        Section(
            titles.CONCEPTS,
            (
                Column("effective_number", "effective number", ".2f", "high", has_interval=True),
                Column("top_share", "top share", ".0%", "low", has_interval=True),
                Column("overlap", "overlap", ".2f", "low", has_interval=True),
            ),
            "On the category's own test photos, the "
            "*effective number* is the exponential of the entropy of |vₙEₙ| / Σ|vE|: 1 if one "
            "x-feature is the whole score, and their number if all contribute equally. *Top share* "
            "is the largest of these shares. *Overlap* is the heat that the maps of two active "
            "x-features have in common (1 is equal).",
        ),
    ),
)
