"""Shows how many birds and how many other pictures a workspace's network finds strange.

    python tools/strangers.py WORKSPACE [--photos FOLDER …]

Kinds: held-out birds (of the half on which nothing is fitted), the same in grey, with the bird's
box painted out, painted birds, and pictures drawn by a program. FOLDERs hold photos of anything.
The table says which share of each kind is strange, borderline and known, by the rule in
`explorer.analysis.doubt` and by each of its two figures alone.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from explorer.analysis.doubt import (
    RARE,
    UNCOMMON,
    compute_certainty,
    compute_familiarity,
    compute_resemblance,
)
from explorer.analysis.trust import choose_first_half
from explorer.config import DEMO_WORKSPACE, run
from explorer.data.cub import load_cub
from explorer.data.photo import Photo, load_photo
from explorer.data.uploads.decoding import read_upload
from explorer.data.uploads.folders import list_photos
from explorer.demo import BIRDS_FOLDER
from explorer.explaining.photo import prepare_standard
from explorer.workspace.workspace import Workspace

Pixels = NDArray[np.uint8]
SIZE, DRAWN, PHOTOS, BATCH = 256, 40, 200, 16


def draw_noise(random: np.random.Generator) -> Pixels:
    return random.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)


def draw_blurred_noise(random: np.random.Generator) -> Pixels:
    blurred = cv2.GaussianBlur(random.random((SIZE, SIZE, 3)), (0, 0), random.uniform(1, 24))
    return np.rint(255 * (blurred - blurred.min()) / np.ptp(blurred)).astype(np.uint8)


def draw_plain(random: np.random.Generator) -> Pixels:
    return np.full((SIZE, SIZE, 3), random.integers(0, 256, 3), np.uint8)


def draw_gradient(random: np.random.Generator) -> Pixels:
    """Draw a gradient between two colours, with a little noise, like a sky or a wall."""
    one, other = random.integers(0, 256, (2, 3))
    angle = random.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:SIZE, :SIZE]
    way = np.cos(angle) * x + np.sin(angle) * y
    part = ((way - way.min()) / np.ptp(way))[:, :, None]
    noise = random.normal(0, 4, (SIZE, SIZE, 3))
    return np.clip(one + (other - one) * part + noise, 0, 255).astype(np.uint8)


def make_grey(photo: Photo) -> Pixels:
    grey = cv2.cvtColor(load_photo(photo), cv2.COLOR_RGB2GRAY)
    return np.repeat(grey[:, :, None], 3, axis=2)


def paint_bird_out(photo: Photo) -> Pixels:
    """Fill the bird's box, and two pixels around it, from its surroundings."""
    image = load_photo(photo)
    left, top, width, height = (round(value) for value in photo.box)
    mask = np.zeros(image.shape[:2], np.uint8)
    mask[max(0, top - 2) : top + height + 2, max(0, left - 2) : left + width + 2] = 1
    return np.asarray(cv2.inpaint(image, mask, 5, cv2.INPAINT_TELEA), dtype=np.uint8)


def choose_spaced(photos: list[Photo]) -> list[Photo]:
    return photos[:: -(-len(photos) // PHOTOS)]


def list_kinds(
    workspace: Workspace, folders: list[Path], birds: list[Photo]
) -> Iterator[tuple[str, list[Callable[[], Pixels]]]]:
    yield "held-out birds", [lambda p=p: load_photo(p) for p in birds]
    yield "the same in grey", [lambda p=p: make_grey(p) for p in birds]
    yield "the bird painted out", [lambda p=p: paint_bird_out(p) for p in birds]
    painted = DEMO_WORKSPACE / BIRDS_FOLDER
    if painted.is_dir() and not workspace.is_painted:
        some = choose_spaced(list(load_cub(painted).photos))
        yield "painted birds", [lambda p=p: load_photo(p) for p in some]
    drawings = {
        "noise": draw_noise,
        "blurred noise": draw_blurred_noise,
        "plain colours": draw_plain,
        "gradients": draw_gradient,
    }
    for name, draw in drawings.items():
        random = np.random.default_rng(0)
        yield name, [lambda draw=draw, random=random: draw(random) for _ in range(DRAWN)]
    for folder in folders:
        files = list_photos(folder)
        yield folder.name, [lambda f=f: read_upload(f.read_bytes()).pixels for f in files]


def measure(
    workspace: Workspace, pictures: list[Callable[[], Pixels]], means: NDArray[np.float16]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return resemblance and certainty of pictures."""
    networks, figures = workspace.networks, []
    for start in range(0, len(pictures), BATCH):
        images = [load() for load in pictures[start : start + BATCH]]
        pixels = np.stack([networks.prepare_image(image) for image in images])
        resemblance = compute_resemblance(networks.compute_pooled(pixels), means)
        figures.append((resemblance, compute_certainty(networks.compute_scores(pixels)[1])))
    return tuple(map(np.concatenate, zip(*figures, strict=True)))


def print_table(workspace: Workspace, folders: list[Path]) -> None:
    standard = run(prepare_standard(workspace))
    references, trust = standard.references, standard.trust
    if trust is None:
        raise SystemExit("There are too few held-out photos.")
    second = ~choose_first_half(references.image_ids, references.labels)
    birds = [workspace.dataset.get_photo(i) for i in references.image_ids[second].tolist()]
    reference = trust.reference
    print(f"{'':22}photos  strange  borderline  known | by resemblance  by certainty alone")
    for name, pictures in list_kinds(workspace, folders, choose_spaced(birds)):
        resemblance, certainty = measure(workspace, pictures, references.means)
        figures = {
            "both": (compute_familiarity(resemblance, certainty, reference), reference.familiarity),
            "resemblance": (resemblance, reference.resemblance),
            "certainty": (certainty, reference.certainty),
        }
        shares = {
            key: np.searchsorted(known, found, side="right") / len(known)
            for key, (found, known) in figures.items()
        }
        strange = {key: float((share < RARE).mean()) for key, share in shares.items()}
        doubted = float((shares["both"] < UNCOMMON).mean())
        print(
            f"{name:22}{len(pictures):6}{strange['both']:9.0%}{doubted - strange['both']:12.0%}"
            f"{1 - doubted:7.0%} |{strange['resemblance']:15.0%}{strange['certainty']:20.0%}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--photos", type=Path, nargs="*", default=[], metavar="FOLDER")
    options = parser.parse_args()
    print_table(Workspace(options.workspace), options.photos)


if __name__ == "__main__":
    main()
