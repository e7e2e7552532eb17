import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explorer.config import ExplorerError
from explorer.data import cub
from explorer.data.cub import (
    CubDataset,
    DatasetError,
    check_geometry,
    format_category,
    load_cub,
    load_photo,
)

# Ids with gaps and out of order, as a subset of CUB may have them.
FILES = {
    "classes.txt": "7 007.Red_Bird\n16 016.Blue_Bird\n",
    "images.txt": "30 016.Blue_Bird/c.jpg\n5 007.Red_Bird/a.jpg\n12 007.Red_Bird/b.jpg\n",
    "image_class_labels.txt": "5 7\n12 7\n30 16\n",
    "bounding_boxes.txt": "5 1.0 2.0 10.0 8.0\n12 0.0 0.0 20.0 10.0\n30 4.5 3.0 6.0 5.0\n",
    "train_test_split.txt": "5 1\n12 0\n30 1\n",
    "parts/parts.txt": "2 beak\n9 left eye\n",
    "parts/part_locs.txt": (
        "5 2 3.5 4.0 1\n5 9 0.0 0.0 0\n12 2 1.0 1.0 1\n12 9 2.0 2.0 1\n30 2 5.0 4.0 1\n30 9 6 6 1\n"
    ),
}
WIDTH, HEIGHT = 20, 10


@pytest.fixture
def cub_folder(tmp_path: Path) -> Path:
    root = tmp_path / "cub"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for line in FILES["images.txt"].splitlines():
        path = root / "images" / line.split()[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (WIDTH, HEIGHT), (200, 100, 50)).save(path, quality=95)
    return root


@pytest.fixture(scope="session")
def real_cub() -> CubDataset:
    default = Path(__file__).resolve().parents[2].parent / "shared" / "cub40"
    root = Path(os.environ.get("CUB_ROOT") or default)
    if not (root / "images.txt").exists():
        pytest.skip(f"CUB-200-2011 is not at {root}; set CUB_ROOT to its folder")
    return load_cub(root)


def rewrite(root: Path, name: str, change: Callable[[str], str]) -> None:
    path = root / name
    path.write_text(change(path.read_text()))


def test_subset_with_gaps_is_read_in_images_order(cub_folder: Path) -> None:
    data = load_cub(cub_folder)
    assert [photo.image_id for photo in data.photos] == [30, 5, 12]
    assert data.categories == ("007.Red_Bird", "016.Blue_Bird")
    assert data.part_names == ("beak", "left eye")
    assert data.warnings == ()
    photo = data.get_photo(5)
    assert photo.path == cub_folder / "images/007.Red_Bird/a.jpg"
    assert (photo.name, photo.category, photo.category_index) == ("a", "007.Red_Bird", 0)
    assert photo.box == (1.0, 2.0, 10.0, 8.0)
    assert [p.is_training for p in data.photos] == [True, True, False]
    np.testing.assert_array_equal(photo.parts, [[3.5, 4.0], [np.nan, np.nan]])
    np.testing.assert_array_equal(photo.visible, [True, False])
    assert data.get_photo(30).category_index == 1
    np.testing.assert_array_equal(data.get_photo(30).parts, [[5, 4], [6, 6]])


def test_annotations_cannot_be_changed(cub_folder: Path) -> None:
    photo = load_cub(cub_folder).photos[0]
    with pytest.raises(ValueError, match="read-only"):
        photo.parts[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        photo.visible[0] = False


def test_no_photo_is_opened_at_load(cub_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a photo was opened")

    monkeypatch.setattr(Image, "open", refuse)
    assert len(load_cub(cub_folder).photos) == 3


def test_windows_text_files_are_read(cub_folder: Path) -> None:
    for name in FILES:
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
    assert old in FILES[name]
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


@pytest.mark.parametrize("name", list(FILES))
def test_text_that_is_not_utf8_is_named(cub_folder: Path, name: str) -> None:
    data = (cub_folder / name).read_bytes()
    (cub_folder / name).write_bytes(data.replace(b"\n", b"\n\xff", 1))
    with pytest.raises(DatasetError, match=r"line 2: the text is not UTF-8"):
        load_cub(cub_folder)


@pytest.mark.parametrize("name", list(FILES))
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
        "1 lines of bounding_boxes.txt are about images that images.txt does not list.",
        "1 lines of image_class_labels.txt are about images that images.txt does not list.",
        "1 lines of part_locs.txt are about images that images.txt does not list.",
        "1 lines of train_test_split.txt are about images that images.txt does not list.",
        "1 of 3 categories have no photo.",
        "1 parts have no line in part_locs.txt and count as not visible.",
        "1 photos have no visible part.",
        "1 visible parts lie more than 2 px outside their bird's box.",
    ]


def test_photos_are_found_by_id_and_category(cub_folder: Path) -> None:
    data = load_cub(cub_folder)
    assert [p.image_id for p in data.photos_of("007.Red_Bird")] == [5, 12]
    assert [p.image_id for p in data.photos_of("blue bird")] == [30]
    with pytest.raises(ExplorerError, match="no photo with id 6 "):
        data.get_photo(6)


@pytest.mark.parametrize(
    "text",
    ["016.Blue_Bird", "016.blue_bird", "016 Blue Bird", "blue bird", "Blue-Bird", " BLUE_bird "],
)
def test_category_is_found_by_its_plain_name(cub_folder: Path, text: str) -> None:
    assert load_cub(cub_folder).find_category(text) == "016.Blue_Bird"


def test_unknown_and_ambiguous_categories_list_the_nearest(cub_folder: Path) -> None:
    data = load_cub(cub_folder)
    with pytest.raises(
        ExplorerError, match=r"no category 'bleu bird': did you mean 016\.Blue_Bird"
    ):
        data.find_category("bleu bird")
    with pytest.raises(ExplorerError, match=r"did you mean 007\.Red_Bird, 016\.Blue_Bird\?"):
        data.find_category("bird")
    with pytest.raises(ExplorerError, match=r"'': see classes\.txt"):
        data.find_category("")
    rewrite(cub_folder, "classes.txt", lambda text: text.replace("007.Red_Bird", "007.Blue_Bird"))
    with pytest.raises(ExplorerError, match=r"can mean 007\.Blue_Bird, 016\.Blue_Bird"):
        load_cub(cub_folder).find_category("Blue Bird")


@pytest.mark.parametrize(
    ("category", "plain"),
    [
        ("016.Painted_Bunting", "Painted Bunting"),
        ("Painted_Bunting", "Painted Bunting"),
        ("001.", "001."),
    ],
)
def test_format_category(category: str, plain: str) -> None:
    assert format_category(category) == plain


def load_with(root: Path, box: str, part: str = "3.5 4.0") -> cub.Photo:
    rewrite(root, "bounding_boxes.txt", lambda text: text.replace("1.0 2.0 10.0 8.0", box))
    rewrite(root, "parts/part_locs.txt", lambda text: text.replace("3.5 4.0", part))
    return load_cub(root).get_photo(5)


def test_geometry_within_the_photo_is_left_alone(cub_folder: Path) -> None:
    photo = load_with(cub_folder, "1.0 2.0 10.0 8.0")
    geometry = check_geometry(photo, (HEIGHT, WIDTH))
    assert geometry.box == photo.box
    assert (geometry.box_overhang, geometry.outside_parts) == (0, 0)
    np.testing.assert_array_equal(geometry.parts, photo.parts)


@pytest.mark.parametrize(
    ("box", "clipped", "overhang"),
    [
        ("11 1 11 8", (11, 1, 9, 8), 2),
        ("-1.5 1 11 8", (0, 1, 9.5, 8), 1.5),
        ("19 1 3 8", (19, 1, 1, 8), 2),
        ("11 0 12 10", (11, 0, 9, 10), 3),
        ("0 -3 20 13", (0, 0, 20, 10), 3),
    ],
)
def test_overhanging_box_is_clipped_and_measured(
    cub_folder: Path, box: str, clipped: tuple[float, ...], overhang: float
) -> None:
    geometry = check_geometry(load_with(cub_folder, box), (HEIGHT, WIDTH))
    assert geometry.box == pytest.approx(clipped)
    assert geometry.box_overhang == overhang


@pytest.mark.parametrize("box", ["12 1 12 8", "20 1 1 8", "-3 1 6 8", "300 200 20 10"])
def test_box_outside_its_photo_is_refused(cub_folder: Path, box: str) -> None:
    photo = load_with(cub_folder, box)
    with pytest.raises(
        DatasetError, match=r"image id 5: the box .* lies outside .*a\.jpg of 20 × 10"
    ):
        load_photo(photo)


def test_parts_just_outside_are_clipped_and_others_counted(cub_folder: Path) -> None:
    near = check_geometry(load_with(cub_folder, "1 1 18 8", "21.5 -1.0"), (HEIGHT, WIDTH))
    np.testing.assert_array_equal(near.parts, [[20, 0], [np.nan, np.nan]])
    assert near.outside_parts == 0
    rewrite(cub_folder, "parts/part_locs.txt", lambda text: text.replace("21.5 -1.0", "23 -1.0"))
    far = check_geometry(load_cub(cub_folder).get_photo(5), (HEIGHT, WIDTH))
    np.testing.assert_array_equal(far.parts, [[23, -1], [np.nan, np.nan]])
    assert far.outside_parts == 1


def save_photo(root: Path, image: Image.Image, **options: object) -> cub.Photo:
    photo = load_cub(root).get_photo(5)
    image.save(photo.path, **options)
    return photo


@pytest.mark.parametrize(
    ("mode", "colour"), [("L", 90), ("CMYK", (0, 0, 0, 165)), ("RGB", (90,) * 3)]
)
def test_photos_of_other_modes_become_rgb(cub_folder: Path, mode: str, colour: int) -> None:
    photo = save_photo(cub_folder, Image.new(mode, (WIDTH, HEIGHT), colour))
    pixels = load_photo(photo)
    assert (pixels.shape, pixels.dtype) == ((HEIGHT, WIDTH, 3), np.uint8)
    assert np.abs(pixels.astype(int) - 90).max() <= 2


def test_rotation_is_not_applied_to_annotated_photos(cub_folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = save_photo(cub_folder, Image.new("RGB", (WIDTH, HEIGHT)), exif=exif)
    assert load_photo(photo).shape == (HEIGHT, WIDTH, 3)


def test_truncated_missing_and_foreign_photos_are_named(cub_folder: Path) -> None:
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))
    photo = save_photo(cub_folder, noise)
    data = photo.path.read_bytes()
    for damaged in (data[: len(data) * 3 // 4], b"", b"not a picture"):
        photo.path.write_bytes(damaged)
        with pytest.raises(DatasetError, match=r"a\.jpg: the photo cannot be read"):
            load_photo(photo)
    photo.path.unlink()
    with pytest.raises(DatasetError, match=r"a\.jpg: the photo cannot be read"):
        load_photo(photo)


def test_real_subset_has_its_known_counts(real_cub: CubDataset) -> None:
    if len(real_cub.categories) != 40:
        pytest.skip("CUB_ROOT is not the subset of 40 categories")
    assert len(real_cub.photos) == 2290
    assert len(real_cub.part_names) == 15
    assert real_cub.warnings == ()
    assert real_cub.find_category("painted bunting") == "016.Painted_Bunting"
    first = real_cub.get_photo(1)
    assert first.box == (34.6, 15.6, 187.2, 175.1)
    np.testing.assert_array_equal(first.parts[1], [179.7, 104.9])
    assert np.isnan(first.parts[0]).all()


def test_real_photos_fit_their_annotations(real_cub: CubDataset) -> None:
    # These two have the largest overhangs of the first 40 categories.
    known = [p for p in real_cub.photos if p.name.endswith(("0051_796991", "0032_21551"))]
    for photo in (*real_cub.photos[::97], *known):
        pixels = load_photo(photo)
        geometry = check_geometry(photo, (pixels.shape[0], pixels.shape[1]))
        x, y, width, height = geometry.box
        assert min(x, y) >= 0
        assert x + width <= pixels.shape[1] + 1e-9
        assert y + height <= pixels.shape[0] + 1e-9
        assert geometry.outside_parts == 0
