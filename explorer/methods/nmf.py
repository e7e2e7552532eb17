"""A linear probe on a non-negative matrix factorisation of Z, as in CRAFT and ICE.

Fel et al., "CRAFT: Concept Recursive Activation FacTorization for Explainability" (CVPR 2023,
arXiv 2211.10154); Zhang et al., "Invertible Concept-based Explanations for CNN Models with
Non-negative Concept Activation Vectors" (AAAI 2021, arXiv 2006.15417).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explorer.methods.base import Array, Probe, ProbeMethod
from explorer.methods.pca import fit_score

_MAX_STEPS = 500


@dataclass(frozen=True, kw_only=True)
class NmfMethod(ProbeMethod):
    """K non-negative directions of the category's own Z, and a least-squares fit of ŷ on them.

    As in CRAFT and ICE, Z of the category's own photos is factorised, Z ≈ U W with U, W >= 0. The
    components of any photo are its least-squares coefficients on the rows of W, clamped at zero.
    This is a single linear layer, which excitation backprop can propagate through, whereas CRAFT
    solves an optimisation problem for every photo and ICE takes its maps from U. As with the PCA
    probe, ȳ has an intercept.
    """

    def fit(self, z: Array, y_hat: Array, is_positive: NDArray[np.bool_], seed: int) -> Probe:
        """Fit the probe on Z (M, S_z) >= 0 and ŷ (M,) of the training photos."""
        # scikit-learn takes 1 to 3 s to import, and nothing else needs it.
        from sklearn.decomposition import NMF  # noqa: PLC0415

        inputs = np.asarray(z, np.float64)
        own = inputs[is_positive]
        model = NMF(
            n_components=min(self.components, *own.shape),
            init="nndsvda",
            max_iter=_MAX_STEPS,
            tol=1e-3,
            random_state=seed,
        )
        model.fit(own)
        encoder = np.linalg.pinv(model.components_).T
        v, intercept = fit_score(np.maximum(inputs @ encoder.T, 0), y_hat)
        return Probe(encoder, np.zeros(len(encoder)), v, intercept, is_clamped=True)


METHOD = NmfMethod(
    name="nmf",
    title="NMF probe",
    colour="#ef5675",
    summary="Non-negative factors of the category's own Z, and the score fitted to them.",
)
