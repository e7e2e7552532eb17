"""A data-set photo and a visitor's photo of the same pixels give the same drawings and numbers."""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from workspaces import make_tiny_workspace

from explorer.render.views import CONTOURS
from explorer.render.window import WHOLE, compute_share_outside, find_heat_window
from explorer.ui.shared import downloads, drawings
from explorer.ui.shared.shown_photo import DatasetPhoto, ShownPhoto
from explorer.ui.shared.state import FADED, OWN_SCALE, SHARED_SCALE, MapStyle
from explorer.ui.shared.windows import find_known_window, find_window
from explorer.ui.your_photo.marks import Marks
from explorer.ui.your_photo.own_photo import FILE, Memory, OwnPhoto, make_digest
from explorer.workspace.layout import ModuleEntry
from explorer.workspace.workspace import Workspace

STYLE = MapStyle("pool3", colours="viridis", opacity=80)
OTHER_STYLES = {
    "layer": replace(STYLE, layer="pool2"),
    "colours": replace(STYLE, colours="inferno"),
    "opacity": replace(STYLE, opacity=30),
    "smooth": replace(STYLE, smooth=False),
    "view": replace(STYLE, view=CONTOURS),
    "crop": replace(STYLE, is_cropped=False),
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    st.cache_data.clear()
    yield Workspace(make_tiny_workspace(tmp_path_factory.mktemp("shown") / "tiny"))
    st.cache_data.clear()


@pytest.fixture(scope="module")
def entry(workspace: Workspace) -> ModuleEntry:
    return workspace.list_modules()[0]


@pytest.fixture(scope="module")
def of_dataset(workspace: Workspace) -> DatasetPhoto:
    return DatasetPhoto(workspace.dataset.get_photo(2))


@pytest.fixture
def own(workspace: Workspace, of_dataset: DatasetPhoto) -> OwnPhoto:
    parts = of_dataset.parts
    points = {
        int(part): (float(parts.points[part, 0]), float(parts.points[part, 1]))
        for part in np.flatnonzero(parts.visible)
    }
    height, width = parts.image.shape[:2]
    marks = Marks(width, height, parts.box, points, names=workspace.dataset.part_names)
    return OwnPhoto(parts.image, make_digest(parts.image.tobytes()), "robin.jpg", FILE, marks)


@pytest.fixture(params=["of_dataset", "own"])
def photo(request: pytest.FixtureRequest) -> ShownPhoto:
    shown: ShownPhoto = request.getfixturevalue(request.param)
    return shown


def test_both_kinds_are_drawn_alike(
    workspace: Workspace, entry: ModuleEntry, of_dataset: DatasetPhoto, own: OwnPhoto
) -> None:
    for style in (STYLE, replace(STYLE, scale=SHARED_SCALE, smooth=False)):
        assert drawings.draw_tiles(workspace, entry, own, style) == drawings.draw_tiles(
            workspace, entry, of_dataset, style
        )
        for draw in (drawings.draw_large, drawings.draw_overlay_png, drawings.find_top):
            assert draw(workspace, entry, own, style, 1) == draw(
                workspace, entry, of_dataset, style, 1
            )
        window = find_known_window(own, is_cropped=True)
        for draw_whole in (drawings.draw_score, drawings.draw_score_png):
            assert draw_whole(workspace, entry.category, own, style, window) == draw_whole(
                workspace, entry.category, of_dataset, style, window
            )


def test_both_kinds_give_the_same_numbers(
    workspace: Workspace, entry: ModuleEntry, of_dataset: DatasetPhoto, own: OwnPhoto
) -> None:
    packed = [downloads.make_arrays(workspace, entry, one, "pool3") for one in (of_dataset, own)]
    with (
        np.load(io.BytesIO(packed[0]), allow_pickle=False) as expected,
        np.load(io.BytesIO(packed[1]), allow_pickle=False) as arrays,
    ):
        common = set(expected) - set(of_dataset.list_facts())
        assert set(arrays) - set(own.list_facts()) == common
        assert {"raw_maps", "score_map", "softmax", "part_histogram", "box"} <= common
        for name in common:
            np.testing.assert_array_equal(arrays[name], expected[name], err_msg=name)
        assert int(expected["image_id"]) == 2
        assert str(arrays["photo_sha256"]) == own.digest


def test_pictures_of_a_photo_of_the_data_set(
    workspace: Workspace, entry: ModuleEntry, of_dataset: DatasetPhoto
) -> None:
    packed = downloads.make_pictures(workspace, entry, of_dataset, STYLE)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert len(archive.namelist()) == 7
        first = archive.read("x-feature-1.png")
    assert first == drawings.draw_overlay_png(workspace, entry, of_dataset, STYLE, 0)


@pytest.mark.parametrize("scale", [FADED, OWN_SCALE, SHARED_SCALE])
def test_a_tile_of_a_gallery_is_the_same_without_the_other_maps(
    workspace: Workspace, entry: ModuleEntry, scale: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, style = workspace.dataset.get_photo(3), replace(STYLE, scale=scale, smooth=False)
    expected = drawings.draw_tile(workspace, entry, DatasetPhoto(photo), style, 1)
    st.cache_data.clear()
    if scale != SHARED_SCALE:
        monkeypatch.delattr(DatasetPhoto, "explain")
    found = drawings.draw_photo_tile(workspace, entry, photo, style, 1, is_alone=True)
    assert found is not None
    pixels = [np.asarray(Image.open(io.BytesIO(data)), np.int16) for data in (expected, found)]
    assert np.abs(pixels[0] - pixels[1]).max() <= 1


@pytest.mark.parametrize("changed", OTHER_STYLES)
def test_every_setting_of_the_drawing_is_in_its_key(
    workspace: Workspace, entry: ModuleEntry, photo: ShownPhoto, changed: str
) -> None:
    (live,) = np.flatnonzero(photo.explain(workspace, entry, "pool3").maps.any((1, 2)))[:1]
    category, style = entry.category, OTHER_STYLES[changed]
    window = find_known_window(photo, is_cropped=True)
    tile = drawings.draw_tile(workspace, entry, photo, STYLE, int(live))
    score = drawings.draw_score(workspace, category, photo, STYLE, window)
    assert drawings.draw_tile(workspace, entry, photo, style, int(live)) != tile
    window = find_known_window(photo, is_cropped=style.is_cropped)
    assert drawings.draw_score(workspace, category, photo, style, window) != score
    assert drawings.draw_tile(workspace, entry, photo, STYLE, int(live)) == tile


def test_drawings_are_remembered(
    workspace: Workspace,
    entry: ModuleEntry,
    photo: ShownPhoto,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    style = replace(STYLE, opacity=55)
    drawings.draw_tiles(workspace, entry, photo, style)
    drawings.draw_score(workspace, entry.category, photo, style)
    monkeypatch.delattr(drawings, "_render")
    drawings.draw_tiles(workspace, entry, photo, style)
    drawings.draw_score(workspace, entry.category, photo, style)
    with pytest.raises(NameError):
        drawings.draw_large(workspace, entry, photo, style, 0)


def test_a_visitors_photo_has_parts_once_one_is_placed(own: OwnPhoto) -> None:
    own.marks.clear()
    assert own.parts is None
    own.marks.place(3, 5, 6)
    assert own.parts is not None
    assert np.flatnonzero(own.parts.visible).tolist() == [3]
    assert own.parts.points[3].tolist() == [5, 6]


def test_memory_drops_what_was_used_least_recently() -> None:
    memory, computed = Memory(2), []

    def get(name: str) -> str:
        return memory.get((name,), lambda: (computed.append(name), name)[1])

    assert [get(name) for name in "abacab"] == list("abacab")
    assert computed == ["a", "b", "c", "b"]


def read_picture(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def test_tiles_fade_with_their_share_of_the_score_and_a_single_map_does_not(
    workspace: Workspace, entry: ModuleEntry, photo: ShownPhoto
) -> None:
    explanation = photo.explain(workspace, entry, "pool3")
    order = np.argsort(-np.abs(explanation.contributions))
    strongest = int(order[0])
    weaker = [int(n) for n in order[1:] if explanation.maps[n].any()]
    assert weaker
    faded, own = replace(STYLE, scale=FADED), replace(STYLE, scale=OWN_SCALE)
    tiles = drawings.draw_tiles(workspace, entry, photo, faded).images
    full = drawings.draw_tiles(workspace, entry, photo, own).images
    assert tiles[strongest] == full[strongest]
    assert all(tiles[n] != full[n] for n in weaker)
    assert drawings.draw_tile(workspace, entry, photo, faded, weaker[0]) == full[weaker[0]]


def test_a_crop_shows_the_bird_and_says_how_much_heat_it_lacks(
    workspace: Workspace, entry: ModuleEntry, of_dataset: DatasetPhoto
) -> None:
    whole = replace(STYLE, is_cropped=False)
    x, y, width, height = of_dataset.box
    window = find_known_window(of_dataset, is_cropped=True)
    left, top, right, bottom = window.find_edges(of_dataset.image.shape[:2])
    assert left <= x
    assert top <= y
    assert right >= x + width
    assert bottom >= y + height
    assert find_known_window(of_dataset, is_cropped=False) == WHOLE
    overlays = drawings.draw_tiles(workspace, entry, of_dataset, STYLE)
    maps = of_dataset.explain(workspace, entry, "pool3").maps
    assert overlays.outside == pytest.approx([compute_share_outside(m, window) for m in maps])
    assert drawings.draw_tiles(workspace, entry, of_dataset, whole).outside == (0.0,) * len(maps)
    told = drawings.Overlays((b"", b""), (1.0, 1.0), (0.5, 0.1))
    assert told.describe_rest(0) == "50% of heat outside this crop"
    assert told.describe_rest(1) == ""


def test_a_photo_without_a_box_is_cropped_to_its_heat(
    workspace: Workspace, entry: ModuleEntry, own: OwnPhoto
) -> None:
    boxed = find_window(workspace, entry, own, STYLE)
    own.marks.clear()
    assert own.box is None
    assert find_known_window(own, is_cropped=True) == WHOLE
    explanation = own.explain(workspace, entry, "pool3")
    weights = np.abs(explanation.contributions)
    window = find_window(workspace, entry, own, STYLE)
    assert window == find_heat_window(explanation.maps, weights, own.image.shape[:2])
    assert window != boxed
    assert find_window(workspace, entry, own, replace(STYLE, is_cropped=False)) == WHOLE


def test_a_whole_photo_has_its_box_and_a_crop_has_none(of_dataset: DatasetPhoto) -> None:
    plain = read_picture(drawings.draw_photo(of_dataset, side=512))
    boxed = read_picture(drawings.draw_photo(of_dataset, side=512, has_box=True))
    assert np.abs(boxed - plain).max() > 100
    window = find_known_window(of_dataset, is_cropped=True)
    assert drawings.draw_photo(of_dataset, window, has_box=True) == drawings.draw_photo(
        of_dataset, window
    )
