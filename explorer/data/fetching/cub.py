"""Fetching CUB-200-2011 from CaltechDATA: download, verification, unpacking and checks."""

import os
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from explorer.config import Progress
from explorer.data.cub import load_cub
from explorer.data.cub_files import ATTRIBUTE_NAMES, ATTRIBUTES, CUB_FOLDER, DatasetError
from explorer.data.fetching.archive import ArchiveLimits, unpack_tar
from explorer.data.fetching.download import Fetched, count_missing_bytes, download, lock
from explorer.data.fetching.transfer import (
    DEFAULT_RETRY_POLICY,
    DownloadError,
    RemoteFile,
    RetryPolicy,
)
from explorer.storage.space import check_free_space
from explorer.storage.writing import make_folder, move, remove, try_to_remove


@dataclass(frozen=True)
class CubRelease:
    """A published version of the data set.

    Attributes
    ----------
    archive : RemoteFile
        A ``.tgz`` file that holds the folder `CUB_FOLDER`.
    photos, training_photos, categories : int
        Expected numbers.
    unpacked_size : int
        Approximate size on disk, in bytes.
    limits : ArchiveLimits
        Limits on the contents of the archive.
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
    policy: RetryPolicy = DEFAULT_RETRY_POLICY,
    *,
    keep_archive: bool = False,
) -> Generator[Progress, None, Fetched]:
    """Fetch the data set to ``folder/CUB_200_2011``, or only check it if it exists.

    The archive is unpacked to a temporary folder, which is renamed at the end, so that a folder
    with the final name is always complete.

    Parameters
    ----------
    folder : Path
        Created if it is missing. A folder that itself has the layout of CUB is only checked.
    release : CubRelease
        What to fetch.
    policy : RetryPolicy
        Timeouts and retries.
    keep_archive : bool
        Whether to keep the archive in `folder` after it has been unpacked.

    Returns
    -------
    Fetched
        With the path for ``new --cub``.

    Raises
    ------
    DownloadError
        When fetching or unpacking fails, or the data set is not complete.
    """
    target = folder if (folder / "images.txt").is_file() else folder / CUB_FOLDER
    if target.exists():
        yield Progress("Checking the data set", 0, 1)
        problem = _find_problem(target, release)
        if problem:
            raise DownloadError(
                f"{target} exists, but is not the complete CUB-200-2011: {problem} Move it away, "
                "or name another folder, and run the command again."
            )
        return Fetched(target, already_existed=True)
    make_folder(folder)
    needed = count_missing_bytes(release.archive, folder) + release.unpacked_size
    check_free_space(folder, needed, "Fetching and unpacking CUB-200-2011")
    archive = (yield from download(release.archive, folder, policy)).path
    with lock(target):
        yield from _unpack(archive, target, release)
    if not keep_archive:
        remove(archive)
    return Fetched(target, already_existed=False)


def _unpack(archive: Path, target: Path, release: CubRelease) -> Generator[Progress, None, None]:
    # The name is fixed, so that the next attempt removes leftovers of an interrupted one.
    temporary = target.with_name(f".{target.name}.unpacking")
    try_to_remove(temporary)
    make_folder(temporary)
    try:
        yield from unpack_tar(archive, temporary, release.limits)
        yield Progress("Checking the data set", 0, 1)
        problem = _find_problem(temporary / CUB_FOLDER, release)
        if problem:
            raise DownloadError(
                f"{archive} does not hold the complete CUB-200-2011: {problem} Get it from another "
                "source, or unpack it yourself to inspect it."
            )
        _keep_attribute_names(temporary)
        _flush_disk()
        move(temporary / CUB_FOLDER, target)
    finally:
        try_to_remove(temporary)


def _keep_attribute_names(unpacked: Path) -> None:
    """Move the names of attributes into the data set, where they are looked for."""
    names = unpacked / ATTRIBUTE_NAMES
    if names.is_file():
        make_folder(unpacked / CUB_FOLDER / ATTRIBUTES)
        move(names, unpacked / CUB_FOLDER / ATTRIBUTES / ATTRIBUTE_NAMES)


def _flush_disk() -> None:
    """Write cached data to the disk, so that renamed files survive a power failure."""
    if hasattr(os, "sync"):
        os.sync()


def _find_problem(root: Path, release: CubRelease) -> str:
    """Describe why `root` is not the complete data set; empty if it is."""
    try:
        dataset = load_cub(root)
    except DatasetError as error:
        return str(error)
    if not dataset.has_photos:
        return "it has no folder of photos."
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
