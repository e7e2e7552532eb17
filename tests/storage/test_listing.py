from pathlib import Path

import pytest

from explorer.storage.listing import is_system_file, list_folder


@pytest.mark.parametrize("name", [".DS_Store", "._bird.jpg", "Thumbs.db", "desktop.ini", "Icon\r"])
def test_files_of_operating_systems_are_not_listed(tmp_path: Path, name: str) -> None:
    for own in ("b", ".a", name):
        (tmp_path / own).touch()
    assert list_folder(tmp_path) == [tmp_path / ".a", tmp_path / "b"]
    assert is_system_file(tmp_path / name)


@pytest.mark.parametrize("name", [".lock", "_a", ".a._b", "DS_Store", "Icon"])
def test_other_names_are_the_owner_s(name: str) -> None:
    assert not is_system_file(Path(name))


def test_what_is_no_folder_is_empty(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert list_folder(tmp_path / "file") == list_folder(tmp_path / "nothing") == []
