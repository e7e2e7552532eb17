import io

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from explorer.render.colour_maps import COLOUR_MAPS, encode_png, render_colour_bar

PHOTO = np.random.default_rng(5).integers(0, 256, (24, 32, 3), dtype=np.uint8)


def test_colours_are_rgb_and_inferno_grows_lighter():
    bar = render_colour_bar("inferno", (2, 256)).astype(int)

    assert bar.shape == (2, 256, 3)
    assert_array_equal(bar[0], bar[1])
    assert_array_equal(bar[0, 0] < 10, [True] * 3)
    red, _, blue = bar[0, 180]
    assert red > blue + 100
    lightness = bar[0] @ [0.299, 0.587, 0.114]
    assert (np.diff(lightness) > -1).all()


@pytest.mark.parametrize("name", COLOUR_MAPS)
def test_every_colour_map_has_many_colours(name):
    assert len(np.unique(render_colour_bar(name)[0], axis=0)) > 200


def test_png_holds_the_picture_without_loss():
    data = encode_png(PHOTO)

    assert data.startswith(b"\x89PNG")
    assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), PHOTO)


@pytest.mark.parametrize(
    "photo",
    [PHOTO.astype(float), PHOTO[..., 0], PHOTO[..., :2], PHOTO[:0], PHOTO / np.float32(255)],
)
def test_bad_pictures_are_refused(photo):
    with pytest.raises(ValueError, match="a picture must"):
        encode_png(photo)


def test_bad_bars_are_refused():
    with pytest.raises(ValueError, match="size"):
        render_colour_bar(size=(1, 0))
    with pytest.raises(ValueError, match=r"unknown colour map 'jet'.*inferno"):
        render_colour_bar("jet")
