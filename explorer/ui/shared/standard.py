"""What a visitor's photo is compared with, read or computed once and shared by all sessions."""

import streamlit as st

from explorer.config import run
from explorer.explaining.answer import Standard, make_standard
from explorer.measuring.references import (
    compute_references,
    load_references,
    try_to_save_references,
)
from explorer.ui.shared import scores
from explorer.ui.shared.caching import Key, cache_resource, get_stamp, make_workspace_key
from explorer.workspace.features import Features
from explorer.workspace.layout import REFERENCES_FILE
from explorer.workspace.workspace import Workspace


def make_standard_key(workspace: Workspace) -> Key:
    """Identify a workspace and its stored references."""
    return (*make_workspace_key(workspace), *get_stamp(workspace.path / REFERENCES_FILE))


@cache_resource(4, also={Workspace: make_standard_key})
def find_standard(workspace: Workspace) -> Standard | None:
    """Read the stored references and fit on them; None if none are stored."""
    references = load_references(workspace)
    return None if references is None else make_standard(references)


def load_standard(workspace: Workspace) -> Standard:
    """Return what photos are compared with, from the features of all photos if it is not stored."""
    stored: Standard | None = find_standard(workspace)
    if stored is not None:
        return stored
    features = scores.load_features(workspace)
    with st.spinner("Looking at test photos to compare yours with, this once …"):
        computed: Standard = _compute_standard(workspace, features)
    return computed


# Kept as well, because the workspace may be read-only.
@cache_resource(4)
def _compute_standard(workspace: Workspace, features: Features) -> Standard:
    references = run(compute_references(workspace, features))
    try_to_save_references(workspace, references)
    return make_standard(references)
