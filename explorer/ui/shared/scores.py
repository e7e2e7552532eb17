"""What modules say of all photos, read once from cached Z and shared by all sessions."""

import logging
from collections.abc import Generator
from threading import Lock
from typing import TYPE_CHECKING

import streamlit as st

from explorer.ui.shared.cached import Key, make_module_key
from explorer.workspace.layout import ModuleEntry

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from explorer.config import Progress
    from explorer.measuring.scores import ModuleScores
    from explorer.workspace.features import Features
    from explorer.workspace.workspace import Workspace


_LOG = logging.getLogger(__name__)


class _FeatureHolder:
    """The features of one workspace, computed by the first session that asks; others wait."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.features: Features | None = None


@st.cache_resource(show_spinner=False, max_entries=2)
def _get_feature_holder(path: str, classifier: str) -> _FeatureHolder:  # noqa: ARG001
    return _FeatureHolder()


def load_features(workspace: "Workspace") -> "Features":
    """Load Z and the logits of all photos, with a progress bar where they must be computed.

    They are kept on disk, so that this takes time only once for a workspace and its classifier.
    """
    holder = _get_feature_holder(str(workspace.path), workspace.settings.classifier_sha256)
    place = st.empty()
    if holder.lock.locked():
        place.caption("Another visitor's page is reading the photos. This one waits for it …")
    with holder.lock:
        if holder.features is None:
            try:
                holder.features = _run(workspace.compute_features(), place)
            except OSError:
                # No room, or no right to write: what is shown does not depend on it.
                _LOG.exception("The features cannot be stored, and are held in memory")
                holder.features = _run(workspace.compute_features(store=False), place)
        place.empty()
        return holder.features


def _run(steps: "Generator[Progress, None, Features]", place: "DeltaGenerator") -> "Features":
    """Run a computation to its end and return its result, its progress shown in `place`."""
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            features: Features = stop.value
            return features
        label = f"Reading {step.total:,} photos through the network, this once …"
        place.progress(step.done / step.total, label)


def score_module(workspace: "Workspace", entry: ModuleEntry) -> "ModuleScores":
    """Compute what a module says of every photo of the data set; quick once features are there."""
    features = load_features(workspace)
    return _score_module(workspace, entry, features, make_module_key(workspace, entry))


# Shared and not copied for every page: the scores of a large data set are many. Read only.
@st.cache_resource(show_spinner=False, max_entries=64)
def _score_module(
    _workspace: "Workspace",
    _entry: ModuleEntry,
    _features: "Features",
    key: Key,  # noqa: ARG001
) -> "ModuleScores":
    from explorer.measuring.scores import score_photos  # noqa: PLC0415

    return score_photos(_workspace, _entry, _features)
