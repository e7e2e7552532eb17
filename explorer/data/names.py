"""Names under which categories are shown."""

from collections.abc import Sequence

from explorer.data.cub import format_category


def name_categories(categories: Sequence[str]) -> dict[str, str]:
    """Return the name under which each category is shown; all names differ."""
    plain = [format_category(category) for category in categories]
    return {
        category: name if plain.count(name) == 1 else category
        for category, name in zip(categories, plain, strict=True)
    }
