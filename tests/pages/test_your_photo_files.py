import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explorer.data.painted.traits import PART_NAMES
from explorer.ui.shared import drawings
from explorer.ui.shared.downloads import make_arrays, make_pictures
from explorer.ui.shared.state import MapStyle
from explorer.ui.shared.windows import find_window
from explorer.ui.your_photo.marks import Marks
from explorer.ui.your_photo.own_photo import CAMERA, FILE, SAMPLE, OwnPhoto, make_digest
from explorer.workspace.workspace import Workspace

CATEGORY, OTHER = "001.Ember_capped_Finch", "002.Harebell_capped_Finch"
STYLE = MapStyle("pool3", colours="viridis", opacity=80)


def make_own_photo(name: str = "My robin (1).JPG", source: str = FILE) -> OwnPhoto:
    image = np.random.default_rng(2).integers(0, 256, (120, 80, 3), dtype=np.uint8)
    marks = Marks(80, 120, names=PART_NAMES)
    return OwnPhoto(image, make_digest(image.tobytes()), name, source, marks)


@pytest.mark.parametrize(
    ("name", "source", "wanted"),
    [
        ("My robin (1).JPG", FILE, "your-photo_my-robin-1_harebell-capped-finch_srae-k5-s0"),
        ("From the camera", CAMERA, "your-photo_from-the-camera_harebell-capped-finch_srae-k5-s0"),
        ("A Finch, painted bird 4", SAMPLE, "sample_a-finch-painted-bird-4_harebell-capped-finch_"),
        ("鳥.jpg", FILE, "your-photo_harebell-capped-finch_srae-k5-s0"),
        ("../../etc/passwd.png", FILE, "your-photo_etc-passwd_harebell-capped-finch_"),
        ("x" * 300 + ".png", FILE, f"your-photo_{'x' * 60}_harebell-capped-finch_"),
    ],
)
def test_files_say_what_they_are(tiny_workspace: Path, name: str, source: str, wanted: str) -> None:
    entry = next(e for e in Workspace(tiny_workspace).list_modules() if e.category == OTHER)
    photo = make_own_photo(name, source)
    stem = photo.make_stem(entry.category, entry.run)
    assert stem.startswith(wanted)


def test_numbers_for_download(tiny_workspace: Path) -> None:
    workspace, photo = Workspace(tiny_workspace), make_own_photo()
    entry = next(e for e in workspace.list_modules() if e.category == OTHER)
    data = make_arrays(workspace, entry, photo, "pool3")
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        explanation = workspace.networks.explain(entry, photo.image, "pool3")
        np.testing.assert_array_equal(arrays["raw_maps"], explanation.maps)
        np.testing.assert_array_equal(
            arrays["score_map"], workspace.networks.explain_score(OTHER, photo.image, "pool3")
        )
        assert arrays["contributions"].sum() == pytest.approx(float(arrays["y_bar"]), abs=1e-5)
        assert arrays["softmax"].sum() == pytest.approx(1)
        assert arrays["logits"][1] == pytest.approx(float(arrays["y_hat"]), abs=1e-4)
        assert arrays["categories"].tolist() == list(workspace.dataset.categories)
        assert str(arrays["category"]) == OTHER
        assert str(arrays["map_layer"]) == "pool3"
        assert str(arrays["photo_name"]) == "My robin (1).JPG"
        assert arrays["photo_size"].tolist() == [120, 80]
        # The photo itself is not in it, nor parts that were never placed.
        assert not {"image", "photo", "points", "box"} & set(arrays)


def test_numbers_hold_box_and_parts_once_they_are_placed(tiny_workspace: Path) -> None:
    workspace, photo = Workspace(tiny_workspace), make_own_photo()
    entry = workspace.list_modules()[0]
    photo.marks.set_box(10, 20, 70, 110)
    photo.marks.place(1, 20, 30)
    photo.marks.place(14, 60, 100)
    data = make_arrays(workspace, entry, photo, "relu1")
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        assert arrays["box"].tolist() == [10, 20, 60, 90]
        assert arrays["points"][[1, 14]].tolist() == [[20, 30], [60, 100]]
        assert np.isnan(np.delete(arrays["points"], [1, 14], axis=0)).all()
        assert arrays["part_names"].tolist() == list(workspace.dataset.part_names)
        histogram, outside = arrays["part_histogram"], arrays["share_outside_box"]
        assert set(np.round(histogram.sum(axis=1) + outside, 5)) <= {0.0, 1.0}
        assert not np.delete(histogram, [1, 14], axis=1).any()
        assert (arrays["raw_maps"].sum(axis=(1, 2)) > 0).any()


def test_heat_is_counted_at_its_place_on_the_upright_photo(tiny_workspace: Path) -> None:
    photo = make_own_photo()
    photo.marks.set_box(0, 0, 80, 120)
    photo.marks.place(2, 20, 20)
    photo.marks.place(5, 60, 100)
    maps = np.zeros((2, 12, 8), np.float32)
    maps[0, 1, 1] = 3  # the upper left
    maps[1, 10, 6] = 1  # the lower right
    parts = photo.parts
    histogram = parts.measure(maps).values
    assert np.argwhere(histogram).tolist() == [[0, 2], [1, 5]]


def test_pictures_for_download(tiny_workspace: Path) -> None:
    workspace, photo = Workspace(tiny_workspace), make_own_photo()
    entry = workspace.list_modules()[0]
    packed = make_pictures(workspace, entry, photo, STYLE)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert sorted(archive.namelist()) == [
            "excitation-bp-of-the-score.png",
            "numbers.csv",
            *(f"x-feature-{feature}.png" for feature in range(1, 6)),
        ]
        pictures = [
            Image.open(io.BytesIO(archive.read(name)))
            for name in archive.namelist()
            if name.endswith(".png")
        ]
        rows = list(csv.DictReader(io.StringIO(archive.read("numbers.csv").decode())))
        # All show the same part of the photo.
        assert len({(picture.format, picture.size) for picture in pictures}) == 1
        first = archive.read("x-feature-1.png")
        score = archive.read("excitation-bp-of-the-score.png")
    assert first == drawings.draw_overlay_png(workspace, entry, photo, STYLE, 0)
    window = find_window(workspace, entry, photo, STYLE)
    assert score == drawings.draw_score_png(workspace, CATEGORY, photo, STYLE, window)
    assert score != first
    *parts, total, _ = (float(row["contribution"]) for row in rows)
    assert sum(parts) == pytest.approx(total, abs=1e-4)
    assert [row["x-feature"] for row in rows[-2:]] == ["y_bar", "y_hat"]
