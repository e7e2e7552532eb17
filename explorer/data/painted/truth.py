"""The ground truth of painted birds, and painting photos again with changes."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from PIL import Image

from explorer.config import ExplorerError
from explorer.data.painted.dataset import TRAITS_FILE, PaintedSettings, encode_photo
from explorer.data.painted.photo import PaintedPhoto, paint_photo
from explorer.data.painted.plans import FIRST_PLAN
from explorer.data.painted.relatives import Mark, Relative, find_marks
from explorer.data.painted.scene import PERCHES, Backdrop, Occluder, Scene, draw_scene
from explorer.data.painted.traits import TRAIT_PARTS, BirdTraits, replace_traits
from explorer.data.photo import Photo
from explorer.storage.json_records import parse_json
from explorer.storage.reading import read_regular

Image8 = npt.NDArray[np.uint8]

_GREY = "ash"
NEUTRAL_PARTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "beak": {"beak": _GREY},
        "forehead": {"forehead": _GREY},
        "crown": {"crown": _GREY},
        "face": {"face": _GREY},
        "throat": {"throat": _GREY},
        "breast": {"breast": _GREY, "breast_pattern": "plain"},
        "belly": {"belly": _GREY},
        "back": {"back": _GREY},
        "wing": {"wing": _GREY, "wing_bar": "none"},
        "tail": {"tail": _GREY},
    }
)
"""For each region of a bird, the changes of traits that make it plain grey."""


def get_region_parts(region: str) -> frozenset[str]:
    """Return the annotated parts of a region of `NEUTRAL_PARTS`."""
    return frozenset(part for trait in NEUTRAL_PARTS[region] for part in TRAIT_PARTS[trait])


@dataclass(frozen=True)
class PaintedTruth:
    """The ground truth of a painted data set.

    Attributes
    ----------
    settings : PaintedSettings
        Settings of the data set.
    scene_seeds : Mapping
        Maps image ids to the seeds of their scenes.
    traits : Mapping
        Maps categories, as in ``classes.txt``, to their traits.
    relatives : Mapping
        Maps categories to their nearest relatives, named as in ``classes.txt``.
    """

    settings: PaintedSettings
    scene_seeds: Mapping[int, int]
    traits: Mapping[str, BirdTraits]
    relatives: Mapping[str, tuple[Relative, ...]]

    def get_telling_parts(self, category: str) -> frozenset[str]:
        """Return the parts that distinguish a category from its nearest relatives."""
        relatives = self.relatives[category]
        return frozenset(part for relative in relatives for part in relative.telling_parts)

    def list_marks(self, category: str) -> tuple[Mark, ...]:
        """Return the marks that tell a category from its nearest relatives."""
        return find_marks(self.traits, self.relatives[category])

    def repaint(self, photo: Photo, **changes: str) -> Image8:
        """Paint a photo again with changed traits, with the same compression."""
        return self._compress(self._paint(photo, self.get_scene(photo), changes).image)

    def get_scene(self, photo: Photo) -> Scene:
        """Return the scene of a photo."""
        return draw_scene(self.scene_seeds[photo.image_id])

    def repaint_backdrop(self, photo: Photo, step: int) -> Image8:
        """Paint a photo again with another backdrop: `step` (1 to 6) later in the list of seven."""
        scene = self.get_scene(photo)
        backdrops: list[Backdrop] = list(PERCHES)
        backdrop = backdrops[(backdrops.index(scene.backdrop) + step) % len(backdrops)]
        return self._compress(self._paint(photo, replace(scene, backdrop=backdrop), {}).image)

    def repaint_with_distractor(self, photo: Photo) -> tuple[Image8, npt.NDArray[np.bool_]]:
        """Paint a photo again with a large leaf in the corner opposite the bird.

        Returns
        -------
        image : (H, W, 3) uint8
            The photo, RGB.
        mask : (H, W) bool
            The visible pixels of the leaf.
        """
        scene = self.get_scene(photo)
        x, y, width, height = photo.box
        middle = self.settings.size / 2
        vertical = "top" if y + height / 2 > middle else "bottom"
        horizontal = "left" if x + width / 2 > middle else "right"
        corner = f"{vertical} {horizontal}"
        leaf = Occluder(kind="leaf", part=corner, angle=35.0, length=0.6, width=0.34, tone=0.9)
        before = self._paint(photo, scene, {}).image
        after = self._paint(photo, replace(scene, distractor=leaf), {}).image
        return self._compress(after), (before != after).any(axis=2)

    def _paint(self, photo: Photo, scene: Scene, changes: Mapping[str, str]) -> PaintedPhoto:
        traits = replace_traits(self.traits[photo.category], **changes)
        return paint_photo(traits, scene, self.settings.size, self.settings.supersampling)

    def _compress(self, image: Image8) -> Image8:
        """Compress and decompress a picture as JPEG, like the photos of the data set."""
        with Image.open(io.BytesIO(encode_photo(image, self.settings.quality))) as file:
            return np.asarray(file.convert("RGB"))


def load_truth(root: Path) -> PaintedTruth | None:
    """Load the ground truth of a painted data set.

    Parameters
    ----------
    root : Path
        A folder in the layout of CUB.

    Returns
    -------
    PaintedTruth or None
        None if the data set is not painted.

    Raises
    ------
    ExplorerError
        When the file is damaged.
    """
    file = root / TRAITS_FILE
    if not file.is_file():
        return None
    try:
        found = parse_json(read_regular(file))
        categories = found["categories"]
        truth = PaintedTruth(
            settings=PaintedSettings(**({"plan": FIRST_PLAN} | found["settings"])),
            scene_seeds={int(key): int(seed) for key, seed in found["scene_seeds"].items()},
            traits={category["name"]: BirdTraits(**category["traits"]) for category in categories},
            relatives={
                category["name"]: tuple(
                    Relative(
                        relative["name"],
                        tuple(relative["differing_traits"]),
                        tuple(relative["telling_parts"]),
                    )
                    for relative in category["nearest_relatives"]
                )
                for category in categories
            },
        )
        for category in truth.relatives:
            truth.list_marks(category)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ExplorerError(f"{file} is damaged ({error!r}). Paint the birds again.") from error
    return truth
