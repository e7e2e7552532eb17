"""Synthetic pictures without a bird, for testing a network."""

import cv2
import numpy as np
from numpy.typing import NDArray

_SIDE = 256
_SEED = 12


def draw_meadow() -> NDArray[np.uint8]:
    """Draw a meadow under a sky, a scene without a bird: (256, 256, 3), uint8, RGB."""
    random = np.random.default_rng(_SEED)
    down = np.linspace(0, 1, _SIDE)[:, None, None]
    sky = np.array([96, 150, 214]) * (1 - down) + np.array([226, 232, 228]) * down
    picture = np.broadcast_to(sky, (_SIDE, _SIDE, 3)).copy()
    across = np.linspace(0, 2 * np.pi, _SIDE)
    hills = ((0.52, 0.05, 1.3, (120, 146, 120)), (0.62, 0.03, 2.1, (92, 134, 70)))
    for level, swing, bends, colour in hills:
        top = (level + swing * np.sin(bends * across + bends)) * _SIDE
        picture[np.arange(_SIDE)[:, None] > top] = colour
    # Grass: blades of different lengths, longer towards the viewer.
    for _ in range(2600):
        x, y = random.integers(_SIDE), int(_SIDE * (0.66 + 0.36 * random.random() ** 0.7))
        length = 3 + 16 * (y / _SIDE - 0.6) * (1 + random.random())
        tip = (int(x + random.normal(0, 3)), int(y - length))
        shade = 0.7 + 0.5 * random.random()
        green = tuple(float(min(255, c * shade)) for c in (96, 146, 58))
        cv2.line(picture, (int(x), y), tip, green, 1, cv2.LINE_AA)
    return np.clip(picture + random.normal(0, 2, picture.shape), 0, 255).astype(np.uint8)


def draw_noise() -> NDArray[np.uint8]:
    """Draw random pixels: (256, 256, 3), uint8, RGB."""
    random = np.random.default_rng(_SEED)
    return random.integers(0, 256, (_SIDE, _SIDE, 3), dtype=np.uint8)
