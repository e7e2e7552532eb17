"""The features of a workspace: packed, cached, or to be computed, also by several processes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from explorer.config import Steps, is_public
from explorer.data.photo import Photo
from explorer.nn.backbones.backbone import Backbone
from explorer.storage.writing import try_to_remove
from explorer.workspace.feature_shards import compute_shard, list_missing_shards
from explorer.workspace.features import Features
from explorer.workspace.features_cache import (
    compute_features_key,
    count_written_rows,
    get_shards_folder,
    load_arrays,
    load_or_compute_features,
    load_or_compute_in_memory,
)
from explorer.workspace.files import WorkspaceFiles
from explorer.workspace.layout import FEATURES_FOLDER, check_inside
from explorer.workspace.packed_features import PACKED_FILE, load_packed_features


@dataclass(frozen=True, eq=False)
class FeatureStore:
    """Z and logits of all photos of a workspace.

    Attributes
    ----------
    files : WorkspaceFiles
        The workspace.
    backbone : Backbone
        Its classifier, on the device to use.
    """

    files: WorkspaceFiles
    backbone: Backbone

    def load_or_compute(self, *, store: bool = True) -> Steps[Features]:
        """Read Z and the logits of every photo, as packed or from the cache, or compute them.

        Parameters
        ----------
        store : bool
            Whether to store computed features on disk. A public server never does.

        Raises
        ------
        WorkspaceError
            When they would have to be computed, and there are no photos.
        """
        packed = self._load_packed()
        if packed is not None:
            return packed
        load = load_or_compute_features if store and not is_public() else load_or_compute_in_memory
        folder, photos, is_own = self._folder, self._photos, self._has_own_photos
        return (yield from load(folder, self.backbone, photos, with_sizes=is_own))

    def list_missing_shards(self) -> list[int]:
        """List the first photo of every shard that is yet to be computed.

        Each can be computed by another process with `compute_shard`; then `load_or_compute` joins
        them. None is missing where the features are complete.

        Raises
        ------
        WorkspaceError
            As `load_or_compute`.
        """
        if self._load_packed() is not None:
            return []
        folder, key, photos = self._folder, self._key, self._photos
        if load_arrays(folder / key, len(photos), self.backbone) is not None:
            return []
        shards, rows = get_shards_folder(folder, key), count_written_rows(folder, key)
        return list_missing_shards(shards, self.backbone, photos, rows)

    def compute_shard(self, first: int) -> None:
        """Compute and store the shard that begins with the photo at index `first`."""
        shards = get_shards_folder(self._folder, self._key)
        compute_shard(shards, self.backbone, self._photos, first)

    def remove_shards(self) -> None:
        """Remove shards that were computed after others had completed the features."""
        try_to_remove(get_shards_folder(self._folder, self._key))

    def _load_packed(self) -> Features | None:
        """Load packed features; without any, make sure that there are photos instead."""
        if self._has_own_photos:
            return None
        packed = load_packed_features(self._folder / PACKED_FILE, self.backbone, self._photos)
        if packed is None:
            self.files.require_photos()
        return packed

    @property
    def _folder(self) -> Path:
        folder = self.files.path / FEATURES_FOLDER
        check_inside(self.files.path, folder)
        return folder

    @property
    def _photos(self) -> Sequence[Photo]:
        return self.files.dataset.present

    @property
    def _has_own_photos(self) -> bool:
        return self.files.dataset.has_own_photos

    @property
    def _key(self) -> str:
        return compute_features_key(self.backbone, self._photos, with_sizes=self._has_own_photos)
