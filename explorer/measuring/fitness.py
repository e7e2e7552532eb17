"""Whether a user's own network fits the data set, tried on a few photos."""

from collections.abc import Sequence

import numpy as np

from explorer.analysis.chance import compute_chance
from explorer.config import ExplorerError, Progress, Steps
from explorer.data.photo import Photo, load_photo
from explorer.workspace.workspace import Workspace

_MOST_PHOTOS = 48
_FEWEST_PHOTOS = 20  # with fewer, a good network may look like a guess
_BATCH_SIZE = 16
_LEVEL = 0.01


def check_fitness(workspace: Workspace) -> Steps[str]:
    """Try the classifier on a few dozen held-out photos, spread over the categories.

    Returns
    -------
    str
        A note with the usual causes if the network is near chance, else nothing. It is near chance
        if guessing has a probability of more than 1 % to be right on as many of the photos. Nothing
        is said where fewer than 20 held-out photos can be read.
    """
    is_right: list[bool] = []
    photos = _choose_photos(workspace)
    for first in range(0, len(photos), _BATCH_SIZE):
        is_right += _find_right(workspace, photos[first : first + _BATCH_SIZE])
        done = min(first + _BATCH_SIZE, len(photos))
        yield Progress("Trying the network on held-out photos", done, len(photos))
    right, total, categories = sum(is_right), len(is_right), len(workspace.dataset.categories)
    chance = compute_chance(right, total, categories)
    if total < _FEWEST_PHOTOS or chance <= _LEVEL:
        return ""
    architecture = workspace.networks.backbone.architecture
    return (
        f"The network is right on {right} of {total} held-out photos. Guessing among {categories} "
        f"categories does as well in {chance:.0%} of cases. The usual causes: its outputs are in "
        "another order than classes.txt, or it was trained on pixels in the order BGR, from 0 to "
        "255, or normalised in another way. Here it gets RGB from 0 to 1, minus "
        f"{architecture.mean}, divided by {architecture.std}."
    )


def _choose_photos(workspace: Workspace) -> Sequence[Photo]:
    present = {photo.image_id for photo in workspace.dataset.present}
    held_out = [photo for photo in workspace.held_out if photo.image_id in present]
    held_out.sort(key=lambda photo: (photo.category_index, photo.image_id))
    count = min(len(held_out), _MOST_PHOTOS)
    return [held_out[i * len(held_out) // count] for i in range(count)]


def _find_right(workspace: Workspace, photos: Sequence[Photo]) -> list[bool]:
    """Return whether the network is right on each of the photos that can be read."""
    images, labels = [], []
    for photo in photos:
        try:
            images.append(workspace.networks.prepare_image(load_photo(photo)))
        except ExplorerError:  # `doctor` names damaged photos
            continue
        labels.append(photo.category_index)
    if not images:
        return []
    _, logits = workspace.networks.compute_scores(np.stack(images))
    found: list[bool] = (logits.argmax(axis=1) == labels).tolist()
    return found
