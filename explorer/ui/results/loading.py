"""The results of a workspace's comparison, cached and shared by all sessions."""

from explorer.evaluation.results import Results
from explorer.evaluation.results import load_results as read_results
from explorer.evaluation.sanity_results import load_sanity as read_sanity
from explorer.ui.shared.caching import cache_resource, get_stamp
from explorer.workspace.layout import RESULTS_FOLDER, RESULTS_NAME, SANITY_NAME
from explorer.workspace.workspace import Workspace


def _make_results_key(workspace: Workspace) -> object:
    folder = workspace.path / RESULTS_FOLDER
    return str(folder), *(get_stamp(folder / f"{n}.csv") for n in (RESULTS_NAME, SANITY_NAME))


@cache_resource(4, also={Workspace: _make_results_key})
def load_results(workspace: Workspace) -> Results | None:
    """Read the comparison of methods, or None if there is none."""
    return read_results(workspace.path)


@cache_resource(4, also={Workspace: _make_results_key})
def load_sanity(workspace: Workspace) -> Results | None:
    """Read the results of the sanity checks, or None if they have not been run."""
    return read_sanity(workspace.path)
