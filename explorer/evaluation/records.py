"""Types of the records of a comparison, one per method, category and seed."""

from typing import Any

Measures = dict[str, float | None]
"""Measures by name; None if not defined."""

Record = dict[str, Any]
"""With ``key``, ``method``, ``category``, ``seed`` and ``measures``."""
