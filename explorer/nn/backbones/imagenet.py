"""torchvision's ImageNet weights: where to download, store and load them."""

from collections.abc import Generator
from pathlib import Path

import torch
from torch import Tensor

from explorer.config import ExplorerError, Progress
from explorer.data.fetching.download import Fetched, download
from explorer.data.fetching.transfer import DEFAULT_RETRY_POLICY, RemoteFile, RetryPolicy
from explorer.nn.backbones.registry import get_family
from explorer.nn.foreign import load_foreign_weights
from explorer.nn.torchvision_guard import import_torchvision

_CONVOLUTIONS = "features."  # as torchvision names them in its VGGs


def get_imagenet_file(architecture: str) -> RemoteFile:
    """Return address and hash of the IMAGENET1K_V1 weights that `architecture` starts from.

    Raises
    ------
    ExplorerError
        When there are none.
    """
    pretrained = _name_pretrained(architecture)
    url = import_torchvision().models.get_model_weights(pretrained).IMAGENET1K_V1.url
    name = url.rpartition("/")[2]
    # PyTorch writes the first digits of the hash into the name: vgg19-dcbb9e9d.pth.
    return RemoteFile(url, name, sha256=Path(name).stem.rpartition("-")[2])


def _name_pretrained(architecture: str) -> str:
    name = get_family(architecture).name_pretrained(architecture)
    if not name:
        raise ExplorerError(f"{architecture} has no ImageNet weights. Train it from scratch.")
    return name


def get_imagenet_folder() -> Path:
    """Return the cache of torch.hub, which torchvision and other programs use too."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def fetch_imagenet_weights(
    architecture: str, folder: Path | None = None, patience: RetryPolicy = DEFAULT_RETRY_POLICY
) -> Generator[Progress, None, Fetched]:
    """Download the weights of `architecture` to `folder`, by default torch.hub's cache.

    Raises
    ------
    ExplorerError
        When there are none, or the download fails; see `explorer.data.fetching.download`.
    """
    file = get_imagenet_file(architecture)
    return (yield from download(file, folder or get_imagenet_folder(), patience))


def load_imagenet_weights(architecture: str) -> dict[str, Tensor]:
    """Load the weights that `architecture` starts from, from torch.hub's cache.

    Of another architecture, these are the convolutions alone.

    Raises
    ------
    ExplorerError
        When there are none, they have not been downloaded, or they are damaged.
    """
    pretrained = _name_pretrained(architecture)
    path = get_imagenet_folder() / get_imagenet_file(architecture).name
    if not path.is_file():
        raise ExplorerError(
            f"The ImageNet weights of {pretrained} have not been downloaded. Get them with "
            f"`python -m explorer fetch {pretrained}`."
        )
    tensors = load_foreign_weights(path, pretrained).tensors
    if pretrained == architecture:
        return tensors
    return {name: tensor for name, tensor in tensors.items() if name.startswith(_CONVOLUTIONS)}
