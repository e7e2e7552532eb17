"""torchvision's ImageNet weights: where they come from, where they are kept, how they are read."""

from collections.abc import Generator
from pathlib import Path

import torch
from torch import Tensor

from explorer.config import ExplorerError, Progress
from explorer.data.fetching.download import Fetched, download
from explorer.data.fetching.transfer import DEFAULT_PATIENCE, Patience, RemoteFile
from explorer.nn.backbones.registry import get_family
from explorer.nn.foreign import load_foreign_weights
from explorer.nn.torchvision_guard import import_torchvision


def get_imagenet_file(architecture: str) -> RemoteFile:
    """Return where torchvision's IMAGENET1K_V1 weights of `architecture` are.

    Raises
    ------
    ExplorerError
        When there are none.
    """
    if not get_family(architecture).has_imagenet_weights:
        raise ExplorerError(f"{architecture} has no ImageNet weights. Start it from scratch.")
    url = import_torchvision().models.get_model_weights(architecture).IMAGENET1K_V1.url
    name = url.rpartition("/")[2]
    # PyTorch writes the first digits of the hash into the name: vgg19-dcbb9e9d.pth.
    return RemoteFile(url, name, sha256=Path(name).stem.rpartition("-")[2])


def get_imagenet_folder() -> Path:
    """Return the cache of torch.hub, which torchvision itself and other programs use as well."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def fetch_imagenet_weights(
    architecture: str, folder: Path | None = None, patience: Patience = DEFAULT_PATIENCE
) -> Generator[Progress, None, Fetched]:
    """Download the weights of `architecture` to `folder`, or else to torch.hub's cache.

    Raises
    ------
    ExplorerError
        When there are none, or they cannot be fetched; see `explorer.data.fetching.download`.
    """
    file = get_imagenet_file(architecture)
    return (yield from download(file, folder or get_imagenet_folder(), patience))


def load_imagenet_weights(architecture: str) -> dict[str, Tensor]:
    """Load what `fetch_imagenet_weights` has put into torch.hub's cache.

    Raises
    ------
    ExplorerError
        When there are no such weights, they have not been fetched yet or are damaged.
    """
    path = get_imagenet_folder() / get_imagenet_file(architecture).name
    if not path.is_file():
        raise ExplorerError(
            f"The ImageNet weights of {architecture} are not there yet. Get them with "
            f"`python -m explorer fetch {architecture}`."
        )
    return load_foreign_weights(path)
