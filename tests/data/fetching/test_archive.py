import contextlib
import gzip
import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.data.fetching import archive
from explorer.data.fetching.archive import ArchiveLimits, unpack_tar
from explorer.data.fetching.transfer import DownloadError

ROOMY = ArchiveLimits(size=10_000_000, members=100)
Fill = Callable[[tarfile.TarFile], None]


@pytest.fixture(scope="module", autouse=True, params=["with filter", "without filter"])
def _filter(request: pytest.FixtureRequest) -> Iterator[None]:
    """Unpack with and without the check of `tarfile`, which older versions of Python lack."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "without filter":
            has_filters = hasattr(tarfile, "data_filter")
            trusting = {"filter": "fully_trusted"} if has_filters else {}
            patch.setattr(archive, "_FILTER", trusting)
        yield


def pack(path: Path, fill: Fill) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        fill(tar)
    return path


def add_file(tar: tarfile.TarFile, name: str, data: bytes = b"bird") -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def add_special(kind: bytes, name: str = "birds/x", target: str = "") -> Fill:
    def fill(tar: tarfile.TarFile) -> None:
        add_file(tar, "birds/good.txt")
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        tar.addfile(member)

    return fill


def add_sparse(tar: tarfile.TarFile) -> None:
    """Add a file of a terabyte that takes no space in the archive."""
    member = tarfile.TarInfo("birds/x")
    member.pax_headers = {"GNU.sparse.map": "0,0", "GNU.sparse.size": str(10**12)}
    tar.addfile(member)


def add_old_sparse(tar: tarfile.TarFile) -> None:
    """Do the same in the older GNU format, whose header is written by hand."""
    member = tarfile.TarInfo("birds/x")
    member.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    header[483:495] = b"%011o\0" % (10**9)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    assert tar.fileobj is not None
    tar.fileobj.write(bytes(header))


def list_all(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_files_and_folders_are_unpacked_unchanged(tmp_path: Path) -> None:
    def fill(tar: tarfile.TarFile) -> None:
        folder = tarfile.TarInfo("./birds")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o000
        tar.addfile(folder)
        add_file(tar, "./birds/a b/é.txt", b"1")
        add_file(tar, "birds/" + "long/" * 40 + "x.txt", b"2")

    (tmp_path / "to").mkdir()
    progress = list(unpack_tar(pack(tmp_path / "a.tgz", fill), tmp_path / "to", ROOMY))
    assert (tmp_path / "to/birds/a b/é.txt").read_bytes() == b"1"
    assert (tmp_path / ("to/birds/" + "long/" * 40 + "x.txt")).read_bytes() == b"2"
    assert (progress[-1].done, progress[-1].total) == (1, 1)


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "birds/../../x",
        "birds/../x",
        "/x",
        "//x",
        "C:\\x",
        "C:x",
        "..\\x",
        "birds\\..\\..\\x",
        "\\\\server\\share\\x",
    ],
)
def test_names_outside_the_target_folder_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "to").mkdir()
    archive = pack(tmp_path / "a.tgz", lambda tar: add_file(tar, name))
    with pytest.raises(DownloadError, match=r"a\.tgz holds .* outside the target folder.*trust"):
        list(unpack_tar(archive, tmp_path / "to", ROOMY))
    assert list_all(tmp_path) == ["a.tgz", "to"]


@pytest.mark.parametrize(
    "fill",
    [
        pytest.param(add_special(tarfile.SYMTYPE, target="/etc"), id="symbolic link"),
        pytest.param(add_special(tarfile.SYMTYPE, target="good.txt"), id="link inside"),
        pytest.param(add_special(tarfile.LNKTYPE, target="birds/good.txt"), id="hard link"),
        pytest.param(add_special(tarfile.LNKTYPE, target="../../x"), id="hard link outside"),
        pytest.param(add_special(tarfile.CHRTYPE), id="character device"),
        pytest.param(add_special(tarfile.BLKTYPE), id="block device"),
        pytest.param(add_special(tarfile.FIFOTYPE), id="pipe"),
        pytest.param(add_sparse, id="sparse"),
        pytest.param(add_old_sparse, id="old sparse"),
    ],
)
def test_anything_but_files_and_folders_is_refused(tmp_path: Path, fill: Fill) -> None:
    (tmp_path / "to").mkdir()
    with pytest.raises(DownloadError, match=r"'birds/x', which is neither a regular file nor"):
        list(unpack_tar(pack(tmp_path / "a.tgz", fill), tmp_path / "to", ROOMY))
    assert not (tmp_path / "to/birds/x").exists()


@given(st.text("ab./\\: ~\0C", min_size=1, max_size=12))
def test_members_of_any_name_stay_inside_the_target_folder(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    base = tmp_path_factory.mktemp("archive")
    (base / "deep/er/to").mkdir(parents=True)
    archive = pack(base / "a.tgz", lambda tar: add_file(tar, name))
    # Some names are invalid, such as that of the folder itself.
    with contextlib.suppress(DownloadError, OSError):
        list(unpack_tar(archive, base / "deep/er/to", ROOMY))
    others = [found for found in list_all(base) if not found.startswith("deep/er/to/")]
    assert others == ["a.tgz", "deep", "deep/er", "deep/er/to"]


def test_a_decompression_bomb_is_stopped_before_it_fills_the_disk(tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    archive = pack(tmp_path / "a.tgz", lambda tar: add_file(tar, "x", bytes(60_000_000)))
    assert archive.stat().st_size < 100_000
    with pytest.raises(DownloadError, match="is much larger when unpacked than the data set"):
        list(unpack_tar(archive, tmp_path / "to", ROOMY))
    assert sum(path.stat().st_size for path in (tmp_path / "to").iterdir()) < 12_000_000


def test_an_archive_of_too_many_files_is_stopped(tmp_path: Path) -> None:
    def fill(tar: tarfile.TarFile) -> None:
        for number in range(200):
            add_file(tar, f"{number}", b"")

    (tmp_path / "to").mkdir()
    with pytest.raises(DownloadError, match="more than 100 files"):
        list(unpack_tar(pack(tmp_path / "a.tgz", fill), tmp_path / "to", ROOMY))
    assert len(list_all(tmp_path / "to")) == 100


def test_damaged_archives_are_refused(tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    path = pack(tmp_path / "a.tgz", lambda tar: add_file(tar, "x", bytes(range(256)) * 400))
    data = path.read_bytes()
    truncated = [data[:end] for end in (0, 1, 20, len(data) // 2, len(data) - 4)]
    positions = (0, 40, len(data) - 6)
    flipped = [data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :] for at in positions]
    foreign = [b"<html></html>", gzip.compress(b"not a tar file" * 100)]
    for content in [*truncated, *flipped, *foreign]:
        path.write_bytes(content)
        with pytest.raises(DownloadError, match=r"a\.tgz .*fetch it again"):
            list(unpack_tar(path, tmp_path / "to", ROOMY))
