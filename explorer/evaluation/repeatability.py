"""Repeatability: whether other seeds find the same x-features."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import cv2
import numpy as np
from numpy.typing import NDArray

from explorer.analysis.agreement import (
    compute_correlations,
    compute_overlaps,
    match_x_features,
)
from explorer.analysis.table import Column, Section
from explorer.config import ExplorerError
from explorer.evaluation.measures import titles
from explorer.evaluation.measures.base import Subject, mean_of_defined
from explorer.evaluation.records import Measures
from explorer.storage.reading import read_regular
from explorer.storage.writing import write_bytes

REPEATABILITY = (
    Section(
        titles.CURVES,
        (
            Column("repeat_activation", "repeat, activation", better="high"),
            Column("repeat_map", "repeat, map", better="high"),
        ),
        "*Repeat* compares seeds on photos that the network has not learnt from, although modules "
        "may have: correlation of matched x-features' activations, overlap of matched maps (1 is "
        "equal).",
    ),
)
"""Columns of the measures that need several seeds."""

_MAP_PHOTOS = 4
_GRID_SIDE = 16
_MAX_BYTES = 2**30


@dataclass(frozen=True, eq=False)
class Trace:
    """A method's activations and maps on photos that are the same for every seed.

    Attributes
    ----------
    activations : NDArray of float32
        (M, K), on all held-out photos.
    maps : NDArray of float32
        (N, K, h, w), on the first held-out photos of the category, on a coarse grid.
    live : NDArray of bool
        (K,).
    """

    activations: NDArray[np.float32]
    maps: NDArray[np.float32]
    live: NDArray[np.bool_]


def make_trace(subject: Subject) -> Trace:
    """Compute a method's activations and maps on the held-out photos."""
    case, source = subject.case, subject.source
    workspace = case.workspace
    rows = case.features.get_rows([photo.image_id for photo in workspace.held_out])
    activations = source.activate(case.features.z[rows], case.features.logits[rows])
    heats = map(subject.get_heat, case.held_out_photos[:_MAP_PHOTOS])
    maps = np.stack([[_coarsen(one) for one in heat.maps] for heat in heats])
    return Trace(np.asarray(activations, np.float32), maps, subject.live)


def _coarsen(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    size = (min(_GRID_SIDE, heat.shape[1]), min(_GRID_SIDE, heat.shape[0]))
    return np.asarray(cv2.resize(heat, size, interpolation=cv2.INTER_AREA), np.float32)


def save_trace(file: Path, trace: Trace) -> None:
    """Write a trace as NPZ, atomically."""
    buffer = io.BytesIO()
    arrays = {"activations": trace.activations, "maps": trace.maps, "live": trace.live}
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_bytes(file, buffer.getvalue())


def load_trace(file: Path) -> Trace:
    """Load a trace from `save_trace`.

    Raises
    ------
    ExplorerError
        When the file is damaged.
    """
    try:
        data = read_regular(file, _MAX_BYTES)
        _check_sizes(data)
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            trace = Trace(arrays["activations"], arrays["maps"], arrays["live"])
        _check_shapes(trace)
    except Exception as error:  # NumPy and zipfile may raise nearly anything for damaged files
        raise ExplorerError(f"{file} is damaged. Delete it and try again.") from error
    return trace


def _check_sizes(data: bytes) -> None:
    """Raise `ValueError` if the file would expand to more than the memory limit."""
    with ZipFile(io.BytesIO(data)) as packed:
        if sum(member.file_size for member in packed.infolist()) > _MAX_BYTES:
            raise ValueError("its contents are too large")


def _check_shapes(trace: Trace) -> None:
    arrays = (trace.activations, trace.maps, trace.live)
    kinds = tuple((array.dtype, array.ndim) for array in arrays)
    count = trace.live.size
    if kinds != ((np.float32, 2), (np.float32, 4), (np.bool_, 1)):
        raise ValueError("its arrays have other types")
    if (trace.activations.shape[1], trace.maps.shape[1]) != (count, count):
        raise ValueError("its arrays do not fit each other")


def measure_repeatability(traces: Sequence[Trace]) -> list[Measures]:
    """Compare the x-features of each seed with those of all other seeds.

    Returns
    -------
    list of dict
        For each seed, the means over the other seeds and over matched pairs of live x-features of
        ``repeat_activation``, the correlation of activations, and ``repeat_map``, the overlap of
        maps. Pairs are matched by the respective measure. None without pairs.
    """
    return [
        {
            "repeat_activation": mean_of_defined(
                [_match_activations(one, other) for other in others]
            ),
            "repeat_map": mean_of_defined([_match_maps(one, other) for other in others]),
        }
        for index, one in enumerate(traces)
        for others in [[*traces[:index], *traces[index + 1 :]]]
    ]


def _match_activations(one: Trace, other: Trace) -> float | None:
    first, second = one.activations[:, one.live], other.activations[:, other.live]
    return match_x_features(compute_correlations(first, second)).mean


def _match_maps(one: Trace, other: Trace) -> float | None:
    return match_x_features(compute_overlaps(one.maps[:, one.live], other.maps[:, other.live])).mean
