"""What a visitor's photo is compared with: a record of the classifier's outputs, without photos.

``references.safetensors`` in the workspace holds, in half precision, the classifier's scores of the
held-out photos, and what the last map of each category looks like on average. It is enough by
itself to judge a photo. Its header names the classifier and the list of photos that it belongs
to; a record of others is not used.
"""

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from explorer.analysis.doubt import compute_means, compute_resemblance
from explorer.analysis.trust import choose_first_half
from explorer.config import ExplorerError, Progress, Steps, is_public
from explorer.data.photo import Photo, load_photo
from explorer.nn.records import HEADER_KEY, WeightsHeader, load_weights_header, parse_header
from explorer.storage.writing import write_bytes
from explorer.workspace.features import Features
from explorer.workspace.files import WorkspaceFiles
from explorer.workspace.layout import REFERENCES_FILE, check_inside
from explorer.workspace.workspace import Workspace

_FORMAT = 1
_KIND = "references"
_BATCH_SIZE = 32
_MOST_OF_A_HALF, _MOST_OF_A_CATEGORY = 500, 10
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class References:
    """The classifier's outputs for the photos of a data set, as far as a verdict needs them.

    Attributes
    ----------
    image_ids, labels : NDArray of int32
        (M,), id and index of the category of each held-out photo. Identical photos have the id of
        the first of them.
    logits : NDArray of float16
        (M, C), signed: the classifier's scores of the held-out photos, before softmax.
    sampled : NDArray of int32
        (K,), rows of held-out photos from both halves, see `choose_first_half`.
    resemblance : NDArray of float32
        (K,), in [-1, 1]: of the sampled photos; see `explorer.analysis.doubt`.
    means : NDArray of float16
        (C, P), mean direction of the last map of each category's photos; zero if it has none.
    """

    image_ids: NDArray[np.int32]
    labels: NDArray[np.int32]
    logits: NDArray[np.float16]
    sampled: NDArray[np.int32]
    resemblance: NDArray[np.float32]
    means: NDArray[np.float16]

    def __post_init__(self) -> None:
        wide = {name for name in vars(self) if getattr(self, name).ndim == 2}
        lengths = {name: len(array) for name, array in vars(self).items()}
        if (
            wide != {"logits", "means"}
            or not lengths["image_ids"] == lengths["labels"] == lengths["logits"]
            or lengths["sampled"] != lengths["resemblance"]
            or lengths["means"] != self.logits.shape[1]
        ):
            raise ValueError("its arrays do not fit each other")


_TYPES = {
    "image_ids": np.int32,
    "labels": np.int32,
    "logits": np.float16,
    "sampled": np.int32,
    "resemblance": np.float32,
    "means": np.float16,
}


def load_or_compute_references(workspace: Workspace) -> Steps[References]:
    """Read the record of a workspace, or compute it from the features of all photos and store it.

    Raises
    ------
    ExplorerError
        When there is no record and the features cannot be computed, for example without photos.
    """
    found = load_references(workspace)
    if found is None:
        features = yield from workspace.networks.compute_features()
        found = yield from compute_references(workspace, features)
        try_to_save_references(workspace, found)
    return found


def compute_references(workspace: Workspace, features: Features) -> Steps[References]:
    """Compute the record from the features of all photos, and the last map of some of them."""
    dataset = workspace.dataset
    is_held_out = np.isin(features.image_ids, [photo.image_id for photo in workspace.held_out])
    photos = [dataset.get_photo(image_id) for image_id in features.image_ids.tolist()]
    labels = np.array([photo.category_index for photo in photos], np.int32)
    contents = dataset.label_contents(features.image_ids.tolist())
    sampled = _sample_halves(contents[is_held_out], labels[is_held_out])
    known = _sample_categories(labels, np.flatnonzero(~is_held_out))
    tested = np.flatnonzero(is_held_out)[sampled]
    pooled = yield from _pool(workspace, [photos[row] for row in (*known, *tested)])
    means = compute_means(pooled[: len(known)], labels[known], len(dataset.categories)).astype(
        np.float16
    )
    # Scores beyond the range of half precision would be infinite, and their softmax undefined.
    limit = float(np.finfo(np.float16).max)
    return References(
        image_ids=contents[is_held_out].astype(np.int32),
        labels=labels[is_held_out],
        logits=features.logits[is_held_out].clip(-limit, limit).astype(np.float16),
        sampled=sampled.astype(np.int32),
        resemblance=compute_resemblance(pooled[len(known) :], means).astype(np.float32),
        means=means,
    )


def _sample_halves(image_ids: NDArray[np.int64], labels: NDArray[np.int32]) -> NDArray[np.intp]:
    """Return evenly spaced rows of each half of the held-out photos."""
    is_first = choose_first_half(image_ids, labels)
    halves = [np.flatnonzero(is_first), np.flatnonzero(~is_first)]
    chosen = [half[:: -(-len(half) // _MOST_OF_A_HALF) or 1] for half in halves]
    return np.sort(np.concatenate(chosen))


def _sample_categories(labels: NDArray[np.int32], rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the first few of `rows` of each category."""
    firsts = [rows[labels[rows] == index][:_MOST_OF_A_CATEGORY] for index in np.unique(labels)]
    return np.concatenate([*firsts, np.empty(0, np.intp)]).astype(np.intp)


def _pool(workspace: Workspace, photos: Sequence[Photo]) -> Steps[NDArray[np.float32]]:
    networks, parts = workspace.networks, []
    for start in range(0, len(photos), _BATCH_SIZE):
        images = map(load_photo, photos[start : start + _BATCH_SIZE])
        parts.append(networks.compute_pooled(np.stack([*map(networks.prepare_image, images)])))
        yield Progress("Looking at test photos", start + len(parts[-1]), len(photos))
    return np.concatenate(parts)


def compute_references_key(workspace: WorkspaceFiles) -> str:
    """Hash what a record belongs to: classifier, held-out photos and list of photos."""
    settings = workspace.settings
    held_out = {photo.image_id for photo in workspace.held_out}
    parts = [str(_FORMAT), settings.classifier_sha256]
    # Not the size of the files: the record holds for the same photos at any resolution.
    parts += [
        f"{photo.image_id} {photo.category}/{photo.path.name} {photo.image_id in held_out}"
        for photo in workspace.dataset.photos
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def save_references(workspace: WorkspaceFiles, references: References) -> None:
    """Store the record in the workspace; `PublicError` on a public server."""
    header = {"schema_version": _FORMAT, "kind": _KIND, "key": compute_references_key(workspace)}
    arrays = {name: np.ascontiguousarray(array) for name, array in vars(references).items()}
    file = workspace.path / REFERENCES_FILE
    check_inside(workspace.path, file)
    write_bytes(file, save(arrays, {HEADER_KEY: json.dumps(header)}))


def try_to_save_references(workspace: WorkspaceFiles, references: References) -> None:
    """Store the record where the workspace can be written to; it is of use without."""
    if is_public():
        return
    try:
        save_references(workspace, references)
    except OSError:
        _LOG.exception("The references cannot be stored, and are held in memory")


def load_references(workspace: WorkspaceFiles) -> References | None:
    """Read the record; None if there is none for the current classifier and photos.

    A damaged record is reported in the log and counts as none, because it can be computed again.

    Raises
    ------
    WorkspaceError
        When the file is a link out of the workspace.
    """
    check_inside(workspace.path, workspace.path / REFERENCES_FILE)
    try:
        return read_references(workspace)
    except ExplorerError as error:
        _LOG.warning("%s It is computed again.", error)
        return None


def read_references(workspace: WorkspaceFiles) -> References | None:
    """Read the record as `load_references` does, but raise `ExplorerError` if it is damaged."""
    file = workspace.path / REFERENCES_FILE
    check_inside(workspace.path, file)
    if not os.path.lexists(file):
        return None
    try:
        header = load_weights_header(file)
        record = parse_header(file, header)
        if record.get("key") != compute_references_key(workspace):
            return None
        return _read(file, header, len(workspace.dataset.categories))
    except (ExplorerError, SafetensorError, OSError, ValueError) as error:
        raise ExplorerError(f"{file} is damaged: {str(error).rstrip('.')}.") from error


def _read(file: os.PathLike[str], header: WeightsHeader, categories: int) -> References:
    if header.shapes.keys() != _TYPES.keys():
        raise ValueError("its arrays have other names")
    with safe_open(file, framework="np") as opened:
        arrays = {name: opened.get_tensor(name).astype(kind) for name, kind in _TYPES.items()}
    references = References(**arrays)
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise ValueError("it holds NaN or infinite values")
    if references.logits.shape[1] != categories:
        raise ValueError("its scores are not those of the categories")
    if ((references.labels < 0) | (references.labels >= categories)).any():
        raise ValueError("it names categories that do not exist")
    rows = references.sampled
    if ((rows < 0) | (rows >= len(references.labels))).any():
        raise ValueError("it names photos that do not exist")
    return references
