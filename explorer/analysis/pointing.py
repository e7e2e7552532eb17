"""The pointing game: the part at the maximum of a map."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def compute_pointing(maps: ArrayLike, labels: ArrayLike) -> NDArray[np.int64]:
    """Return the label at the maximum of each map.

    Parameters
    ----------
    maps : array_like, shape (K, h, w), float
        Maps, >= 0.
    labels : array_like, shape (h, w), int
        Part of each cell; -1 outside the box.

    Returns
    -------
    ndarray, shape (K,), int64
        The label at the first maximum; -1 for a map that is zero everywhere.

    Notes
    -----
    Zhang et al. (2016), section 4.1.
    """
    values, parts = np.asarray(maps), np.asarray(labels)
    if values.ndim != 3 or parts.shape != values.shape[1:]:
        raise ValueError(f"maps (K, h, w) and labels (h, w) do not fit: {values.shape}")
    flat = values.reshape(len(values), -1)
    found = parts.ravel()[flat.argmax(axis=1)].astype(np.int64)
    return np.where(flat.max(axis=1) > 0, found, -1)
