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
from explorer.analysis.table import Column, Section
from explorer.evaluation.heat import PhotoHeat
from explorer.evaluation.measures import titles
from explorer.evaluation.measures.base import Measure, Subject
from explorer.evaluation.records import Measures

CURVE_PHOTOS = 4
_MAX_MAPS = 5
_Pairs = NDArray[np.float64]


def measure_curves(subject: Subject) -> Measures:
    """Measure the effect of the pixels with the highest map values on what the maps explain.

    The first five live maps on the first `CURVE_PHOTOS` test photos are used.

    Returns
    -------
    dict
        ``deletion_own``, ``insertion_own`` and their difference ``gap_own``: of the activation that
        each map explains, means over maps. ``deletion_score``, ``insertion_score`` and
        ``gap_score``: of ŷ, for the sum of all maps weighted by their positive contributions; None
        for a method without contributions. The points of the curves are included; see
        `name_point`.

    Notes
    -----
    A method takes up to 60 scores a photo, so they are estimated in bfloat16 where the processor
    multiplies in it. On three of the 200 real species, areas changed by at most 0.002.
    """
    chosen = [int(index) for index in np.flatnonzero(subject.live)[:_MAX_MAPS]]
    curves: dict[int | str, _Pairs] = {}
    for heat in subject.heats[:CURVE_PHOTOS]:
        for name, values in _compute_curves(subject, heat, chosen).items():
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


def _compute_curves(
    subject: Subject, heat: PhotoHeat, chosen: Sequence[int]
) -> dict[int | str, _Pairs]:
    """Compute both curves, (2, len(FRACTIONS)), of each chosen map's activation and of ŷ."""
    case, source = subject.case, subject.source
    pixels = case.workspace.networks.prepare_image(heat.parts.image)
    z, logits = case.workspace.networks.estimate_scores(np.stack([pixels, blur_image(pixels)]))
    activations = source.activate(z, logits)
    curves: dict[int | str, _Pairs] = {}
    for index in chosen:
        changed, changed_logits = _score_images(subject, pixels, heat.maps[index])
        values = source.activate(changed, changed_logits)[:, index]
        curves[index] = _add_ends(values, *activations[:, index])
    if source.v is not None:
        evidence = _sum_maps(heat.maps, np.maximum(source.v * activations[0], 0))
        _, changed_logits = _score_images(subject, pixels, evidence)
        curves["score"] = _add_ends(changed_logits[:, case.index], *logits[:, case.index])
    return curves


def _score_images(
    subject: Subject, pixels: NDArray[np.float32], heat: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    images = np.concatenate(make_curve_images(pixels, heat))
    return subject.case.workspace.networks.estimate_scores(images)


def _add_ends(values: NDArray[np.float32], photo: float, blur: float) -> _Pairs:
    """Add the end points to the inner points of both curves."""
    deletion, insertion = np.split(np.asarray(values, float), 2)
    curves = np.stack([[photo, *deletion, blur], [blur, *insertion, photo]])
    assert curves.shape == (2, len(FRACTIONS))
    return curves


def _sum_maps(maps: NDArray[np.float32], weights: NDArray[np.floating]) -> NDArray[np.float32]:
    """Compute the weighted sum of maps, each normalised to sum to 1."""
    mass = maps.sum(axis=(1, 2), keepdims=True)
    shares = np.divide(maps, mass, out=np.zeros_like(maps), where=mass > 0)
    total: NDArray[np.float32] = np.einsum("k,khw->hw", weights, shares).astype(np.float32)
    return total


MEASURE = Measure(
    measure_curves,
    (
        Section(
            titles.CURVES,
            (
                Column("deletion_own", "deletion, own", better="low"),
                Column("insertion_own", "insertion, own", better="high"),
                Column("gap_own", "gap, own", better="high"),
                Column("deletion_score", "deletion, ŷ", better="low"),
                Column("insertion_score", "insertion, ŷ", better="high"),
                Column("gap_score", "gap, ŷ", better="high"),
            ),
            "*Deletion* and *insertion* are areas under curves: the patches with the highest map "
            "values are blurred in the photo (low is good), or restored in the blurred photo (high "
            "is good). The photo has score 1, the blurred photo 0, and by chance the *gap* between "
            "the areas is 0. *Own* is the activation that a map explains, *ŷ* the classifier's "
            "score for all maps together.",
        ),
    ),
)
