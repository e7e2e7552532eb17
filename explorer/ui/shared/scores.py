"""Scores of all photos by a module, computed once from cached Z and shared by all sessions."""

import logging
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING

import streamlit as st

from explorer.config import Progress, run
from explorer.measuring.classifier import compute_category_accuracies
from explorer.measuring.scores import ModuleScores, score_photos
from explorer.ui.shared import cached
from explorer.ui.shared.caching import cache_resource
from explorer.workspace.features import Features
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

_LOG = logging.getLogger(__name__)


class _FeatureHolder:
    """The features of one workspace, computed by the first session that needs them."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.features: Features | None = None


@cache_resource(2)
def _get_feature_holder(workspace: Workspace) -> _FeatureHolder:  # noqa: ARG001, it is the key
    return _FeatureHolder()


def load_features(workspace: Workspace) -> Features:
    """Load Z and the logits of all photos, with a progress bar if they have to be computed.

    They are stored on disk, so they are computed once for a workspace and its classifier.
    """
    holder = _get_feature_holder(workspace)
    place = st.empty()
    if holder.lock.locked():
        place.caption("Another visitor's page is reading the photos. This one waits for it …")
    with holder.lock:
        if holder.features is None:
            show = partial(_show_progress, place)
            try:
                holder.features = run(workspace.networks.compute_features(), show)
            except OSError:
                # Disk full or read-only: the page works without the file.
                _LOG.exception("The features cannot be stored, and are held in memory")
                steps = workspace.networks.compute_features(store=False)
                holder.features = run(steps, show)
        place.empty()
        return holder.features


def list_accuracies(workspace: Workspace) -> tuple[float | None, ...]:
    """List the accuracy for each category, as measured or from what another page has loaded.

    Nothing is computed by the network for it; None where nothing is known.
    """
    measured = cached.load_accuracy_or_none(workspace)
    if measured is not None and any(one is not None for one in measured.category_accuracies):
        return measured.category_accuracies
    features = _get_feature_holder(workspace).features
    if features is None:
        return (None,) * len(workspace.dataset.categories)
    return _compute_accuracies(workspace, features)


@cache_resource(4)
def _compute_accuracies(workspace: Workspace, features: Features) -> tuple[float | None, ...]:
    """Compute the accuracies from all scores of all photos, which takes seconds for many."""
    return compute_category_accuracies(workspace, features)


def _show_progress(place: "DeltaGenerator", step: Progress) -> None:
    label = f"Reading {step.total:,} photos through the network, this once …"
    place.progress(step.done / step.total, label)


def score_module(workspace: Workspace, entry: ModuleEntry) -> ModuleScores:
    """Compute a module's scores of every photo of the data set; fast once features are loaded."""
    return _score_module(workspace, entry, load_features(workspace))


# Shared, because copies of the scores of a large data set take time. Read only.
@cache_resource(64)
def _score_module(workspace: Workspace, entry: ModuleEntry, features: Features) -> ModuleScores:
    return score_photos(workspace, entry, features)
