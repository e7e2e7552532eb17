"""Check the table in `explorer.analysis.doubt` with the network of the demo."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from steps import run_steps

from explorer.analysis import doubt
from explorer.config import DEMO_WORKSPACE
from explorer.data.cub import CubDataset
from explorer.data.photo import Photo, load_photo
from explorer.workspace.features import Features
from explorer.workspace.features_cache import load_or_compute_features
from explorer.workspace.workspace import Workspace

pytestmark = pytest.mark.slow
Pixels = NDArray[np.uint8]
SIZE = 128
CLOSE = 0.025


@pytest.fixture(scope="module")
def demo() -> Workspace:
    if not (DEMO_WORKSPACE / "workspace.json").is_file():
        pytest.skip("The demo has not been built: run `python -m explorer demo`.")
    return Workspace(DEMO_WORKSPACE)


@pytest.fixture(scope="module")
def features(demo: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Features:
    folder = tmp_path_factory.mktemp("features")
    return run_steps(load_or_compute_features(folder, demo.networks.backbone, demo.dataset.photos))


Measure = Callable[[Sequence[Pixels]], tuple[float, float, float]]


@pytest.fixture(scope="module")
def measure(demo: Workspace, features: Features) -> Measure:
    """Return a function that computes the shares of pictures: strange, torn, either."""
    is_held_out = np.isin(features.image_ids, [photo.image_id for photo in demo.held_out])
    reference = doubt.compute_reference(features.z, features.logits, is_held_out)
    known = features.z[~is_held_out]

    def run(pictures: Sequence[Pixels]) -> tuple[float, float, float]:
        judged = []
        for start in range(0, len(pictures), 60):
            pixels = np.stack(
                [demo.networks.prepare_image(p) for p in pictures[start : start + 60]]
            )
            z, logits = demo.networks.compute_scores(pixels)
            figures = zip(
                doubt.compute_likeness(z, known).max(axis=1),
                doubt.compute_certainty(logits),
                strict=True,
            )
            judged += [doubt.judge(like, certain, reference) for like, certain in figures]
        strange = np.array([j.is_strange for j in judged])
        torn = np.array([j.is_torn for j in judged])
        return float(strange.mean()), float(torn.mean()), float((strange | torn).mean())

    return run


def draw_noise(random: np.random.Generator) -> Pixels:
    return random.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)


def draw_blurred_noise(random: np.random.Generator) -> Pixels:
    blurred = cv2.GaussianBlur(random.random((SIZE, SIZE, 3)), (0, 0), random.uniform(1, 12))
    return np.rint(255 * (blurred - blurred.min()) / np.ptp(blurred)).astype(np.uint8)


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
    return np.repeat(cv2.cvtColor(load_photo(photo), cv2.COLOR_RGB2GRAY)[:, :, None], 3, axis=2)


def paint_bird_out(photo: Photo) -> Pixels:
    """Fill the bird's box, and two pixels around it, from its surroundings."""
    image = load_photo(photo)
    left, top, width, height = (round(value) for value in photo.box)
    mask = np.zeros(image.shape[:2], np.uint8)
    mask[max(0, top - 2) : top + height + 2, max(0, left - 2) : left + width + 2] = 1
    return np.asarray(cv2.inpaint(image, mask, 5, cv2.INPAINT_TELEA), dtype=np.uint8)


@pytest.mark.parametrize(
    ("draw", "wanted"),
    [
        (draw_noise, (1.00, 0.00, 1.00)),
        (draw_blurred_noise, (0.99, 0.80, 0.99)),
        (draw_gradient, (0.56, 0.42, 0.66)),
    ],
)
def test_drawn_pictures(
    measure: Measure,
    draw: Callable[[np.random.Generator], Pixels],
    wanted: tuple[float, ...],
) -> None:
    random = np.random.default_rng(0)
    assert measure([draw(random) for _ in range(200)]) == pytest.approx(wanted, abs=CLOSE)


def test_plain_grey_pictures(measure: Measure) -> None:
    pictures = [np.full((SIZE, SIZE, 3), shade, np.uint8) for shade in range(0, 256, 2)]
    assert measure(pictures) == pytest.approx((0.13, 0.35, 0.35), abs=CLOSE)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (load_photo, (0.04, 0.04, 0.06)),
        (make_grey, (0.45, 0.48, 0.54)),
        (paint_bird_out, (0.01, 0.04, 0.04)),
    ],
)
def test_held_out_birds(
    demo: Workspace,
    measure: Measure,
    change: Callable[[Photo], Pixels],
    wanted: tuple[float, ...],
) -> None:
    assert measure([change(photo) for photo in demo.held_out]) == pytest.approx(wanted, abs=CLOSE)


def test_photos_of_real_birds(measure: Measure, real_cub: CubDataset) -> None:
    found = measure([load_photo(photo) for photo in real_cub.photos[:2000:5]])
    assert found == pytest.approx((0.83, 0.42, 0.86), abs=CLOSE)
