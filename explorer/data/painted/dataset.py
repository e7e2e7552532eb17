"""Painting a data set of birds in the folder layout of CUB-200-2011.

Its categories are invented, and differ in their traits. The ground truth of each photo is exact:
the box, the part points and their visibility, and the parts that distinguish a category from its
nearest relatives. Each scene can be painted again with a changed trait.
"""

import io
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from explorer.config import ExplorerError, Progress
from explorer.data.painted.photo import PaintedPhoto, paint_photo
from explorer.data.painted.plans import DEFAULT_PLAN, PLANS
from explorer.data.painted.relatives import find_nearest_relatives
from explorer.data.painted.scene import Scene, draw_scene
from explorer.data.painted.traits import PART_NAMES, TRAIT_PARTS, BirdTraits
from explorer.storage.listing import list_folder
from explorer.storage.writing import make_folder, stage_folder, write_draft

SCHEMA_VERSION = 1
TRAITS_FILE = "traits.json"
_MAX_ATTEMPTS = 200
_SUBSAMPLING = 0  # 4:4:4, because a trait is often only a few pixels of colour.


@dataclass(frozen=True)
class PaintedSettings:
    """Settings of a painted data set.

    Attributes
    ----------
    seed : int
        Random seed, at least 0; the same seed gives the same files.
    photos_per_category, test_photos_per_category : int
        Number of photos of each category, and how many of them are test photos.
    size : int
        Side of the square photos, pixels.
    supersampling : int
        Factor by which shapes are oversampled for anti-aliasing.
    quality : int
        JPEG quality, 1 to 95.
    plan : str
        The categories, a key of `PLANS`.
    """

    seed: int = 0
    photos_per_category: int = 60
    test_photos_per_category: int = 15
    size: int = 128
    supersampling: int = 4
    quality: int = 83
    plan: str = DEFAULT_PLAN

    def __post_init__(self) -> None:
        """Check the settings."""
        if not 0 < self.test_photos_per_category < self.photos_per_category:
            raise ExplorerError(
                f"{self.test_photos_per_category} of {self.photos_per_category} photos cannot be "
                "test photos. Choose at least one test photo and one training photo."
            )
        if self.size < 32 or self.supersampling < 1 or not 1 <= self.quality <= 95 or self.seed < 0:
            raise ExplorerError(
                "Painted photos need a size of at least 32, a supersampling of at least 1, "
                "a quality from 1 to 95 and a seed that is not negative."
            )
        if self.plan not in PLANS:
            raise ExplorerError(
                f"There are no painted birds named {self.plan!r}. Choose among: {', '.join(PLANS)}."
            )

    @property
    def categories(self) -> Mapping[str, BirdTraits]:
        """The traits of each category, in the order of their class numbers."""
        return PLANS[self.plan]


def find_scene(name: str, settings: PaintedSettings, photo: int) -> tuple[Scene, PaintedPhoto]:
    """Return the scene of a photo of a category, and the photo.

    Scenes are drawn until a part that distinguishes the category from each of its nearest relatives
    is visible, so that every photo can be recognised.
    """
    index = list(settings.categories).index(name)
    traits = settings.categories[name]
    relatives = find_nearest_relatives(name, settings.categories)
    for attempt in range(_MAX_ATTEMPTS):
        sequence = np.random.SeedSequence([settings.seed, index, photo, attempt])
        scene = draw_scene(int(sequence.generate_state(1)[0]))
        painted = paint_photo(traits, scene, settings.size, settings.supersampling)
        shown = {part for part, seen in zip(PART_NAMES, painted.visible, strict=True) if seen}
        if all(shown & set(relative.telling_parts) for relative in relatives):
            return scene, painted
    raise ExplorerError(f"No scene shows the distinguishing parts of {name}. Choose another seed.")


def choose_test_photos(settings: PaintedSettings, category: int) -> frozenset[int]:
    """Return the indices (from 0) of the test photos of a category.

    One photo is drawn at random from each block of consecutive photos, which spreads the test
    photos evenly.
    """
    rng = np.random.default_rng([settings.seed, category, 1])
    edges = np.linspace(
        0, settings.photos_per_category, settings.test_photos_per_category + 1
    ).astype(int)
    return frozenset(int(rng.integers(start, end)) for start, end in itertools.pairwise(edges))


def paint_dataset(root: Path, settings: PaintedSettings | None = None) -> Iterator[Progress]:
    """Paint a data set in the layout of CUB-200-2011, with an additional ``traits.json``.

    The folder is created when all photos are finished. An interrupted run leaves no files.

    Parameters
    ----------
    root : Path
        Target folder, which is created if it is missing, and must be empty otherwise.
    settings : PaintedSettings, optional
        Settings of the data set.

    Yields
    ------
    Progress
        After each photo.

    Raises
    ------
    ExplorerError
        When `root` is not an empty folder, or cannot be written.
    """
    settings = settings or PaintedSettings()
    root = Path(root)
    if root.exists() and (not root.is_dir() or list_folder(root)):
        raise ExplorerError(
            f"{root} is not an empty folder. Choose another folder for the painted birds, or empty "
            "this one first."
        )
    try:
        with stage_folder(root) as draft:
            yield from _paint_into(draft, settings)
    except OSError as error:
        raise ExplorerError(
            f"The painted birds cannot be written to {root}: {error}. Choose a writable folder "
            "with at least 5 MB of free space."
        ) from error


def _paint_into(root: Path, settings: PaintedSettings) -> Iterator[Progress]:
    tables = _Tables()
    scene_seeds: dict[str, int] = {}
    total = len(settings.categories) * settings.photos_per_category
    for index, name in enumerate(settings.categories):
        folder = f"{index + 1:03d}.{name}"
        make_folder(root / "images" / folder)
        tables.classes.append(f"{index + 1} {folder}")
        test_photos = choose_test_photos(settings, index)
        for photo in range(settings.photos_per_category):
            image_id = len(scene_seeds) + 1
            scene, painted = find_scene(name, settings, photo)
            scene_seeds[str(image_id)] = scene.seed
            path = f"{folder}/{name}_{photo + 1:04d}.jpg"
            write_draft(root / "images" / path, encode_photo(painted.image, settings.quality))
            tables.add(image_id, path, index + 1, photo not in test_photos, painted)
            yield Progress("Painting birds", image_id, total)
    tables.write(root)
    truth = _describe(settings, scene_seeds)
    write_draft(root / TRAITS_FILE, (json.dumps(truth, indent=1) + "\n").encode())


def encode_photo(image: npt.NDArray[np.uint8], quality: int) -> bytes:
    """Compress a photo as JPEG, with the settings used for the data set."""
    file = io.BytesIO()
    Image.fromarray(image).save(
        file, "JPEG", quality=quality, optimize=True, subsampling=_SUBSAMPLING
    )
    return file.getvalue()


class _Tables:
    """The lines of the text files in the CUB layout."""

    def __init__(self) -> None:
        self.images: list[str] = []
        self.classes: list[str] = []
        self.labels: list[str] = []
        self.boxes: list[str] = []
        self.split: list[str] = []
        self.locations: list[str] = []

    def add(
        self, image_id: int, path: str, class_id: int, is_training: bool, photo: PaintedPhoto
    ) -> None:
        """Add the lines of a photo."""
        self.images.append(f"{image_id} {path}")
        self.labels.append(f"{image_id} {class_id}")
        self.boxes.append(f"{image_id} " + " ".join(f"{value:.1f}" for value in photo.box))
        self.split.append(f"{image_id} {int(is_training)}")
        for part, ((x, y), seen) in enumerate(zip(photo.parts, photo.visible, strict=True), 1):
            self.locations.append(f"{image_id} {part} {x:.1f} {y:.1f} {int(seen)}")

    def write(self, root: Path) -> None:
        """Write all files to `root`."""
        make_folder(root / "parts")
        parts = [f"{number} {name}" for number, name in enumerate(PART_NAMES, 1)]
        for name, lines in {
            "images.txt": self.images,
            "classes.txt": self.classes,
            "image_class_labels.txt": self.labels,
            "bounding_boxes.txt": self.boxes,
            "train_test_split.txt": self.split,
            "parts/parts.txt": parts,
            "parts/part_locs.txt": self.locations,
        }.items():
            write_draft(root / name, ("\n".join(lines) + "\n").encode())


def _describe(settings: PaintedSettings, scene_seeds: dict[str, int]) -> dict[str, object]:
    """Return the contents of ``traits.json``."""
    names = {
        name: f"{number:03d}.{name}" for number, name in enumerate(settings.categories, start=1)
    }
    return {
        "schema_version": SCHEMA_VERSION,
        "note": "All categories are invented; the photos are painted by a program.",
        "seed": settings.seed,
        "settings": asdict(settings),
        "trait_parts": {trait: list(parts) for trait, parts in TRAIT_PARTS.items()},
        "categories": [
            {
                "class_id": index,
                "name": names[name],
                "traits": asdict(traits),
                "nearest_relatives": [
                    {
                        "name": names[item.name],
                        "differing_traits": list(item.differing_traits),
                        "telling_parts": list(item.telling_parts),
                    }
                    for item in find_nearest_relatives(name, settings.categories)
                ],
            }
            for index, (name, traits) in enumerate(settings.categories.items(), start=1)
        ],
        "scene_seeds": scene_seeds,
    }
