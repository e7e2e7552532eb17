"""Z and logits of photos, computed batch by batch."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from explorer.data.photo import Photo, load_photo
from explorer.nn.backbones.architecture import Architecture
from explorer.nn.backbones.backbone import Backbone

BATCH_SIZE = 32

Rows = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Z (M, S_z) and logits (M, C) of some photos."""


def load_input(photo: Photo, architecture: Architecture) -> NDArray[np.float32]:
    """Load a whole photo, squashed to the network's input (3, H, W)."""
    return architecture.prepare(load_photo(photo))


def compute_batches(backbone: Backbone, photos: Sequence[Photo], first: int) -> Iterator[Rows]:
    """Compute Z and logits in batches, from the photo at index `first` onwards."""
    load = partial(load_input, architecture=backbone.architecture)
    with ThreadPoolExecutor(2) as pool:
        # The next batch is decoded while this one is passed through the network.
        upcoming = [pool.submit(load, photo) for photo in photos[first : first + BATCH_SIZE]]
        for start in range(first, len(photos), BATCH_SIZE):
            images = np.stack([future.result() for future in upcoming])
            following = photos[start + BATCH_SIZE : start + 2 * BATCH_SIZE]
            upcoming = [pool.submit(load, photo) for photo in following]
            z, logits = backbone.compute_features(torch.from_numpy(images).to(backbone.device))
            yield z.cpu().numpy(), logits.cpu().numpy()
