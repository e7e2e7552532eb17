"""The command ``fetch``: downloading the data set and the ImageNet weights."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from explorer.cli.reporting import console, follow
from explorer.config import ExplorerError
from explorer.data.fetching.cub import fetch_cub
from explorer.nn.backbones.imagenet import fetch_imagenet_weights
from explorer.nn.backbones.registry import PRETRAINED
from explorer.storage.user_folders import get_cache_folder

CUB = "cub"


def fetch(
    what: Annotated[
        str,
        typer.Argument(metavar="WHAT", help="cub, or vgg19, vgg16, … for its ImageNet weights."),
    ],
    folder: Annotated[
        Path | None, typer.Argument(help="Target folder; by default the user's cache folder.")
    ] = None,
    keep_archive: Annotated[
        bool, typer.Option("--keep-archive", help="Keep the CUB archive after it is unpacked.")
    ] = False,
) -> None:
    """Download and verify CUB-200-2011 or ImageNet weights. Resumes interrupted downloads."""
    if what == CUB:
        target = folder or get_cache_folder()
        fetched = follow(fetch_cub(target, keep_archive=keep_archive))
        title = "CUB-200-2011"
        path = shlex.quote(str(fetched.path))
        following = f"new my-workspace --cub {path} --arch vgg19"
    elif what in PRETRAINED:
        fetched = follow(fetch_imagenet_weights(what, folder))
        title = f"The ImageNet weights of {what}"
        path = shlex.quote(str(fetched.path))
        following = "finetune my-workspace" + (f" --initial {path}" if folder else "")
    else:
        raise ExplorerError(
            f"There is no download {what!r}. Choose {CUB} or one of: {', '.join(PRETRAINED)}."
        )
    verb = "already fetched; checked" if fetched.already_existed else "fetched and checked"
    console.print(f"{title}: {verb}. {fetched.path}", markup=False, soft_wrap=True)
    console.print(f"Next: python -m explorer {following}", markup=False, soft_wrap=True)
