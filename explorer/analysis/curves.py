"""Deletion and insertion curves: the score as the pixels with the highest map values change."""

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

FRACTIONS = (0.0, 0.05, 0.15, 0.35, 0.65, 0.85, 0.95, 1.0)
"""Shares of the photo that are changed. With f, 1 - f is one of them: deleting a share of the
patches at random is the same as inserting the rest, so the areas under both curves are the same."""

WAYS = ("deletion", "insertion")

_BLUR_SIGMA = 0.1  # of the width
_PATCHES = 16
_MIN_FALL = 0.5


def blur_image(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Blur an image (3, H, W) strongly, with a Gaussian of a tenth of its width."""
    sigma = _BLUR_SIGMA * pixels.shape[2]
    channels_last = np.ascontiguousarray(pixels.transpose(1, 2, 0))
    blurred = np.asarray(cv2.GaussianBlur(channels_last, (0, 0), sigma), np.float32)
    return blurred.transpose(2, 0, 1)


def select_hottest(heat: ArrayLike, size: tuple[int, int], fraction: float) -> NDArray[np.bool_]:
    """Select the `fraction` of the photo with the highest map values, in 16 × 16 patches.

    Maps have resolutions from 8 to 224. If single pixels were selected, those of a fine map would
    look like noise to the network, those of a coarse map would not.

    Parameters
    ----------
    heat : array_like, shape (h, w), float
        The map; it is averaged over patches, or interpolated if it is coarser.
    size : tuple of int
        Size of the photo, (H, W).
    fraction : float
        In [0, 1].

    Returns
    -------
    ndarray, shape (H, W), bool
    """
    values = np.asarray(heat, np.float32)
    interpolation = cv2.INTER_AREA if min(values.shape) > _PATCHES else cv2.INTER_LINEAR
    patches = cv2.resize(values, (_PATCHES, _PATCHES), interpolation=interpolation)
    count = round(fraction * patches.size)
    chosen = np.zeros(patches.size, np.uint8)
    chosen[np.argsort(-patches.ravel(), kind="stable")[:count]] = 1
    chosen = chosen.reshape(patches.shape)
    return cv2.resize(chosen, size[::-1], interpolation=cv2.INTER_NEAREST).astype(bool)


def make_curve_images(
    pixels: NDArray[np.float32], heat: ArrayLike
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Make the images of both curves, without the end points (the photo and the blurred photo).

    Parameters
    ----------
    pixels : ndarray, shape (3, H, W), float32
        The network's input.
    heat : array_like, shape (h, w), float
        A map, >= 0.

    Returns
    -------
    deleted, inserted : ndarray, shape (len(FRACTIONS) - 2, 3, H, W), float32
        The photo with the highest-valued patches blurred, and the blurred photo with them restored.
    """
    blurred = blur_image(pixels)
    size = (pixels.shape[1], pixels.shape[2])
    masks = [select_hottest(heat, size, fraction) for fraction in FRACTIONS[1:-1]]
    deleted = np.stack([np.where(mask, blurred, pixels) for mask in masks])
    inserted = np.stack([np.where(mask, pixels, blurred) for mask in masks])
    return deleted, inserted


def scale_curves(deletion: ArrayLike, insertion: ArrayLike) -> NDArray[np.float64] | None:
    """Scale both curves so that the photo has value 1 and the blurred photo 0.

    Parameters
    ----------
    deletion, insertion : array_like, shape (len(FRACTIONS),), float
        The score at `FRACTIONS`, summed or averaged over photos. The deletion curve goes from the
        photo to the blurred photo, the insertion curve in the opposite direction.

    Returns
    -------
    ndarray, shape (2, len(FRACTIONS)), float64, or None
        None if the score decreases by less than half from the photo to the blurred photo, so that
        it depends little on the pixels.
    """
    curves = np.stack([np.asarray(deletion, float), np.asarray(insertion, float)])
    photo, blur = curves[0, 0], curves[0, -1]
    if photo - blur <= _MIN_FALL * abs(photo):
        return None
    scaled: NDArray[np.float64] = (curves - blur) / (photo - blur)
    return scaled


def compute_curve_areas(curves: ArrayLike) -> tuple[float, float]:
    """Compute the areas under both curves.

    Parameters
    ----------
    curves : array_like, shape (2, len(FRACTIONS)), float
        From `scale_curves`.

    Returns
    -------
    tuple of float
        Deletion (low is good) and insertion (high is good). With patches in random order, both
        areas are the same on average, so that their difference is 0 by chance; see `FRACTIONS`.

    Notes
    -----
    Petsiuk et al., "RISE: Randomized Input Sampling for Explanation" (2018), section 4.3, with
    one baseline for both curves, and with scaled scores instead of class probabilities.
    """
    deletion, insertion = np.trapezoid(np.asarray(curves, float), FRACTIONS, axis=1)
    return float(deletion), float(insertion)


def name_point(way: str, name: str, fraction: float) -> str:
    """Return the name of the measure for a point of a curve, such as ``deletion_score_at_5``.

    Parameters
    ----------
    way : {"deletion", "insertion"}
    name : {"own", "score"}
        The activation that a map explains, or ŷ.
    fraction : float
        In `FRACTIONS`.
    """
    return f"{way}_{name}_at_{fraction:.0%}".rstrip("%")


def list_fractions(measures: Iterable[str], name: str) -> tuple[float, ...]:
    """List the fractions of the points of a curve among measures, which may be of earlier versions.

    Parameters
    ----------
    measures : iterable of str
        Names of measures.
    name : {"own", "score"}
        As in `name_point`.
    """
    start = f"{WAYS[0]}_{name}_at_"
    percentages = {measure.removeprefix(start) for measure in measures if measure.startswith(start)}
    return tuple(sorted(int(one) / 100 for one in percentages if one.isdecimal()))
