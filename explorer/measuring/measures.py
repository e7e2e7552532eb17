"""What is measured of a classifier, how often it is right; of a module, how faithful and local."""

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.faithfulness import compute_contributions, compute_live_mask
from explorer.analysis.metrics import describe_faithfulness, describe_locality
from explorer.attribution.explain import DEFAULT_STOP
from explorer.config import Progress
from explorer.nn.checkpoint import ModuleRecord
from explorer.nn.srae import apply_module
from explorer.workspace.layout import SCHEMA_VERSION, ModuleEntry

if TYPE_CHECKING:
    from explorer.workspace.workspace import Workspace


def measure_classifier(workspace: "Workspace") -> Generator[Progress, None, dict[str, Any]]:
    """Measure top-1 accuracy on the photos that the classifier was and was not trained on.

    ``category_accuracies`` holds that on each category's own held-out photos, in the order of the
    data set; None where a category has none.
    """
    features = yield from workspace.compute_features()
    photos = map(workspace.dataset.get_photo, features.image_ids.tolist())
    labels = np.array([photo.category_index for photo in photos])
    is_right = features.logits.argmax(axis=1) == labels
    is_test = np.isin(features.image_ids, [photo.image_id for photo in workspace.held_out])
    return {
        "classifier_sha256": workspace.backbone.sha256,
        "train_accuracy": _compute_mean(is_right[~is_test]),
        "test_accuracy": _compute_mean(is_right[is_test]),
        "test_photos": int(is_test.sum()),
        "category_accuracies": [
            _compute_mean(is_right[is_test & (labels == index)])
            for index in range(len(workspace.dataset.categories))
        ],
    }


def _compute_mean(values: NDArray[np.bool_]) -> float | None:
    return float(values.mean()) if values.size else None


def measure_module(
    workspace: "Workspace", entry: ModuleEntry
) -> Generator[Progress, None, dict[str, Any]]:
    """Measure how faithful and how local a module is.

    Faithfulness is measured on the train and the test photos of the module's split; locality
    on the category's own photos among them.
    """
    module, record = workspace.load_module(entry)
    features = yield from workspace.compute_features()
    metrics: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "classifier_sha256": workspace.backbone.sha256,
        "weights_sha256": record.weights_sha256,
        "stop": DEFAULT_STOP,
    }
    contributions = []
    for part, image_ids in record.split.items():
        z, y_hat, is_positive = workspace.select_scores(features, record.category, image_ids)
        x_features, y_bar = apply_module(module, z)
        contributions.append(compute_contributions(x_features, module.v.weight[0].cpu().numpy()))
        metrics[part] = describe_faithfulness(y_bar, y_hat, contributions[-1], is_positive)
    live = compute_live_mask(np.concatenate(contributions))
    metrics["live"] = live.tolist()
    metrics["locality"] = yield from _measure_locality(workspace, entry, record, live)
    return metrics


def _measure_locality(
    workspace: "Workspace", entry: ModuleEntry, record: ModuleRecord, live: NDArray[np.bool_]
) -> Generator[Progress, None, dict[str, Any]]:
    rows: dict[str, list[int]] = {"all": [], **{part: [] for part in record.split}}
    histograms: list[NDArray[np.float64]] = []
    has_map: list[NDArray[np.bool_]] = []
    photos = workspace.dataset.photos_of(entry.category)
    for done, photo in enumerate(photos, start=1):
        parts = [part for part, ids in record.split.items() if photo.image_id in ids]
        for name in ("all", *parts):
            rows[name].append(len(histograms))
        annotated = workspace.load_parts(photo)
        histogram = annotated.measure(workspace.explain(entry, annotated.image).maps)
        histograms.append(histogram.values)
        has_map.append(histogram.is_live)
        yield Progress("Drawing heatmaps", done, len(photos))
    return describe_locality(np.stack(histograms), np.stack(has_map), live, rows)
