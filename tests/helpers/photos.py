"""Makes small photos, and files of them, and hides those of this machine."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explorer.config import CUB_ROOT_VARIABLE


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


def hide_photos(patch: pytest.MonkeyPatch, cache: Path) -> None:
    """Let no copy of CUB be found but one in `cache`, which stands for the user's cache folder."""
    patch.delenv(CUB_ROOT_VARIABLE, raising=False)
    patch.setattr("explorer.data.photo_folders.get_cache_folder", lambda: cache)
