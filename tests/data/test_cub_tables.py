from collections.abc import Callable
from pathlib import Path

import pytest

from explorer.data.cub import load_cub
from explorer.data.cub_tables import LAYOUT, DatasetError

TEXT_FILES = [name for name in LAYOUT if name.endswith(".txt")]


def rewrite(root: Path, name: str, change: Callable[[str], str]) -> None:
    path = root / name
    path.write_text(change(path.read_text()))


def test_windows_text_files_are_read(cub_folder: Path) -> None:
    for name in TEXT_FILES:
        data = (cub_folder / name).read_bytes()
        (cub_folder / name).write_bytes(b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n") + b"\r\n")
    assert load_cub(cub_folder).categories == ("007.Red_Bird", "016.Blue_Bird")


@pytest.mark.parametrize(
    ("name", "change", "line", "problem"),
    [
        ("images.txt", ("30 016.Blue_Bird/c.jpg", "30"), 1, "not an id and a name"),
        ("images.txt", ("30 0", "x 0"), 1, "not an id and a name"),
        ("images.txt", ("12 007", "5 007"), 3, "id appears twice"),
        ("images.txt", ("007.Red_Bird/a.jpg", "/etc/a.jpg"), 2, "leads out of the images folder"),
        ("images.txt", ("007.Red_Bird/a", "007.Red_Bird/../../a"), 2, "leads out of the images"),
        ("images.txt", ("007.Red_Bird/a", "007.Red_Bird\\..\\a"), 2, "leads out of the images"),
        ("images.txt", ("007.Red_Bird/a", "C:\\a"), 2, "leads out of the images folder"),
        ("images.txt", ("Red_Bird/a.jpg", "Red_Bird/z.jpg"), 2, "z.jpg is missing"),
        ("images.txt", ("007.Red_Bird/a", "nowhere/a"), 2, "a.jpg is missing"),
        ("classes.txt", ("016.Blue_Bird", "007.Red_Bird"), 2, "'007.Red_Bird' appears twice"),
        ("classes.txt", ("16 0", "7 0"), 2, "id appears twice"),
        ("classes.txt", ("016.Blue_Bird", "../up"), 2, "'../up' cannot name a folder"),
        ("classes.txt", ("016.Blue_Bird", ".."), 2, "'..' cannot name a folder"),
        ("image_class_labels.txt", ("12 7", "12 8"), 2, "the class is not in classes.txt"),
        ("image_class_labels.txt", ("12 7", "12 7.5"), 2, "column 2 must be a whole number"),
        ("image_class_labels.txt", ("12 7", "5 7"), 2, "image id appears twice"),
        ("image_class_labels.txt", ("12 7", "nan 7"), 2, "column 1 must be a whole number"),
        ("bounding_boxes.txt", ("12 0.0 0.0", "12 0.0"), 2, "expected 5 numbers, found 4 fields"),
        ("bounding_boxes.txt", ("12 0.0", "12 wide"), 2, "'12 wide 0.0 20.0 10.0' is not made of"),
        ("bounding_boxes.txt", ("20.0 10.0", "20.0 0.0"), 2, "the box has no area"),
        ("bounding_boxes.txt", ("20.0 10.0", "-20.0 10.0"), 2, "the box has no area"),
        ("bounding_boxes.txt", ("20.0 10.0", "nan 10.0"), 2, "not made of finite numbers"),
        ("bounding_boxes.txt", ("12 0.0", "12 inf"), 2, "not made of finite numbers"),
        ("train_test_split.txt", ("12 0", "12 2"), 2, "the split must be 0 or 1"),
        ("train_test_split.txt", ("12 0\n", "\n12 2\n"), 3, "the split must be 0 or 1"),
        ("parts/parts.txt", ("9 left eye", "2 left eye"), 2, "id appears twice"),
        ("parts/part_locs.txt", ("5 9 0.0", "5 8 0.0"), 2, "the part is not in parts.txt"),
        ("parts/part_locs.txt", ("5 9 0.0", "5 2 0.0"), 2, "the image's part appears twice"),
        ("parts/part_locs.txt", ("0.0 0.0 0", "0.0 0.0 3"), 2, "visible must be 0 or 1"),
        ("parts/part_locs.txt", ("0.0 0.0 0", "nan 0.0 1"), 2, "the part's place is not finite"),
        ("parts/part_locs.txt", ("0.0 0.0 0", "0.0 0.0"), 2, "expected 5 numbers, found 4 fields"),
    ],
)
def test_a_bad_line_is_named(
    cub_folder: Path, name: str, change: tuple[str, str], line: int, problem: str
) -> None:
    old, new = change
    assert old in (cub_folder / name).read_text()
    rewrite(cub_folder, name, lambda text: text.replace(old, new, 1))
    with pytest.raises(DatasetError) as caught:
        load_cub(cub_folder)
    message = str(caught.value)
    assert message.startswith(f"{cub_folder / name}, line {line}: ")
    assert problem in message
    assert message.endswith("Correct it, or unpack the data set again.")


@pytest.mark.parametrize(
    "name", ["image_class_labels.txt", "bounding_boxes.txt", "train_test_split.txt"]
)
def test_an_image_without_a_line_is_named(cub_folder: Path, name: str) -> None:
    rewrite(cub_folder, name, lambda text: text.split("\n", 1)[0] + "\n")
    with pytest.raises(
        DatasetError,
        match=rf"images\.txt, line 1: image id 30 \(and 1 more\) has no line in {name}",
    ):
        load_cub(cub_folder)


@pytest.mark.parametrize("name", TEXT_FILES)
def test_text_that_is_not_utf8_is_named(cub_folder: Path, name: str) -> None:
    data = (cub_folder / name).read_bytes()
    (cub_folder / name).write_bytes(data.replace(b"\n", b"\n\xff", 1))
    with pytest.raises(DatasetError, match=r"line 2: the text is not UTF-8"):
        load_cub(cub_folder)


@pytest.mark.parametrize("name", TEXT_FILES)
def test_an_empty_file_is_named(cub_folder: Path, name: str) -> None:
    (cub_folder / name).write_text("\n")
    with pytest.raises(DatasetError, match=f"{name} is empty"):
        load_cub(cub_folder)


def test_all_missing_files_are_listed(cub_folder: Path) -> None:
    (cub_folder / "classes.txt").unlink()
    (cub_folder / "parts/part_locs.txt").unlink()
    with pytest.raises(DatasetError, match=r"without classes\.txt, parts/part_locs\.txt\."):
        load_cub(cub_folder)


def test_a_file_that_cannot_be_read_is_named(cub_folder: Path) -> None:
    (cub_folder / "classes.txt").unlink()
    (cub_folder / "classes.txt").mkdir()
    with pytest.raises(DatasetError, match=r"classes\.txt cannot be read"):
        load_cub(cub_folder)


def test_missing_folder_and_folder_above_are_explained(cub_folder: Path) -> None:
    with pytest.raises(DatasetError, match=r"There is no folder .*nowhere"):
        load_cub(cub_folder / "nowhere")
    cub_folder.rename(cub_folder.with_name("CUB_200_2011"))
    with pytest.raises(DatasetError, match=r"Use .*CUB_200_2011\.$"):
        load_cub(cub_folder.parent)


def test_oddities_are_counted(cub_folder: Path) -> None:
    for name in ("image_class_labels.txt", "bounding_boxes.txt", "train_test_split.txt"):
        rewrite(cub_folder, name, lambda text: text + text.splitlines()[-1].replace("30", "31", 1))
    rewrite(cub_folder, "image_class_labels.txt", lambda text: text.replace("31 16", "31 99"))
    rewrite(cub_folder, "classes.txt", lambda text: text + "20 020.Rare_Bird\n")
    rewrite(
        cub_folder,
        "parts/part_locs.txt",
        lambda text: (
            text.replace("5 2 3.5 4.0 1", "5 2 3.5 4.0 0")
            .replace("12 9 2.0 2.0 1\n", "")
            .replace("30 9 6 6 1", "30 9 6 19 1\n31 9 6 6 1")
        ),
    )
    assert sorted(load_cub(cub_folder).warnings) == [
        "1 line of bounding_boxes.txt is about an image that images.txt does not list.",
        "1 line of image_class_labels.txt is about an image that images.txt does not list.",
        "1 line of part_locs.txt is about an image that images.txt does not list.",
        "1 line of train_test_split.txt is about an image that images.txt does not list.",
        "1 of 3 categories has no photo.",
        "1 part has no line in part_locs.txt and counts as not visible.",
        "1 photo has no visible part.",
        "1 visible part lies more than 2 px outside its bird's box.",
    ]


def test_several_oddities_of_a_kind_are_counted_in_the_plural(cub_folder: Path) -> None:
    rewrite(cub_folder, "train_test_split.txt", lambda text: text + "31 1\n32 0\n")
    rewrite(cub_folder, "classes.txt", lambda text: text + "20 020.Rare\n21 021.Rarer\n")
    part_lines = "5 2 19 4 1\n5 9 19 4 1\n12 2 1 1 0\n30 2 1 1 0\n"
    rewrite(cub_folder, "parts/part_locs.txt", lambda _: part_lines)
    assert sorted(load_cub(cub_folder).warnings) == [
        "2 lines of train_test_split.txt are about images that images.txt does not list.",
        "2 of 4 categories have no photo.",
        "2 parts have no line in part_locs.txt and count as not visible.",
        "2 photos have no visible part.",
        "2 visible parts lie more than 2 px outside their birds' boxes.",
    ]


def test_a_line_behind_a_byte_order_mark_is_counted_right(cub_folder: Path) -> None:
    (cub_folder / "classes.txt").write_bytes(b"\xef\xbb\xbf7 Red\n\xff 016.Blue\n")
    with pytest.raises(DatasetError, match=r"classes\.txt, line 2: the text is not UTF-8"):
        load_cub(cub_folder)
