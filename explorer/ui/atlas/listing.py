"""The x-features that the page lists: all of a workspace, read once for all sessions."""

from dataclasses import replace

from explorer.explaining.atlas import Atlas, describe_atlas
from explorer.methods.runs import get_default_modules
from explorer.ui.shared.caching import cache_resource, get_stamp, make_entry_key, make_workspace_key
from explorer.workspace.notes import get_notes_path
from explorer.workspace.workspace import Workspace


def _make_atlas_key(workspace: Workspace) -> object:
    modules = (
        (make_entry_key(entry), get_stamp(entry.metrics_path), get_stamp(get_notes_path(entry)))
        for entry in workspace.list_modules()
    )
    return make_workspace_key(workspace), tuple(modules)


# Shared, because copies of thousands of records take time. Read only.
@cache_resource(4, also={Workspace: _make_atlas_key})
def load_atlas(workspace: Workspace) -> Atlas:
    """Read names, notes and measures of all x-features; damaged modules are left out."""
    return describe_atlas(workspace, workspace.list_modules())


def choose_usual(workspace: Workspace, atlas: Atlas) -> Atlas:
    """Return the atlas of the module that is shown by default for each category."""
    usual = {(e.category, e.run) for e in get_default_modules(workspace.list_modules()).values()}
    kept = tuple(module for module in atlas.modules if (module.category, module.run) in usual)
    return replace(atlas, modules=kept)
