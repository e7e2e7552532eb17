import os
from pathlib import Path

import pytest
from PIL import Image

from explorer.config import CUB_ROOT_VARIABLE, REPOSITORY_ROOT
from explorer.data.cub import CubDataset, load_cub

# Ids with gaps and out of order, as a subset of CUB may have them.
CUB_FILES = {
    "classes.txt": "7 007.Red_Bird\n16 016.Blue_Bird\n",
    "images.txt": "30 016.Blue_Bird/c.jpg\n5 007.Red_Bird/a.jpg\n12 007.Red_Bird/b.jpg\n",
    "image_class_labels.txt": "5 7\n12 7\n30 16\n",
    "bounding_boxes.txt": "5 1.0 2.0 10.0 8.0\n12 0.0 0.0 20.0 10.0\n30 4.5 3.0 6.0 5.0\n",
    "train_test_split.txt": "5 1\n12 0\n30 1\n",
    "parts/parts.txt": "2 beak\n9 left eye\n",
    "parts/part_locs.txt": (
        "5 2 3.5 4.0 1\n5 9 0.0 0.0 0\n12 2 1.0 1.0 1\n12 9 2.0 2.0 1\n30 2 5.0 4.0 1\n30 9 6 6 1\n"
    ),
}


@pytest.fixture
def cub_folder(tmp_path: Path) -> Path:
    """Return a CUB folder with three photos, 20 pixels wide and 10 high, of two categories."""
    root = tmp_path / "cub"
    for name, text in CUB_FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for line in CUB_FILES["images.txt"].splitlines():
        path = root / "images" / line.split()[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 10), (200, 100, 50)).save(path, quality=95)
    return root


@pytest.fixture(scope="session")
def cub40_root() -> Path:
    """Return the folder of the real CUB-200-2011, or of its first 40 categories."""
    default = REPOSITORY_ROOT.parent / "shared" / "cub40"
    root = Path(os.environ.get(CUB_ROOT_VARIABLE) or default)
    if not (root / "images.txt").exists():
        pytest.skip(f"CUB-200-2011 is not at {root}: set {CUB_ROOT_VARIABLE} to its folder")
    return root


@pytest.fixture(scope="session")
def real_cub(cub40_root: Path) -> CubDataset:
    return load_cub(cub40_root)
