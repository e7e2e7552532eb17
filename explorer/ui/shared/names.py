"""Names under which categories, photos, x-features and trainings are shown."""

from collections.abc import Sequence

from explorer.data.bird_names import spell_name
from explorer.data.cub import format_category
from explorer.data.photo import Photo
from explorer.jobs.types import JobRequest
from explorer.workspace.workspace import Workspace


def name_photo(workspace: Workspace, photo: Photo) -> str:
    """Name a photo by its kind and id: ``Painted bird 12``."""
    return f"{'Painted bird' if workspace.is_painted else 'Photo'} {photo.image_id}"


def name_photos(photos: Sequence[Photo]) -> dict[int, str]:
    """Return the name under which each photo is listed, by image id; all names differ."""
    plain = [spell_name(photo.name) for photo in photos]
    return {
        photo.image_id: name if plain.count(name) == 1 else f"{name} id {photo.image_id}"
        for photo, name in zip(photos, plain, strict=True)
    }


def name_training(request: JobRequest) -> str:
    """Name a job after its categories, or the first two of more, or after what it fetches."""
    if request.fetches_to:
        return "Photos of CUB-200-2011"
    names = [format_category(category) for category in request.categories]
    if len(names) <= 2:
        return " and ".join(names)
    return f"{names[0]}, {names[1]} and {len(names) - 2} more"
