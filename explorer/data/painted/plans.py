"""The sets of categories that can be painted, by name.

All categories are invented. Their names resemble those of birds, but their plumages do not follow
any species.
"""

from collections.abc import Mapping
from types import MappingProxyType

from explorer.data.painted.crossed import CROSSED, CROSSED_OTHERS
from explorer.data.painted.pairs import PAIRS
from explorer.data.painted.traits import BirdTraits

PLANS: Mapping[str, Mapping[str, BirdTraits]] = MappingProxyType(
    {"pairs": PAIRS, "crossed": CROSSED, "crossed-others": CROSSED_OTHERS}
)
"""Traits by category, for each set: categories in pairs, with crossed marks, or with others."""

FIRST_PLAN = "pairs"
"""The set of data sets that do not name theirs, since there was no other."""

DEFAULT_PLAN = "crossed"
"""The set that is painted unless another is named."""
