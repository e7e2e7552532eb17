"""A linear probe on the principal components of Z, as a baseline without training."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.methods.base import Array, Probe, ProbeMethod


@dataclass(frozen=True, kw_only=True)
class PcaMethod(ProbeMethod):
    """The first K principal components of Z, and a least-squares fit of ŷ on them.

    Unlike x-features, the components are signed, and ȳ has an intercept. Their directions, whose
    sign is arbitrary, are those in which they raise the score: v >= 0.
    """

    def fit(
        self,
        z: Array,
        y_hat: Array,
        is_positive: NDArray[np.bool_],  # noqa: ARG002
        seed: int,  # noqa: ARG002
    ) -> Probe:
        """Fit the probe on Z (M, S_z) and ŷ (M,) of the training photos; K < M and K < S_z."""
        # These solvers take 0.25 s to import, and the first page only lists the methods.
        from scipy.sparse.linalg import svds  # noqa: PLC0415

        inputs = np.asarray(z, np.float64)
        mean = inputs.mean(axis=0)
        centred = inputs - mean
        start = np.random.default_rng(0).standard_normal(min(centred.shape))
        # A full decomposition takes a minute for Z of VGG; singular values come in rising order.
        directions = svds(centred, self.components, v0=start)[2][::-1]
        v, intercept = fit_score(centred @ directions.T, y_hat)
        signs = np.where(v < 0, -1.0, 1.0)[:, np.newaxis]
        directions = signs * directions
        return Probe(directions, -directions @ mean, np.abs(v), intercept)


def fit_score(activations: NDArray[np.float64], y_hat: Array) -> tuple[NDArray[np.float64], float]:
    """Fit ŷ (M,) on activations (M, K) by least squares; return v (K,) and the intercept."""
    design = np.column_stack([activations, np.ones(len(activations))])
    weights = np.linalg.lstsq(design, np.asarray(y_hat, np.float64), rcond=None)[0]
    return weights[:-1], float(weights[-1])


METHOD = PcaMethod(
    name="pca",
    title="PCA probe",
    colour="#56b4e9",
    summary="The first principal components of Z, and the score fitted to them.",
)
