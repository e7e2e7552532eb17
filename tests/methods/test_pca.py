from dataclasses import replace

import numpy as np
import torch

from explorer.methods.pca import METHOD
from explorer.nn.probe import LinearProbe
from explorer.nn.srae import apply_module


def fit(z: np.ndarray, y_hat: np.ndarray, components: int) -> LinearProbe:
    method = replace(METHOD, components=components)
    return LinearProbe(**vars(method.fit(z, y_hat, np.ones(len(z), bool), seed=0)))


def test_the_probe_is_exact_if_scores_depend_only_on_the_components() -> None:
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(200, 2)) * [5.0, 2.0]
    directions = np.linalg.qr(rng.normal(size=(6, 2)))[0].T
    z = (hidden @ directions + 3).astype(np.float32)
    y_hat = (hidden @ [1.0, -2.0] + 7).astype(np.float32)
    probe = fit(z, y_hat, 2)
    components, y_bar = apply_module(probe, z)
    np.testing.assert_allclose(y_bar, y_hat, atol=1e-3)
    np.testing.assert_allclose(components.mean(axis=0), 0, atol=1e-3)
    assert components[:, 0].std() > components[:, 1].std()


def test_contributions_and_intercept_add_up_to_the_score() -> None:
    rng = np.random.default_rng(1)
    z = rng.random((30, 8)).astype(np.float32)
    probe = fit(z, rng.random(30).astype(np.float32), 3)
    components, y_bar = apply_module(probe, z)
    contributions = components * probe.v.weight[0].numpy()
    intercept = float(probe.v.bias[0])
    np.testing.assert_allclose(contributions.sum(axis=1) + intercept, y_bar, atol=1e-5)


def test_pca_is_computed_in_double_precision() -> None:
    # With a large mean, single precision has no digits left for the variation.
    rng = np.random.default_rng(2)
    z = (rng.random((40, 6)) + 1e4).astype(np.float32)
    y_hat = (rng.random(40) + 1e4).astype(np.float32)
    one, other = (fit(z.astype(t), y_hat.astype(t), 2) for t in (np.float32, np.float64))
    for (name, found), expected in zip(
        one.state_dict().items(), other.state_dict().values(), strict=True
    ):
        assert torch.equal(found, expected), name


def test_components_are_those_of_a_full_decomposition_and_raise_the_score() -> None:
    rng = np.random.default_rng(3)
    z = rng.random((60, 9)) * np.arange(1, 10)
    y_hat = rng.random(60)
    method = replace(METHOD, components=4)
    found = method.fit(z, y_hat, np.ones(60, bool), seed=0)
    expected = np.linalg.svd(z - z.mean(axis=0), full_matrices=False)[2][:4]
    cosines = (found.encoder * expected).sum(axis=1)
    np.testing.assert_allclose(np.abs(cosines), 1, atol=1e-9)
    assert (found.v >= 0).all()
    again = method.fit(z, y_hat, np.ones(60, bool), seed=1)
    np.testing.assert_array_equal(again.encoder, found.encoder)
