"""How faithful a method's score is to the classifier's."""

from collections.abc import Iterable
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.agreement import (
    compute_mean_squared_cosine,
    compute_one_against_all_accuracy,
    compute_rank_agreement,
)
from explorer.analysis.faithfulness import compute_contributions, compute_live_mask
from explorer.evaluation.case import Case
from explorer.evaluation.records import Measures
from explorer.measuring.summaries import measure_side
from explorer.nn.probe import LinearProbe
from explorer.nn.srae import ExplanationModule, apply_module


def measure_scores(
    case: Case, module: ExplanationModule | LinearProbe
) -> tuple[Measures, NDArray[np.bool_]]:
    """Measure ȳ against ŷ on the train and the test photos of the split.

    Returns
    -------
    measures : dict
        Measures named ``…_train`` and ``…_test``; None where not defined.
    live : NDArray of bool
        (K,), x-features with a contribution on at least one photo.
    """
    v = module.v.weight[0].cpu().numpy()
    measures: Measures = {}
    contributions = []
    for side, image_ids in (("train", case.split.train), ("test", case.split.test)):
        z, y_hat, is_positive = case.select(image_ids)
        x_features, y_bar = apply_module(module, z)
        contributions.append(compute_contributions(x_features, v))
        logits = case.features.logits[case.features.get_rows(image_ids)]
        rivals = np.delete(logits, case.index, axis=1)
        measured = measure_side(y_bar, y_hat, contributions[-1], is_positive)
        found = asdict(measured.faithfulness) | {
            "rank_agreement": compute_rank_agreement(y_bar, y_hat),
            "accuracy": compute_one_against_all_accuracy(y_bar, rivals, is_positive),
            "classifier_accuracy": compute_one_against_all_accuracy(y_hat, rivals, is_positive),
            "mean_squared_cosine": compute_mean_squared_cosine(x_features),
        }
        measures |= {f"{name}_{side}": value for name, value in found.items()}
    return measures, compute_live_mask(np.concatenate(contributions))


def mean_of_defined(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that are not None; None where there is none."""
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None
