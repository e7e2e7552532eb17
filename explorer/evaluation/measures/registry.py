"""The list of all measures of the comparison."""

from explorer.evaluation.measures import (
    concepts,
    curves,
    edit_test,
    funny_birds,
    locality,
    pointing,
    scores,
)
from explorer.evaluation.measures.base import Subject
from explorer.evaluation.records import Measures

MEASURES = (
    scores.MEASURE,
    locality.MEASURE,
    concepts.MEASURE,
    curves.MEASURE,
    pointing.MEASURE,
    edit_test.MEASURE,
    funny_birds.MEASURE,
)
"""All measures, in the order of their columns."""


def measure_subject(subject: Subject) -> Measures:
    """Compute all measures."""
    measures: Measures = {}
    for one in MEASURES:
        measures |= one.measure(subject)
    return measures
