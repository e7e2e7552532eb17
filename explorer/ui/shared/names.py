"""Names under which categories and trainings are shown."""

from collections.abc import Sequence

from explorer.data.cub import format_category
from explorer.jobs.types import JobRequest


def name_categories(categories: Sequence[str]) -> dict[str, str]:
    """Return the name under which each category is shown, no two alike."""
    plain = [format_category(category) for category in categories]
    return {
        category: name if plain.count(name) == 1 else category
        for category, name in zip(categories, plain, strict=True)
    }


def name_training(request: JobRequest) -> str:
    """Name a training by its categories, the first two of them where there are more."""
    names = [format_category(category) for category in request.categories]
    if len(names) <= 2:
        return " and ".join(names)
    return f"{names[0]}, {names[1]} and {len(names) - 2} more"
