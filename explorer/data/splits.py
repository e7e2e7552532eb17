"""The classifier's held-out photos, and the split of each module into training and test photos."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.config import ExplorerError
from explorer.data.cub import CubDataset
from explorer.data.photo import Photo

_TEST_POSITIVES, _TEST_POSITIVE_SHARE = 10, 1 / 6
_TEST_NEGATIVES, _TEST_NEGATIVE_SHARE = 2000, 1 / 5
_TRAIN_NEGATIVES = 8000


@dataclass(frozen=True)
class Split:
    """Ids of the photos that a module is trained on (`train`) and tested on (`test`)."""

    train: tuple[int, ...]
    test: tuple[int, ...]


def get_held_out(dataset: CubDataset, rule: str) -> tuple[Photo, ...]:
    """List the photos that the classifier is not trained on.

    Parameters
    ----------
    dataset : CubDataset
        The whole data set.
    rule : str
        ``official`` for the test photos in ``train_test_split.txt``, or ``last:N`` for the last N
        photos of each category in the order of ``images.txt``. Photos that are identical to one
        that is not chosen are left out, since the classifier is trained on the same picture.

    Raises
    ------
    ExplorerError
        When the rule is invalid, selects no photo, or leaves a category without training photos.
    """
    chosen = _apply_rule(dataset, rule)
    ids = np.array([photo.image_id for photo in dataset.photos])
    contents = dataset.label_contents(ids.tolist())
    trained_on = contents[~np.isin(ids, list(chosen))]
    held_out = tuple(
        photo
        for photo, is_known in zip(dataset.photos, np.isin(contents, trained_on), strict=True)
        if not is_known
    )
    if not held_out:
        raise ExplorerError(
            f"Each photo that {rule!r} holds out is identical to one to train on. Remove the "
            "copies, or hold out other photos."
        )
    return held_out


def _apply_rule(dataset: CubDataset, rule: str) -> set[int]:
    """Return the ids of the photos that a rule chooses."""
    if rule == "official":
        chosen = {photo.image_id for photo in dataset.photos if not photo.is_training}
        if not chosen:
            raise ExplorerError(
                "train_test_split.txt has no test photos. Hold out photos with 'last:N'."
            )
        return chosen
    match = re.fullmatch(r"last:([1-9]\d*)", rule)
    if match is None:
        raise ExplorerError(f"Unknown split {rule!r}. Use 'official' or 'last:N', such as last:10.")
    count = int(match[1])
    held_out: set[int] = set()
    for category in dataset.categories:
        photos = dataset.photos_of(category)
        if 0 < len(photos) <= count:
            raise ExplorerError(
                f"'{rule}' leaves no training photo for {category}, which has {len(photos)}."
            )
        held_out |= {photo.image_id for photo in photos[-count:]}
    return held_out


def draw_module_split(
    dataset: CubDataset, category: str, held_out: Sequence[Photo], seed: int
) -> Split:
    """Draw the photos that a category's module is trained and tested on.

    The paper trains on 50 positives and 8,000 negatives, and tests on the other 8 to 10 positives
    and 2,000 negatives. Smaller data sets use 10 positives, or a sixth if that is less, and a fifth
    of the negatives for testing. Unlike in the paper, where the classifier was trained on some of
    the test photos, only held-out photos are used for testing. If there are not enough of them, the
    test set is smaller. Photos that are identical to a test photo are not used for training.

    Parameters
    ----------
    dataset : CubDataset
        The whole data set.
    category : str
        The module's category, as in ``classes.txt``.
    held_out : sequence of Photo
        Photos that the classifier is not trained on; see `get_held_out`.
    seed : int
        Seed of the draw, which is independent for each category.

    Raises
    ------
    ExplorerError
        When the category has no held-out photo or no photo to train on.
    """
    digest = hashlib.sha256(f"{seed}/{category}".encode()).digest()
    rng = np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))
    candidates = {photo.image_id for photo in held_out}
    is_positive = np.array([photo.category == category for photo in dataset.photos])
    ids = np.array([photo.image_id for photo in dataset.photos])
    is_candidate = np.array([image_id in candidates for image_id in ids])

    positives, negatives = ids[is_positive], ids[~is_positive]
    positive_count = min(_TEST_POSITIVES, max(1, round(len(positives) * _TEST_POSITIVE_SHARE)))
    negative_count = min(_TEST_NEGATIVES, round(len(negatives) * _TEST_NEGATIVE_SHARE))
    test_positives = _draw(rng, ids[is_positive & is_candidate], positive_count)
    test_negatives = _draw(rng, ids[~is_positive & is_candidate], negative_count)
    contents = dataset.label_contents(ids.tolist())
    is_tested = np.isin(ids, [*test_positives, *test_negatives])
    is_free = ~np.isin(contents, contents[is_tested])
    train_positives = np.sort(ids[is_positive & is_free])
    train_negatives = _draw(rng, np.sort(ids[~is_positive & is_free]), _TRAIN_NEGATIVES)
    if not len(test_positives) or not len(train_positives):
        raise ExplorerError(
            f"{category} needs at least one held-out photo and one photo to train on. Choose "
            "another --held-out rule when creating the workspace."
        )
    return Split(
        train=tuple(map(int, np.union1d(train_positives, train_negatives))),
        test=tuple(map(int, np.union1d(test_positives, test_negatives))),
    )


def _draw(rng: np.random.Generator, ids: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    return rng.choice(ids, size=min(count, len(ids)), replace=False)
