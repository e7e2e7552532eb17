"""What a comparison measures of one method on one category with one seed."""

from typing import Any

Measures = dict[str, float | None]
"""Name of each measure to its value; None where it is not defined."""

Record = dict[str, Any]
"""``key``, ``method``, ``category``, ``seed`` and ``measures``."""
