import shutil
from pathlib import Path

import pytest

from explorer.config import ExplorerError
from explorer.storage.space import check_free_space, format_size


def test_free_space_is_that_of_the_disk_of_a_new_folder(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "yet"
    check_free_space(folder, 1, "Nothing")
    with pytest.raises(ExplorerError, match=r"Everything needs .*GB on the disk of .*yet"):
        check_free_space(folder, 10**18, "Everything")
    assert not folder.parent.exists()


def test_some_space_is_kept_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: real._replace(free=150_000_000))
    check_free_space(tmp_path, 100_000_000, "It")
    with pytest.raises(ExplorerError, match=r"It needs 150\.0 MB .* 150\.0 MB free\. Free"):
        check_free_space(tmp_path, 100_000_001, "It")


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0.0 MB"), (51_260_000, "51.3 MB"), (2_600_000_000, "2.6 GB")]
)
def test_sizes_are_readable(size: int, words: str) -> None:
    assert format_size(size) == words
