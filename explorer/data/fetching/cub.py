"""CUB-200-2011 from its home at CaltechDATA: fetched, verified, unpacked and checked."""

import os
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from explorer.config import Progress
from explorer.data.cub import load_cub
from explorer.data.cub_files import DatasetError
from explorer.data.fetching.archive import ArchiveLimits, unpack_tar
from explorer.data.fetching.download import Fetched, count_missing_bytes, download, lock
from explorer.data.fetching.transfer import (
    DEFAULT_PATIENCE,
    DownloadError,
    Patience,
    RemoteFile,
    check_free_space,
)
from explorer.storage.writing import make_folder, move, remove, try_to_remove

CUB_FOLDER = "CUB_200_2011"


@dataclass(frozen=True)
class CubRelease:
    """A published version of the data set.

    Attributes
    ----------
    archive : RemoteFile
        A ``.tgz`` with the folder `CUB_FOLDER` in it.
    photos, training_photos, categories : int
        How many it is known to hold.
    unpacked_size : int
        Bytes on disk, about.
    limits : ArchiveLimits
        Beyond which the archive cannot be the right one.
    """

    archive: RemoteFile
    photos: int
    training_photos: int
    categories: int
    unpacked_size: int
    limits: ArchiveLimits


CUB_200_2011 = CubRelease(
    RemoteFile(
        url="https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",
        name="CUB_200_2011.tgz",
        sha256="0c685df5597a8b24909f6a7c9db6d11e008733779a671760afef78feb49bf081",
        size=1_150_585_339,
    ),
    photos=11_788,
    training_photos=5_994,
    categories=200,
    unpacked_size=1_400_000_000,
    limits=ArchiveLimits(size=4_000_000_000, members=50_000),
)


def fetch_cub(
    folder: Path,
    release: CubRelease = CUB_200_2011,
    patience: Patience = DEFAULT_PATIENCE,
    *,
    keep_archive: bool = False,
) -> Generator[Progress, None, Fetched]:
    """Put the data set into ``folder/CUB_200_2011``; only check it where it is there already.

    The archive is unpacked beside its final place and moved there in one step, so that a folder of
    that name is whole.

    Parameters
    ----------
    folder : Path
        Made if it is missing. A folder that is itself in CUB's layout is only checked.
    release : CubRelease
        What to fetch.
    patience : Patience
        How long the server is waited for.
    keep_archive : bool
        Leave the archive beside the folder; otherwise it goes once it is unpacked.

    Returns
    -------
    Fetched
        Its path is what ``new --cub`` wants.

    Raises
    ------
    DownloadError
        When fetching or unpacking fails, or what is there is not the whole data set.
    """
    target = folder if (folder / "images.txt").is_file() else folder / CUB_FOLDER
    if target.exists():
        yield Progress("Checking the data set", 0, 1)
        fault = _find_fault(target, release)
        if fault:
            raise DownloadError(
                f"{target} is there, but it is not the whole of CUB-200-2011: {fault} Move it "
                "away, or name another folder, and run the command again."
            )
        return Fetched(target, was_there=True)
    make_folder(folder)
    needed = count_missing_bytes(release.archive, folder) + release.unpacked_size
    check_free_space(folder, needed, "Fetching and unpacking CUB-200-2011")
    archive = (yield from download(release.archive, folder, patience)).path
    with lock(target):
        yield from _unpack(archive, target, release)
    if not keep_archive:
        remove(archive)
    return Fetched(target, was_there=False)


def _unpack(archive: Path, target: Path, release: CubRelease) -> Generator[Progress, None, None]:
    # The name is fixed, so that what a killed process left behind goes with the next attempt.
    temporary = target.with_name(f".{target.name}.unpacking")
    try_to_remove(temporary)
    make_folder(temporary)
    try:
        yield from unpack_tar(archive, temporary, release.limits)
        yield Progress("Checking the data set", 0, 1)
        fault = _find_fault(temporary / CUB_FOLDER, release)
        if fault:
            raise DownloadError(
                f"{archive} does not hold the whole of CUB-200-2011: {fault} Take it from "
                "another source, or unpack it yourself and look into it."
            )
        _flush_disk()
        move(temporary / CUB_FOLDER, target)
    finally:
        try_to_remove(temporary)


def _flush_disk() -> None:
    """Write out what the system still holds, or a power cut could empty files that are renamed."""
    if hasattr(os, "sync"):
        os.sync()


def _find_fault(root: Path, release: CubRelease) -> str:
    """Say what keeps `root` from being the whole data set; nothing where it is."""
    try:
        dataset = load_cub(root)
    except DatasetError as error:
        return str(error)
    found = (
        ("photos", len(dataset.photos), release.photos),
        ("categories", len(dataset.categories), release.categories),
        (
            "photos for training",
            sum(p.is_training for p in dataset.photos),
            release.training_photos,
        ),
    )
    for name, count, expected in found:
        if count != expected:
            return f"it holds {count:,} {name} instead of {expected:,}."
    empty = next((p.path for p in dataset.photos if not p.path.stat().st_size), None)
    return "" if empty is None else f"{empty} is empty."
