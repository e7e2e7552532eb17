"""Whether another seed finds the same x-features."""

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
from explorer.config import ExplorerError
from explorer.evaluation.case import Case
from explorer.evaluation.maps import draw_heat
from explorer.evaluation.records import Measures
from explorer.evaluation.scores import mean_of_defined
from explorer.methods.base import Source
from explorer.storage.reading import read_regular
from explorer.storage.writing import write_bytes

_MAP_PHOTOS = 4
_GRID = 16
_MOST_BYTES = 2**30


@dataclass(frozen=True, eq=False)
class Trace:
    """What a method does on photos that are the same for every seed.

    Attributes
    ----------
    activations : NDArray of float32
        (M, K), on all photos that the classifier has not seen.
    maps : NDArray of float32
        (N, K, h, w), on the first of the category's own among them, on a coarse grid.
    live : NDArray of bool
        (K,).
    """

    activations: NDArray[np.float32]
    maps: NDArray[np.float32]
    live: NDArray[np.bool_]


def make_trace(case: Case, source: Source, live: NDArray[np.bool_]) -> Trace:
    """Follow a method over the held-out photos."""
    workspace = case.workspace
    rows = case.features.get_rows([photo.image_id for photo in workspace.held_out])
    activations = source.activate(case.features.z[rows], case.features.logits[rows])
    heats = [draw_heat(workspace, source.draw, p) for p in case.held_out_photos[:_MAP_PHOTOS]]
    maps = np.stack([[_coarsen(one) for one in heat.maps] for heat in heats])
    return Trace(np.asarray(activations, np.float32), maps, live)


def _coarsen(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    size = (min(_GRID, heat.shape[1]), min(_GRID, heat.shape[0]))
    return np.asarray(cv2.resize(heat, size, interpolation=cv2.INTER_AREA), np.float32)


def save_trace(file: Path, trace: Trace) -> None:
    """Write a trace as NPZ, whole or not at all."""
    buffer = io.BytesIO()
    arrays = {"activations": trace.activations, "maps": trace.maps, "live": trace.live}
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_bytes(file, buffer.getvalue())


def load_trace(file: Path) -> Trace:
    """Read what `save_trace` wrote."""
    try:
        data = read_regular(file, _MOST_BYTES)
        _check_sizes(data)
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            trace = Trace(arrays["activations"], arrays["maps"], arrays["live"])
        _check_shapes(trace)
    except Exception as error:  # NumPy and ZIP raise nearly any kind for damage
        raise ExplorerError(f"{file} is damaged. Delete it and try again.") from error
    return trace


def _check_sizes(data: bytes) -> None:
    """Raise where a small file claims to hold more than memory would."""
    with ZipFile(io.BytesIO(data)) as packed:
        if sum(member.file_size for member in packed.infolist()) > _MOST_BYTES:
            raise ValueError("it holds too much")


def _check_shapes(trace: Trace) -> None:
    arrays = (trace.activations, trace.maps, trace.live)
    kinds = tuple((array.dtype, array.ndim) for array in arrays)
    count = trace.live.size
    if kinds != ((np.float32, 2), (np.float32, 4), (np.bool_, 1)):
        raise ValueError("its arrays are others")
    if (trace.activations.shape[1], trace.maps.shape[1]) != (count, count):
        raise ValueError("its arrays do not fit each other")


def measure_repeatability(traces: Sequence[Trace]) -> list[Measures]:
    """Compare every seed's x-features with those of all other seeds.

    Returns
    -------
    list of dict
        Per seed, means over the other seeds and over matched pairs of live x-features:
        ``repeat_activation``, the correlation of activations, pairs matched by it, and
        ``repeat_map``, the overlap of maps, pairs matched by that. None where a seed has no other,
        or where seeds do not have the same number of activations that mean the same.
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
