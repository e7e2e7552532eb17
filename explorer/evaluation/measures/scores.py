"""Faithfulness of a method's score to the classifier's score."""

from dataclasses import asdict

from explorer.analysis.agreement import (
    compute_mean_squared_cosine,
    compute_one_against_all_accuracy,
    compute_rank_agreement,
)
from explorer.analysis.table import Column, Section
from explorer.evaluation.measures import titles
from explorer.evaluation.measures.base import Measure, Subject
from explorer.evaluation.records import Measures
from explorer.measuring.summaries import measure_side


def measure_scores(subject: Subject) -> Measures:
    """Measure ȳ against ŷ on the training and the test photos of the split.

    Returns
    -------
    dict
        Measures named ``…_train`` and ``…_test``; empty if the method has no ȳ.
    """
    measures: Measures = {}
    for name, side in subject.sides.items():
        measured = measure_side(side.y_bar, side.y_hat, side.contributions, side.is_positive)
        rivals, is_positive = side.other_logits, side.is_positive
        found = asdict(measured.faithfulness) | {
            "rank_agreement": compute_rank_agreement(side.y_bar, side.y_hat),
            "accuracy": compute_one_against_all_accuracy(side.y_bar, rivals, is_positive),
            "classifier_accuracy": compute_one_against_all_accuracy(
                side.y_hat, rivals, is_positive
            ),
            "mean_squared_cosine": compute_mean_squared_cosine(side.x_features),
        }
        measures |= {f"{measure}_{name}": value for measure, value in found.items()}
    return measures


MEASURE = Measure(
    measure_scores,
    (
        Section(
            titles.FAITHFULNESS,
            (
                Column("f_reg_train", "F_reg train", better="low", has_interval=True),
                Column("f_reg_test", "F_reg test", better="low", has_interval=True),
                Column("relative_f_reg_test", "of range", ".1%", better="low"),
                Column("r2_test", "R²", better="high"),
                Column("rank_agreement_test", "rank ρ", better="high"),
                Column("accuracy_test", "one-vs-all", better="high"),
                Column("mean_squared_cosine_test", "cos²", better="low"),
            ),
            "F_reg is the mean of |ȳ − ŷ|, *of range* the same divided by the range of ŷ. "
            "*One-vs-all* is the accuracy of ȳ, instead of ŷ, in telling the category from all "
            "others. *cos²* is the mean squared cosine between x-features.",
        ),
    ),
)
