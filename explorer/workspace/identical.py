"""Identical photos of a workspace, which are looked for once and then recorded.

They are recorded rather than looked for again, since held-out photos depend on them: those must be
the same in each session, and also where the photos themselves are missing.
"""

from dataclasses import replace

from explorer.config import Steps
from explorer.data.identical import find_identical
from explorer.workspace.files import WorkspaceFiles


def record_identical(files: WorkspaceFiles) -> Steps[None]:
    """Record which photos have identical files, unless that has been done before.

    The held-out photos change if a photo is found on both sides, so this comes before the first
    use of a network.

    Yields
    ------
    Progress
        As from `find_identical`.
    """
    if files.settings.identical is None:
        identical = yield from find_identical(files.dataset.present)
        files.replace_settings(replace(files.settings, identical=identical))
