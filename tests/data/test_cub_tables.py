import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from explorer.data.cub import load_cub
from explorer.data.cub_files import TABLES, DatasetError
from explorer.data.photo import load_photo


def rewrite(root: Path, name: str, change: Callable[[str], str]) -> None:
    path = root / name
    path.write_text(change(path.read_text()))


def test_windows_text_files_are_read(cub_folder: Path) -> None:
    for name in TABLES:
        data = (cub_folder / name).read_bytes()
        (cub_folder / name).write_bytes(b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n") + b"\r\n")
    assert load_cub(cub_folder).categories == ("007.Red_Bird", "016.Blue_Bird")


def test_tabs_between_fields_are_read(cub_folder: Path) -> None:
    before = load_cub(cub_folder)
    for name in TABLES:
        rewrite(cub_folder, name, lambda text: text.replace(" ", "\t", 1).replace("\n5 ", "\n5\t"))
    found = load_cub(cub_folder)
    assert [photo.path for photo in found.photos] == [photo.path for photo in before.photos]
    assert found.part_names == before.part_names
    assert found.categories == before.categories


def test_paths_of_windows_are_read(cub_folder: Path) -> None:
    before = load_cub(cub_folder)
    rewrite(cub_folder, "images.txt", lambda text: text.replace("/", "\\").replace(" ", " .\\"))
    found = load_cub(cub_folder)
    assert [photo.path for photo in found.photos] == [photo.path for photo in before.photos]


@pytest.mark.parametrize("second", ["007.Red_Bird/a.jpg", "./007.Red_Bird//a.jpg"])
def test_a_photo_that_is_listed_twice_is_refused(cub_folder: Path, second: str) -> None:
    rewrite(cub_folder, "images.txt", lambda text: text.replace("007.Red_Bird/b.jpg", second))
    with pytest.raises(DatasetError, match=r"images\.txt, line 3: the photo appears twice\."):
        load_cub(cub_folder)


def test_labels_that_contradict_their_folders_are_counted(cub_folder: Path) -> None:
    rewrite(cub_folder, "image_class_labels.txt", lambda text: text.replace("12 7", "12 16"))
    assert load_cub(cub_folder).warnings == (
        "1 photo is in the folder of another category than its label, such as 007.Red_Bird/b.jpg, "
        "which image_class_labels.txt labels 016.Blue_Bird.",
    )
    rewrite(cub_folder, "image_class_labels.txt", lambda text: text.replace("30 16", "30 7"))
    (warning,) = load_cub(cub_folder).warnings
    assert warning.startswith("2 photos are in the folders of other categories than their labels")


def test_labels_may_contradict_an_outer_folder(cub_folder: Path) -> None:
    folder = cub_folder / "images/007.Red_Bird"
    (folder / "males").mkdir()
    (folder / "b.jpg").rename(folder / "males/b.jpg")
    rewrite(cub_folder, "images.txt", lambda text: text.replace("/b.jpg", "/males/b.jpg"))
    assert load_cub(cub_folder).warnings == ()
    rewrite(cub_folder, "image_class_labels.txt", lambda text: text.replace("12 7", "12 16"))
    (warning,) = load_cub(cub_folder).warnings
    assert "such as 007.Red_Bird/males/b.jpg, which" in warning


def test_folders_that_are_no_categories_contradict_no_label(cub_folder: Path) -> None:
    (cub_folder / "images/007.Red_Bird").rename(cub_folder / "images/camera 1")
    rewrite(cub_folder, "images.txt", lambda text: text.replace("007.Red_Bird", "camera 1"))
    assert load_cub(cub_folder).warnings == ()


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
        ("classes.txt", ("016.Blue_Bird", "../up"), 2, "'../up' cannot be the name of a folder"),
        ("classes.txt", ("016.Blue_Bird", ".."), 2, "'..' cannot be the name of a folder"),
        ("image_class_labels.txt", ("12 7", "12 8"), 2, "the class is not in classes.txt"),
        ("image_class_labels.txt", ("12 7", "12 7.5"), 2, "column 2 must be a whole number"),
        ("image_class_labels.txt", ("12 7", "5 7"), 2, "image id appears twice"),
        ("image_class_labels.txt", ("12 7", "nan 7"), 2, "column 1 must be a whole number"),
        ("bounding_boxes.txt", ("12 0.0 0.0", "12 0.0"), 2, "expected 5 numbers, found 4 fields"),
        ("bounding_boxes.txt", ("12 0.0", "12 wide"), 2, "'12 wide 0.0 20.0 10.0' is not a list"),
        ("bounding_boxes.txt", ("20.0 10.0", "20.0 0.0"), 2, "the box has no area"),
        ("bounding_boxes.txt", ("20.0 10.0", "-20.0 10.0"), 2, "the box has no area"),
        ("bounding_boxes.txt", ("20.0 10.0", "nan 10.0"), 2, "numbers that are not finite"),
        ("bounding_boxes.txt", ("12 0.0", "12 inf"), 2, "numbers that are not finite"),
        ("train_test_split.txt", ("12 0", "12 2"), 2, "the split must be 0 or 1"),
        ("train_test_split.txt", ("12 0\n", "\n12 2\n"), 3, "the split must be 0 or 1"),
        ("images.txt", ("Blue_Bird/c.jpg", "Blue_Bird/c\t.jpg"), 1, "has control characters"),
        ("parts/parts.txt", ("9 left eye", "2 left eye"), 2, "id appears twice"),
        ("parts/parts.txt", ("9 left eye", "9 beak"), 2, "the name of the part appears twice"),
        ("parts/part_locs.txt", ("5 9 0.0", "5 8 0.0"), 2, "the part is not in parts.txt"),
        ("parts/part_locs.txt", ("5 9 0.0", "5 2 0.0"), 2, "the image's part appears twice"),
        ("parts/part_locs.txt", ("0.0 0.0 0", "0.0 0.0 3"), 2, "visible must be 0 or 1"),
        ("parts/part_locs.txt", ("0.0 0.0 0", "nan 0.0 1"), 2, "the part's position is not finite"),
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


@pytest.mark.parametrize("name", ["images.txt", "classes.txt", "bounding_boxes.txt"])
def test_a_file_without_line_breaks_is_not_quoted_whole(cub_folder: Path, name: str) -> None:
    data = (cub_folder / name).read_bytes().replace(b"\n", b"\r")  # as on the first Macs
    (cub_folder / name).write_bytes(data * 100)
    with pytest.raises(DatasetError, match=f"{name}, line 1: ") as caught:
        load_cub(cub_folder)
    assert len(str(caught.value)) < len(str(cub_folder)) + 220


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


@pytest.mark.parametrize("name", TABLES)
def test_text_that_is_not_utf8_is_named(cub_folder: Path, name: str) -> None:
    data = (cub_folder / name).read_bytes()
    (cub_folder / name).write_bytes(data.replace(b"\n", b"\n\xff", 1))
    with pytest.raises(DatasetError, match=r"line 2: the text is not UTF-8"):
        load_cub(cub_folder)


@pytest.mark.parametrize("name", TABLES)
def test_an_empty_file_is_named(cub_folder: Path, name: str) -> None:
    (cub_folder / name).write_text("\n")
    with pytest.raises(DatasetError, match=f"{name} is empty"):
        load_cub(cub_folder)


def test_all_missing_files_are_listed(cub_folder: Path) -> None:
    (cub_folder / "classes.txt").unlink()
    (cub_folder / "parts/part_locs.txt").unlink()
    with pytest.raises(DatasetError, match=r"folder: classes\.txt, parts/part_locs\.txt missing\."):
        load_cub(cub_folder)


def test_a_folder_without_parts_is_not_told_to_name_another_one(cub_folder: Path) -> None:
    shutil.rmtree(cub_folder / "parts")
    with pytest.raises(DatasetError) as caught:
        load_cub(cub_folder)
    message = str(caught.value)
    assert "parts/parts.txt, parts/part_locs.txt missing. They are in the archive" in message
    assert "Name the folder" not in message


def test_a_file_that_cannot_be_read_is_named(cub_folder: Path) -> None:
    (cub_folder / "classes.txt").unlink()
    (cub_folder / "classes.txt").mkdir()
    with pytest.raises(DatasetError, match=r"classes\.txt cannot be read"):
        load_cub(cub_folder)


def test_missing_folder_and_parent_folder_are_explained(cub_folder: Path) -> None:
    with pytest.raises(DatasetError, match=r"There is no folder .*nowhere"):
        load_cub(cub_folder / "nowhere")
    cub_folder.rename(cub_folder.with_name("CUB_200_2011"))
    with pytest.raises(DatasetError, match=r"Use .*CUB_200_2011\.$"):
        load_cub(cub_folder.parent)


def test_irregularities_are_counted(cub_folder: Path) -> None:
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
        "1 visible part is more than 2 px outside its bird's box.",
    ]


def test_several_irregularities_of_a_kind_are_counted_in_the_plural(cub_folder: Path) -> None:
    rewrite(cub_folder, "train_test_split.txt", lambda text: text + "31 1\n32 0\n")
    rewrite(cub_folder, "classes.txt", lambda text: text + "20 020.Rare\n21 021.Rarer\n")
    part_lines = "5 2 19 4 1\n5 9 19 4 1\n12 2 1 1 0\n30 2 1 1 0\n"
    rewrite(cub_folder, "parts/part_locs.txt", lambda _: part_lines)
    assert sorted(load_cub(cub_folder).warnings) == [
        "2 lines of train_test_split.txt are about images that images.txt does not list.",
        "2 of 4 categories have no photo.",
        "2 parts have no line in part_locs.txt and count as not visible.",
        "2 photos have no visible part.",
        "2 visible parts are more than 2 px outside their birds' boxes.",
    ]


def test_lines_after_a_byte_order_mark_are_counted_correctly(cub_folder: Path) -> None:
    (cub_folder / "classes.txt").write_bytes(b"\xef\xbb\xbf7 Red\n\xff 016.Blue\n")
    with pytest.raises(DatasetError, match=r"classes\.txt, line 2: the text is not UTF-8"):
        load_cub(cub_folder)


def add_photos(folder: Path, count: int) -> None:
    """Add photos of the first category with ids from 100 on."""
    lines = {name: [] for name in TABLES}
    for number in range(100, 100 + count):
        name = f"007.Red_Bird/more-{number}.jpg"
        shutil.copy(folder / "images/007.Red_Bird/a.jpg", folder / "images" / name)
        lines["images.txt"].append(f"{number} {name}")
        lines["image_class_labels.txt"].append(f"{number} 7")
        lines["bounding_boxes.txt"].append(f"{number} 1.0 2.0 10.0 8.0")
        lines["train_test_split.txt"].append(f"{number} 1")
    for name, added in lines.items():
        rewrite(folder, name, lambda text, added=added: text + "".join(f"{a}\n" for a in added))


def test_a_few_missing_photos_are_tolerated(cub_folder: Path) -> None:
    add_photos(cub_folder, 20)
    before = load_cub(cub_folder)
    (cub_folder / "images/007.Red_Bird/b.jpg").unlink()
    found = load_cub(cub_folder)
    assert found.missing == {12}
    assert [p.image_id for p in found.photos] == [p.image_id for p in before.photos]
    assert len(found.present) == 22
    (warning,) = [text for text in found.warnings if "missing" in text]
    assert warning == f"The photo {cub_folder}/images/007.Red_Bird/b.jpg is missing."
    assert before.missing == frozenset()
    with pytest.raises(DatasetError, match=r"b\.jpg: the photo cannot be read"):
        load_photo(found.get_photo(12))


def test_more_than_a_tenth_missing_is_refused(cub_folder: Path) -> None:
    add_photos(cub_folder, 17)
    for path in list((cub_folder / "images/007.Red_Bird").glob("more-10[0-2].jpg")):
        path.unlink()
    with pytest.raises(DatasetError, match=r"more-100\.jpg \(and 2 more\) is missing"):
        load_cub(cub_folder)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("016.Blue\x07Bird", "control characters"),
        ("016.Blue\u202eBird", "control characters"),
        ("016.Blue\u2028Bird", "control characters"),
        ("016." + "a" * 200, "longer than 200 bytes"),
        ("016." + "🦜" * 50, "longer than 200 bytes"),
        ("007.RED_BIRD", "would be the same folder"),
        ("../" * 30, "cannot be the name of a folder"),
    ],
)
def test_invalid_folder_names_are_refused(cub_folder: Path, name: str, problem: str) -> None:
    rewrite(cub_folder, "classes.txt", lambda text: text.replace("016.Blue_Bird", name))
    with pytest.raises(DatasetError, match=rf"classes\.txt, line 2: .*{problem}"):
        load_cub(cub_folder)


def test_names_that_differ_only_by_normalisation_are_refused(cub_folder: Path) -> None:
    (cub_folder / "classes.txt").write_text("7 a.Caf\u00e9\n16 a.Cafe\u0301\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"classes\.txt, line 2: .*would be the same folder"):
        load_cub(cub_folder)


@pytest.mark.parametrize("name", ["<b>beak</b>", "[beak](x)", "beak`", "$beak$", "b" * 61])
def test_invalid_part_names_are_refused(cub_folder: Path, name: str) -> None:
    rewrite(cub_folder, "parts/parts.txt", lambda text: text.replace("beak", name))
    with pytest.raises(DatasetError, match=r"parts\.txt, line 1: .* is not a valid name of a part"):
        load_cub(cub_folder)


def test_photos_behind_links_out_of_the_folder_are_not_read(
    cub_folder: Path, tmp_path: Path
) -> None:
    photo = cub_folder / "images/007.Red_Bird/a.jpg"
    photo.rename(tmp_path / "outside.jpg")
    photo.symlink_to(tmp_path / "outside.jpg")
    with pytest.raises(DatasetError, match=r"a\.jpg is missing"):
        load_cub(cub_folder)
    photo.unlink()
    photo.symlink_to("b.jpg")  # within the folder
    assert len(load_cub(cub_folder).photos) == 3
    (cub_folder / "images/007.Red_Bird").rename(tmp_path / "outside")
    (cub_folder / "images/007.Red_Bird").symlink_to(tmp_path / "outside")
    with pytest.raises(DatasetError, match="is a link that leads out"):
        load_cub(cub_folder)


def test_the_folder_of_photos_may_be_a_link(cub_folder: Path, tmp_path: Path) -> None:
    (cub_folder / "images").rename(tmp_path / "other-disk")
    (cub_folder / "images").symlink_to(tmp_path / "other-disk")
    assert len(load_cub(cub_folder).photos) == 3


@pytest.mark.parametrize("name", TABLES)
def test_a_pipe_instead_of_a_table_does_not_block(cub_folder: Path, name: str) -> None:
    (cub_folder / name).unlink()
    os.mkfifo(cub_folder / name)
    with pytest.raises(DatasetError, match=r"\.txt cannot be read: it is a pipe"):
        load_cub(cub_folder)
