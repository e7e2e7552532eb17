from dataclasses import replace

import numpy as np
import pytest

from explorer.methods.nmf import METHOD
from explorer.nn.probe import LinearProbe
from explorer.nn.srae import apply_module

METHOD_OF_TWO = replace(METHOD, components=2)


def make_photos(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make Z as sums of two parts; the first 30 photos are of the category."""
    rng = np.random.default_rng(seed)
    parts = np.array([[1.0, 2, 0, 0, 0], [0, 0, 3, 1, 0]])
    amounts = rng.random((60, 2)) + 0.1
    amounts[:10, 0] = amounts[10:20, 1] = 0  # so that the parts can be identified
    y_hat = amounts @ [2.0, -1.0] + 0.5
    return (
        (amounts @ parts).astype(np.float32),
        y_hat.astype(np.float32),
        np.arange(60) < 30,
    )


def test_nmf_recovers_the_parts_of_z() -> None:
    z, y_hat, is_positive = make_photos()
    probe = METHOD_OF_TWO.fit(z, y_hat, is_positive, seed=0)
    network = LinearProbe(**vars(probe))
    components, y_bar = apply_module(network, z)
    np.testing.assert_allclose(y_bar, y_hat, atol=0.05)
    assert (components >= 0).all()
    first_alone = np.array([[1.0, 2, 0, 0, 0]], np.float32)
    found, _ = apply_module(network, first_alone)
    assert found.max() > 20 * found.min(), "a single part is one component"


def test_contributions_and_intercept_add_up_to_the_score() -> None:
    z, y_hat, is_positive = make_photos()
    network = LinearProbe(**vars(METHOD_OF_TWO.fit(z, y_hat, is_positive, seed=0)))
    components, y_bar = apply_module(network, z)
    total = components @ network.v.weight[0].numpy() + float(network.v.bias[0])
    np.testing.assert_allclose(total, y_bar, atol=1e-4)


def test_components_do_not_depend_on_other_birds() -> None:
    z, y_hat, is_positive = make_photos()
    changed = z.copy()
    changed[30:] = np.random.default_rng(3).random((30, 5))
    one, other = (METHOD_OF_TWO.fit(values, y_hat, is_positive, seed=0) for values in (z, changed))
    np.testing.assert_array_equal(one.encoder, other.encoder)
    assert not np.array_equal(one.v, other.v), "the score is fitted on all photos"


def test_fewer_photos_than_components_give_fewer_components() -> None:
    z, y_hat, is_positive = make_photos()
    few = is_positive & (np.arange(60) < 3)
    assert METHOD.fit(z, y_hat, few, seed=0).encoder.shape == (3, 5)


def test_nmf_is_repeatable() -> None:
    photos = make_photos()
    one, same = (METHOD_OF_TWO.fit(*photos, seed=0) for _ in range(2))
    np.testing.assert_array_equal(one.encoder, same.encoder)


@pytest.mark.filterwarnings("error")
def test_slow_convergence_gives_no_warning() -> None:
    rng = np.random.default_rng(1)
    z = rng.random((40, 30)).astype(np.float32) ** 4
    METHOD.fit(z, rng.random(40).astype(np.float32), np.arange(40) < 20, seed=0)
