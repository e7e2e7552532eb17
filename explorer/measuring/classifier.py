"""Measuring the accuracy of a classifier."""

import numpy as np
from numpy.typing import NDArray

from explorer.config import Steps
from explorer.measuring.records import ClassifierMeasures, save_classifier_measures
from explorer.storage.writing import refuse_if_public
from explorer.workspace.features import Features
from explorer.workspace.workspace import Workspace


def measure_classifier(workspace: Workspace) -> Steps[ClassifierMeasures]:
    """Measure and store top-1 accuracy on training photos and on held-out photos.

    Raises
    ------
    PublicError
        On a public server.
    """
    refuse_if_public()
    features = yield from workspace.networks.compute_features()
    is_right, is_test, _ = _judge(workspace, features)
    measures = ClassifierMeasures(
        classifier_sha256=workspace.networks.backbone.sha256,
        train_accuracy=_compute_mean(is_right[~is_test]),
        test_accuracy=_compute_mean(is_right[is_test]),
        test_photos=int(is_test.sum()),
        category_accuracies=compute_category_accuracies(workspace, features),
    )
    save_classifier_measures(workspace, measures)
    return measures


def compute_category_accuracies(
    workspace: Workspace, features: Features
) -> tuple[float | None, ...]:
    """Compute the accuracy on the held-out photos of each category; None where there are none."""
    is_right, is_test, labels = _judge(workspace, features)
    count = len(workspace.dataset.categories)
    known = np.bincount(labels[is_test], minlength=count).tolist()
    right = np.bincount(labels[is_test & is_right], minlength=count).tolist()
    return tuple(one / of if of else None for one, of in zip(right, known, strict=True))


def _judge(
    workspace: Workspace, features: Features
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.int64]]:
    """Return for each photo whether it is classified correctly and held out, and its category."""
    photos = map(workspace.dataset.get_photo, features.image_ids.tolist())
    labels = np.array([photo.category_index for photo in photos])
    is_test = np.isin(features.image_ids, [photo.image_id for photo in workspace.held_out])
    return features.logits.argmax(axis=1) == labels, is_test, labels


def _compute_mean(values: NDArray[np.bool_]) -> float | None:
    return float(values.mean()) if values.size else None
