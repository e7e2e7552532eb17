from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from explorer.config import ExplorerError
from explorer.data import cub
from explorer.data.cub import CubDataset, format_category, load_cub
from explorer.data.cub_files import DatasetError
from explorer.data.photo import check_geometry, load_photo

# The size of the photos in `cub_folder`.
WIDTH, HEIGHT = 20, 10


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


def test_geometry_within_the_photo_is_not_changed(cub_folder: Path) -> None:
    photo = load_with(cub_folder, "1.0 2.0 10.0 8.0")
    geometry = check_geometry(photo, (HEIGHT, WIDTH))
    assert geometry.box == photo.box
    np.testing.assert_array_equal(geometry.parts, photo.parts)


@pytest.mark.parametrize(
    ("box", "clipped"),
    [
        ("11 1 11 8", (11, 1, 9, 8)),
        ("-1.5 1 11 8", (0, 1, 9.5, 8)),
        ("19 1 3 8", (19, 1, 1, 8)),
        ("11 0 12 10", (11, 0, 9, 10)),
        ("0 -3 20 13", (0, 0, 20, 10)),
    ],
)
def test_an_overhanging_box_is_clipped(
    cub_folder: Path, box: str, clipped: tuple[float, ...]
) -> None:
    geometry = check_geometry(load_with(cub_folder, box), (HEIGHT, WIDTH))
    assert geometry.box == pytest.approx(clipped)


@pytest.mark.parametrize("box", ["12 1 12 8", "20 1 1 8", "-3 1 6 8", "300 200 20 10"])
def test_box_outside_its_photo_is_refused(cub_folder: Path, box: str) -> None:
    photo = load_with(cub_folder, box)
    with pytest.raises(
        DatasetError, match=r"image id 5: the box .* is outside .*a\.jpg of 20 × 10"
    ):
        load_photo(photo)


def test_parts_just_outside_are_clipped_and_others_are_kept(cub_folder: Path) -> None:
    near = check_geometry(load_with(cub_folder, "1 1 18 8", "21.5 -1.0"), (HEIGHT, WIDTH))
    np.testing.assert_array_equal(near.parts, [[20, 0], [np.nan, np.nan]])
    rewrite(cub_folder, "parts/part_locs.txt", lambda text: text.replace("21.5 -1.0", "23 -1.0"))
    far = check_geometry(load_cub(cub_folder).get_photo(5), (HEIGHT, WIDTH))
    np.testing.assert_array_equal(far.parts, [[23, -1], [np.nan, np.nan]])


def save_photo(root: Path, image: Image.Image, **options: Any) -> cub.Photo:
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


APPLE_DOUBLE = b"\0\5\x16\7" + bytes(60)
GIT_LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 90\n"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("GIF", "a GIF picture"),
        ("BMP", "a BMP picture"),
        ("TIFF", "a TIFF picture"),
        ("AVIF", "an AVIF picture"),
        ("ICO", "an icon"),
    ],
)
def test_a_picture_in_another_format_is_named(cub_folder: Path, kind: str, words: str) -> None:
    photo = save_photo(cub_folder, Image.new("RGB", (WIDTH, HEIGHT)), format=kind)
    with pytest.raises(DatasetError, match=rf"a\.jpg: .* \(it is {words}\)"):
        load_photo(photo)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (APPLE_DOUBLE, "an AppleDouble file, in which macOS keeps notes"),
        (GIT_LFS, "a pointer of Git LFS"),
        (b"\n<!DOCTYPE html><title>404</title>", "an HTML page"),
        (b"\0\0\0\x18ftypheic", "a HEIC picture"),
        (b"", "an empty file"),
        (b"bird", "not a JPEG, PNG or WebP picture"),
        (b"\xff\xd8\xff\xe0", "not a JPEG, PNG or WebP picture"),
    ],
)
def test_a_file_that_is_no_picture_is_named(cub_folder: Path, data: bytes, words: str) -> None:
    photo = load_cub(cub_folder).get_photo(5)
    photo.path.write_bytes(data)
    with pytest.raises(DatasetError, match=rf"a\.jpg: the photo cannot be read \(it is {words}"):
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
        visible = geometry.parts[photo.visible]
        assert ((visible >= 0) & (visible <= (pixels.shape[1], pixels.shape[0]))).all()


def test_a_photo_has_an_index_within_its_category(cub_folder: Path) -> None:
    dataset = load_cub(cub_folder)
    for photo in dataset.photos:
        assert dataset.photos_of(photo.category)[dataset.get_index_in_category(photo)] is photo
    assert sorted(map(dataset.get_index_in_category, dataset.photos)) == [0, 0, 1]
