"""Augmentation of training photos: crops that keep the bird, flips and slight colour changes."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from explorer.config import ExplorerError
from explorer.data.transforms import Box, Size, clip_box, squash_image


@dataclass(frozen=True)
class AugmentSettings:
    """Settings of the augmentation of training photos.

    Attributes
    ----------
    min_zoom : float
        Smallest side of the crop as a fraction of the photo's side, in (0, 1].
    max_stretch : float
        Largest change of the aspect ratio, at least 1.
    min_box_fraction : float
        Minimum share of the area of the bird's box that a crop keeps, in [0, 1].
    flip_probability : float
        Probability of a horizontal flip, in [0, 1].
    brightness, contrast, colour : float
        Largest relative change of all pixels, of their distance from the mean, and of each colour
        channel separately; in [0, 1).
    """

    min_zoom: float = 0.5
    max_stretch: float = 1.25
    min_box_fraction: float = 0.5
    flip_probability: float = 0.5
    brightness: float = 0.2
    contrast: float = 0.2
    colour: float = 0.05

    def __post_init__(self) -> None:
        allowed = {
            "min_zoom": 0 < self.min_zoom <= 1,
            "max_stretch": 1 <= self.max_stretch < math.inf,
            "min_box_fraction": 0 <= self.min_box_fraction <= 1,
            "flip_probability": 0 <= self.flip_probability <= 1,
            "brightness": 0 <= self.brightness < 1,
            "contrast": 0 <= self.contrast < 1,
            "colour": 0 <= self.colour < 1,
        }
        for name, is_allowed in allowed.items():
            if not is_allowed:
                raise ExplorerError(
                    f"The augmentation setting {name} = {getattr(self, name)} is out of range: "
                    "see AugmentSettings for the limits."
                )


DEFAULT_AUGMENT = AugmentSettings()


def augment_image(
    image: NDArray[np.uint8],
    box: Box,
    rng: np.random.Generator,
    size: Size,
    settings: AugmentSettings = DEFAULT_AUGMENT,
) -> NDArray[np.uint8]:
    """Return a random variant of a training photo at the network's input size.

    A crop that keeps at least `settings.min_box_fraction` of the box is squashed to `size`,
    randomly flipped, and slightly changed in brightness, contrast and colour.

    Parameters
    ----------
    image : NDArray[np.uint8]
        Shape (H, W, 3), RGB, 0 to 255; not modified.
    box : tuple[float, float, float, float]
        The bird's box (x, y, width, height), pixels of `image`; clipped to the image.
    rng : np.random.Generator
        Random generator; the same state gives the same picture.
    size : tuple[int, int]
        Height and width of the result, pixels.
    settings : AugmentSettings
        Settings of the augmentation.

    Returns
    -------
    NDArray[np.uint8]
        Shape (height, width, 3), RGB, 0 to 255.

    Raises
    ------
    ValueError
        When `image` is not a non-empty 8-bit RGB array.
    """
    height, width = image.shape[:2]
    top, bottom, left, right = draw_crop((height, width), box, rng, settings)
    variant = squash_image(image[top:bottom, left:right], size)
    if rng.random() < settings.flip_probability:
        variant = np.ascontiguousarray(variant[:, ::-1])
    return _jitter_colours(variant, rng, settings)


def draw_crop(
    size: Size, box: Box, rng: np.random.Generator, settings: AugmentSettings = DEFAULT_AUGMENT
) -> tuple[int, int, int, int]:
    """Draw a random crop that keeps enough of the box: (top, bottom, left, right), pixels."""
    zoom = rng.uniform(settings.min_zoom, 1)
    stretch = math.exp(rng.uniform(-1, 1) * math.log(settings.max_stretch) / 2)
    # Keeping this fraction on both axes keeps at least its square of the area.
    keep = math.sqrt(settings.min_box_fraction)
    x, y, box_width, box_height = clip_box(box, size)
    top, bottom = _draw_edges(size[0], zoom / stretch, (y, box_height), keep, rng)
    left, right = _draw_edges(size[1], zoom * stretch, (x, box_width), keep, rng)
    return top, bottom, left, right


def _draw_edges(
    side: int, zoom: float, span: tuple[float, float], keep: float, rng: np.random.Generator
) -> tuple[int, int]:
    start, length = span
    extent = min(max(zoom * side, keep * length, 1.0), float(side))
    lowest = max(0.0, start + keep * length - extent)
    highest = max(lowest, min(side - extent, start + (1 - keep) * length))
    first = rng.uniform(lowest, highest)
    # Rounded outwards, so that the crop does not lose what must be kept.
    return math.floor(first), min(side, math.ceil(first + extent))


def _jitter_colours(
    image: NDArray[np.uint8], rng: np.random.Generator, settings: AugmentSettings
) -> NDArray[np.uint8]:
    gain = 1 + rng.uniform(-1, 1) * settings.brightness
    contrast = 1 + rng.uniform(-1, 1) * settings.contrast
    gains = gain * (1 + rng.uniform(-1, 1, size=3) * settings.colour)
    mean = gain * sum(cv2.mean(image)[:3]) / 3
    # All changes depend only on the value of a channel, so they are combined in a lookup table.
    values = np.arange(256.0)[:, None] * gains
    table = np.clip((values - mean) * contrast + mean + 0.5, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table[:, None, :]), dtype=np.uint8)
