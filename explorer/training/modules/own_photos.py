"""The category's own photos, with what guides a loss on them."""

import torch

from explorer.attribution.z_maps import compute_z_maps
from explorer.config import Progress, Steps
from explorer.training.modules.evidence import (
    compute_slopes,
    factorise_evidence,
    separate_evidence,
)
from explorer.training.modules.rows import CategoryPhotos, OwnPhotos
from explorer.workspace.feature_batches import load_input
from explorer.workspace.features import Features
from explorer.workspace.workspace import Workspace

_STAGE = "Finding where Z comes from"
_MAX_PHOTOS = 32  # their maps take 26 MB with VGG16
_MAX_BYTES = 2**28  # of maps, which are large where Z is a layer of convolutions
_FLOAT_BYTES = 4


def load_own_photos(
    workspace: Workspace,
    features: Features,
    category: str,
    photos: CategoryPhotos,
    x_features: int,
) -> Steps[OwnPhotos]:
    """Choose training photos of a category, and compute maps and evidence of Z on them.

    At most 32 photos are chosen, evenly among those of the category, whatever the seed.

    Yields
    ------
    Progress
        One per photo.

    Raises
    ------
    WorkspaceError
        When the workspace has no photos.
    """
    workspace.require_photos()
    backbone = workspace.networks.backbone
    by_id = {photo.image_id: photo for photo in workspace.dataset.photos_of(category)}
    rows = photos.train[photos.train_positives].cpu()
    count, maps = min(len(rows), _MAX_PHOTOS), []
    chosen = rows[torch.linspace(0, len(rows) - 1, count).round().long()]
    for row in chosen.tolist():
        pixels = load_input(by_id[int(features.image_ids[row])], backbone.architecture)
        images = torch.from_numpy(pixels)[None].to(backbone.device)
        maps.append(compute_z_maps(backbone, images)[0].cpu())
        yield Progress(_STAGE, len(maps), count)
        if (len(maps) + 1) * maps[0].numel() * _FLOAT_BYTES > _MAX_BYTES:
            break
    chosen, z_maps, train = chosen[: len(maps)], torch.stack(maps), photos.train.cpu()
    z, own_z = (torch.from_numpy(features.z[part.numpy()]) for part in (train, chosen))
    y_hat, is_positive = photos.y_hat.cpu()[train], photos.is_positive.cpu()[train]
    slopes = compute_slopes(z, y_hat, is_positive)
    evidence = factorise_evidence(slopes, own_z, z_maps, x_features)
    return OwnPhotos(chosen, z_maps, evidence, separate_evidence(evidence, z))
