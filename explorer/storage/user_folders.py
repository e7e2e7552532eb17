"""The user's own folders: what the explorer downloads, and what it remembers between runs."""

import os
from pathlib import Path

import platformdirs

from explorer.config import STATE_VARIABLE

_NAME = "srae-explorer"


def get_cache_folder() -> Path:
    """Return the folder of downloads, which may be emptied at any time."""
    return platformdirs.user_cache_path(_NAME, appauthor=False)


def get_state_folder() -> Path:
    """Return the folder of jobs, locks and choices: ``SRAE_STATE``, or the system's default."""
    named = os.environ.get(STATE_VARIABLE)
    return Path(named).resolve() if named else platformdirs.user_state_path(_NAME)
