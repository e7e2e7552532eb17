"""Deletion and insertion curves of a method's maps, for its own activations and for ŷ."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.curves import (
    FRACTIONS,
    WAYS,
    blur_image,
    compute_curve_areas,
    make_curve_images,
    name_point,
    scale_curves,
)
from explorer.evaluation.case import Case
from explorer.evaluation.maps import PhotoHeat
from explorer.evaluation.records import Measures
from explorer.methods.base import Source

CURVE_PHOTOS = 4
_MOST_MAPS = 5
_Pairs = NDArray[np.float64]


def measure_curves(
    case: Case, source: Source, heats: Sequence[PhotoHeat], live: NDArray[np.bool_]
) -> Measures:
    """Measure how the hottest pixels carry what a map explains.

    Parameters
    ----------
    case, source
        What is measured.
    heats : sequence of PhotoHeat
        Of the test photos; the first `CURVE_PHOTOS` are used.
    live : NDArray of bool
        (K,); the first five live maps are used.

    Returns
    -------
    dict
        ``deletion_own``, ``insertion_own`` and their difference ``gap_own``: each map's pixels
        against the very activation that it explains, means over maps. ``deletion_score``,
        ``insertion_score``, ``gap_score``: the pixels of all maps together, each weighted by its
        positive contribution, against ŷ; None for a method that has no contributions. The curves
        themselves are there too, point by point: see `name_point`.
    """
    chosen = [int(index) for index in np.flatnonzero(live)[:_MOST_MAPS]]
    curves: dict[int | str, _Pairs] = {}
    for heat in heats[:CURVE_PHOTOS]:
        for name, values in _follow_photo(case, source, heat, chosen).items():
            curves[name] = curves.get(name, 0) + values
    own = [found for index in chosen if (found := scale_curves(*curves[index])) is not None]
    score = scale_curves(*curves["score"]) if "score" in curves else None
    return _name_numbers("own", np.mean(own, axis=0) if own else None) | (
        _name_numbers("score", score)
    )


def _name_numbers(name: str, curves: _Pairs | None) -> Measures:
    if curves is None:
        return dict.fromkeys((f"deletion_{name}", f"insertion_{name}", f"gap_{name}"))
    deletion, insertion = compute_curve_areas(curves)
    measures: Measures = {
        f"deletion_{name}": deletion,
        f"insertion_{name}": insertion,
        f"gap_{name}": insertion - deletion,
    }
    for way, curve in zip(WAYS, curves, strict=True):
        for fraction, value in zip(FRACTIONS, curve, strict=True):
            measures[name_point(way, name, fraction)] = float(value)
    return measures


def _follow_photo(
    case: Case, source: Source, heat: PhotoHeat, chosen: Sequence[int]
) -> dict[int | str, _Pairs]:
    """Return both curves, (2, len(FRACTIONS)), of every chosen map's activation and of ŷ."""
    pixels = case.workspace.networks.prepare_image(heat.parts.image)
    z, logits = case.workspace.networks.compute_scores(np.stack([pixels, blur_image(pixels)]))
    activations = source.activate(z, logits)
    curves: dict[int | str, _Pairs] = {}
    for index in chosen:
        changed, changed_logits = _score_images(case, pixels, heat.maps[index])
        values = source.activate(changed, changed_logits)[:, index]
        curves[index] = _join(values, *activations[:, index])
    if source.v is not None:
        evidence = _add_up(heat.maps, np.maximum(source.v * activations[0], 0))
        _, changed_logits = _score_images(case, pixels, evidence)
        curves["score"] = _join(changed_logits[:, case.index], *logits[:, case.index])
    return curves


def _score_images(
    case: Case, pixels: NDArray[np.float32], heat: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return case.workspace.networks.compute_scores(np.concatenate(make_curve_images(pixels, heat)))


def _join(values: NDArray[np.float32], photo: float, blur: float) -> _Pairs:
    """Add the ends to the inner points of both curves."""
    deletion, insertion = np.split(np.asarray(values, float), 2)
    curves = np.stack([[photo, *deletion, blur], [blur, *insertion, photo]])
    assert curves.shape == (2, len(FRACTIONS))
    return curves


def _add_up(maps: NDArray[np.float32], weights: NDArray[np.floating]) -> NDArray[np.float32]:
    """Add maps up, each as shares of its own mass, by weight."""
    mass = maps.sum(axis=(1, 2), keepdims=True)
    shares = np.divide(maps, mass, out=np.zeros_like(maps), where=mass > 0)
    total: NDArray[np.float32] = np.einsum("k,khw->hw", weights, shares).astype(np.float32)
    return total
