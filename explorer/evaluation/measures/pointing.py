"""The pointing game: where the maxima of a method's maps are."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from explorer.analysis.table import Column, Section
from explorer.evaluation.heat import PhotoHeat
from explorer.evaluation.measures import titles
from explorer.evaluation.measures.base import Measure, Subject, compute_mean
from explorer.evaluation.records import Measures


def measure_pointing(subject: Subject) -> Measures:
    """Measure in which parts of the test photos the maps have their maxima.

    Returns
    -------
    dict
        ``pointing_box``, the share of maxima inside the box. Of these, ``pointing_<part>``, the
        share in a part on photos in which it is visible, and ``area_<part>``, the part's share of
        the box there, which is the value by chance. On painted birds also ``telling_share``, the
        share of the heat inside the box on the parts that distinguish the category from its nearest
        relatives, ``pointing_telling`` and ``telling_area``. None if not defined.

    Notes
    -----
    The pointing game of Zhang et al. (2016), section 4.1, with cells of the Voronoi partition
    instead of an object's box, and without a margin.
    """
    heats, counted = subject.heats, subject.is_mapped
    part_names = subject.case.workspace.dataset.part_names
    measures: Measures = {
        "pointing_box": compute_mean(np.stack([heat.pointing[counted] >= 0 for heat in heats])),
    }
    areas = np.stack([heat.parts.compute_areas() for heat in heats])
    for index, name in enumerate(part_names):
        is_seen = [bool(heat.parts.visible[index]) for heat in heats]
        seen = [heat for heat in heats if heat.parts.visible[index]]
        key = name.replace(" ", "_")
        measures[f"pointing_{key}"] = _compute_share_of_maxima(seen, counted, {index})
        measures[f"area_{key}"] = compute_mean(areas[is_seen, index])
    if telling := _find_telling_parts(subject):
        wanted = [index for index, name in enumerate(part_names) if name in telling]
        histogram = np.array(subject.summary.histogram)
        measures["telling_share"] = compute_mean(histogram[counted][:, wanted].sum(axis=1))
        measures["telling_area"] = compute_mean(areas[:, wanted].sum(axis=1))
        measures["pointing_telling"] = _compute_share_of_maxima(heats, counted, set(wanted))
    return measures


def _find_telling_parts(subject: Subject) -> frozenset[str]:
    if subject.interventions is None:
        return frozenset()
    return subject.interventions.truth.get_telling_parts(subject.case.category)


def _compute_share_of_maxima(
    heats: Sequence[PhotoHeat], counted: NDArray[np.bool_], wanted: set[int]
) -> float | None:
    """Compute the share of the maxima inside the box that are in one of the `wanted` parts."""
    points = [int(part) for heat in heats for part in heat.pointing[counted] if part >= 0]
    return compute_mean(np.isin(points, list(wanted)))


MEASURE = Measure(
    measure_pointing,
    (
        Section(
            titles.CURVES,
            (Column("pointing_box", "pointing at bird", ".0%", better="high"),),
            "*Pointing* is the share of maps whose maximum is inside the bird's box.",
        ),
        Section(
            titles.KNOWN_PARTS,
            (
                Column("telling_share", "heat on telling parts", ".0%", better="high"),
                Column("pointing_telling", "pointing at telling parts", ".0%", better="high"),
                Column("telling_area", "their area", ".0%"),
            ),
            "The telling parts distinguish a category from its nearest relatives. Heat and maxima "
            "are counted inside the box; their share by chance is the parts' area.",
        ),
    ),
)
