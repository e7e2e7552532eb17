"""Makes small photos, and files of them."""

import io

import numpy as np
from PIL import Image


def make_pixels(height: int = 60, width: int = 90) -> np.ndarray:
    """Draw a brown bird's back before a sky, in a manner that no two sizes share."""
    pixels = np.full((height, width, 3), (150, 180, 220), np.uint8)
    pixels[height // 3 : 2 * height // 3, width // 4 : width // 2] = (120, 80, 40)
    pixels += np.random.default_rng(2).integers(0, 20, pixels.shape, dtype=np.uint8)
    return pixels


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def make_jpeg(height: int = 60, width: int = 90) -> bytes:
    return encode(Image.fromarray(make_pixels(height, width)), "JPEG")
