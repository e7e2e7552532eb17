"""Deletion and insertion curves: what becomes of a score when a photo loses its hottest pixels."""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

FRACTIONS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
"""Shares of the photo that are changed."""

WAYS = ("deletion", "insertion")

_BLUR = 0.1
_PATCHES = 16
_LEAST_FALL = 0.5


def blur_image(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Blur an image (3, H, W) until no part can be told: a Gaussian of a tenth of its width."""
    sigma = _BLUR * pixels.shape[2]
    channels_last = np.ascontiguousarray(pixels.transpose(1, 2, 0))
    blurred = np.asarray(cv2.GaussianBlur(channels_last, (0, 0), sigma), np.float32)
    return blurred.transpose(2, 0, 1)


def select_hottest(heat: ArrayLike, size: tuple[int, int], fraction: float) -> NDArray[np.bool_]:
    """Mark the hottest `fraction` of the photo, (H, W), in patches of 1/16 of its sides.

    Maps come at grids of 8 to 224 cells. Ranked by pixel, a fine map would be judged by how the
    network bears speckle, a coarse one by what it shows.

    Parameters
    ----------
    heat : array_like, shape (h, w), float
        At its own grid; averaged over each patch, or drawn up between cells where it is coarser.
    size : tuple of int
        (H, W).
    fraction : float
        In [0, 1].
    """
    values = np.asarray(heat, np.float32)
    way = cv2.INTER_AREA if min(values.shape) > _PATCHES else cv2.INTER_LINEAR
    patches = cv2.resize(values, (_PATCHES, _PATCHES), interpolation=way)
    count = round(fraction * patches.size)
    chosen = np.zeros(patches.size, np.uint8)
    chosen[np.argsort(-patches.ravel(), kind="stable")[:count]] = 1
    chosen = chosen.reshape(patches.shape)
    return cv2.resize(chosen, size[::-1], interpolation=cv2.INTER_NEAREST).astype(bool)


def make_curve_images(
    pixels: NDArray[np.float32], heat: ArrayLike
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Make the images of both curves, without their ends, which are the photo and its blur.

    Parameters
    ----------
    pixels : ndarray, shape (3, H, W), float32
        The network's input.
    heat : array_like, shape (h, w), float
        A map, >= 0.

    Returns
    -------
    deleted, inserted : ndarray, shape (len(FRACTIONS) - 2, 3, H, W), float32
        The photo whose hottest pixels are replaced by its blur, and the blur whose hottest pixels
        are replaced by the photo.
    """
    blurred = blur_image(pixels)
    size = (pixels.shape[1], pixels.shape[2])
    masks = [select_hottest(heat, size, fraction) for fraction in FRACTIONS[1:-1]]
    deleted = np.stack([np.where(mask, blurred, pixels) for mask in masks])
    inserted = np.stack([np.where(mask, pixels, blurred) for mask in masks])
    return deleted, inserted


def scale_curves(deletion: ArrayLike, insertion: ArrayLike) -> NDArray[np.float64] | None:
    """Scale both curves so that the photo has 1 and its blur 0.

    Parameters
    ----------
    deletion, insertion : array_like, shape (len(FRACTIONS),), float
        The score, summed or averaged over photos, at `FRACTIONS`: the one begins at the photo and
        ends at its blur, the other the other way round.

    Returns
    -------
    ndarray, shape (2, len(FRACTIONS)), float64, or None
        None where the score falls by less than half from the photo to its blur, so that the
        pixels explain little of it.
    """
    curves = np.stack([np.asarray(deletion, float), np.asarray(insertion, float)])
    photo, blur = curves[0, 0], curves[0, -1]
    if photo - blur <= _LEAST_FALL * abs(photo):
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
        Deletion (low is good) and insertion (high is good). Patches in random order give the same
        area to both, so that their difference is 0 by chance.

    Notes
    -----
    Petsiuk et al., "RISE: Randomized Input Sampling for Explanation" (2018), section 4.3, with
    one baseline for both curves, and with scores scaled as above instead of class probabilities.
    """
    deletion, insertion = np.trapezoid(np.asarray(curves, float), FRACTIONS, axis=1)
    return float(deletion), float(insertion)


def name_point(way: str, name: str, fraction: float) -> str:
    """Name the measure that is one point of a curve, such as ``deletion_score_at_5``.

    Parameters
    ----------
    way : {"deletion", "insertion"}
    name : {"own", "score"}
        What is followed: the activation that a map explains, or ŷ.
    fraction : float
        In `FRACTIONS`.
    """
    return f"{way}_{name}_at_{fraction:.0%}".rstrip("%")
