from collections.abc import Callable

import numpy as np
import pytest

from explorer.data.samples import draw_meadow, draw_noise


@pytest.mark.parametrize("draw", [draw_meadow, draw_noise])
def test_pictures_are_rgb_and_repeatable(draw: Callable[[], np.ndarray]) -> None:
    picture = draw()
    assert (picture.shape, picture.dtype) == ((256, 256, 3), np.uint8)
    np.testing.assert_array_equal(picture, draw())
    picture[:] = 0
    assert draw().any()


def test_meadow_has_sky_above_grass() -> None:
    sky, ground = draw_meadow()[:100], draw_meadow()[180:]
    red, green, blue = sky.reshape(-1, 3).mean(axis=0)
    assert blue > green > red
    red, green, blue = ground.reshape(-1, 3).mean(axis=0)
    assert green > red > blue
    # Blades of grass make the ground rougher than the sky.
    assert np.diff(ground.astype(int), axis=1).std() > 3 * np.diff(sky.astype(int), axis=1).std()


def test_noise_is_uniform_and_uncorrelated() -> None:
    noise = draw_noise()
    counts = np.bincount(noise.ravel(), minlength=256)
    assert abs(counts / counts.mean() - 1).max() < 0.2
    means = noise.reshape(4, 64, 4, 64, 3).mean(axis=(1, 3))
    assert abs(means - 127.5).max() < 6
    assert abs(np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]) < 0.01
