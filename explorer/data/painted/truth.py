"""The known truth about painted birds: which parts tell a category from its relatives."""

import json
from collections.abc import Mapping
from pathlib import Path

from explorer.config import ExplorerError

TRUTH_FILE = "traits.json"


def load_telling_parts(root: Path) -> Mapping[str, frozenset[str]] | None:
    """Load, for every category, the parts that tell it from its nearest relatives.

    Parameters
    ----------
    root : Path
        A CUB folder.

    Returns
    -------
    Mapping or None
        Category, as in ``classes.txt``, to names of parts; None where the birds are not painted.

    Raises
    ------
    ExplorerError
        When the file is damaged.
    """
    file = root / TRUTH_FILE
    if not file.is_file():
        return None
    try:
        categories = json.loads(file.read_text(encoding="utf-8"))["categories"]
        return {
            category["name"]: frozenset(
                part
                for relative in category["nearest_relatives"]
                for part in relative["telling_parts"]
            )
            for category in categories
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExplorerError(f"{file} is damaged ({error!r}). Paint the birds again.") from error
