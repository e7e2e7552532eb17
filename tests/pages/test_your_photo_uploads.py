import gc
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from app_pages import find, list_captions, read_texts, upload
from photos import encode, make_jpeg, make_pixels
from PIL import Image
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.testing.v1 import AppTest

from explorer.ui.your_photo import intake
from explorer.ui.your_photo.own_photo import CAMERA, FILE, SAMPLE

OpenApp = Callable[..., AppTest]


# --- Uploads --------------------------------------------------------------------------------------


def turn(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("plain.jpg", lambda image: encode(image, "JPEG")),
        ("UPPER.JPEG", lambda image: encode(image.convert("L"), "JPEG")),
        ("print.jpg", lambda image: encode(image.convert("CMYK"), "JPEG")),
        ("turned.jpg", lambda image: encode(image.rotate(90, expand=True), "JPEG", exif=turn(6))),
        ("clear.png", lambda image: encode(image.convert("RGBA"), "PNG")),
        ("fine.png", lambda image: encode(make_16_bit(image), "PNG")),
        ("moving.webp", lambda image: encode(image, "WEBP", save_all=True, append_images=[image])),
        ("scan.tif", lambda image: encode(image, "TIFF")),
        ("phone.heic", lambda image: encode(image, "HEIF")),
        ("camera.HIF", lambda image: encode(image, "HEIF")),
        ("web.avif", lambda image: encode(image, "AVIF")),
    ],
)
def test_every_format_is_explained(
    tiny_workspace: Path,
    open_app: OpenApp,
    calls: list[str],
    name: str,
    make: Callable[[Image.Image], bytes],
) -> None:
    app = open_app(tiny_workspace, "your_photo")
    app = upload(app, make(Image.fromarray(make_pixels())), name)
    assert not app.exception
    assert not app.error
    assert not app.warning
    assert f"{name}, 90 × 60 pixels" in [text.replace("\\", "") for text in list_captions(app)]
    assert calls == ["scores", "x-features, relu1", "score, relu1"]
    assert "X-features, the largest contribution first" in read_texts(app)
    assert not app.file_uploader


def make_16_bit(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)


def test_a_turned_photo_is_shown_upright_and_gives_the_same_scores(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    image = Image.fromarray(make_pixels())
    upright = upload(open_app(tiny_workspace, "your_photo"), encode(image, "PNG"), "a.png")
    stored = encode(image.rotate(90, expand=True), "PNG", exif=turn(6))
    turned = upload(open_app(tiny_workspace, "your_photo"), stored, "a.png")
    assert [m.value for m in turned.markdown] == [m.value for m in upright.markdown]
    assert "90 × 60" in "".join(list_captions(turned))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"these are only words", "is not a complete JPEG, PNG, WebP, TIFF, HEIC or AVIF picture"),
        (b"", "The file is empty"),
        (make_jpeg()[:700], "damaged or cut short"),
        (encode(Image.new("RGB", (40, 40)), "GIF"), "is a GIF picture"),
        (encode(Image.new("L", (9000, 9000)), "PNG"), "9000 × 9000 pixels, more than the limit"),
        (encode(Image.new("RGB", (10, 10)), "PNG"), "only 10 × 10 pixels"),
    ],
)
def test_bad_files_are_reported_in_one_sentence_without_running_the_network(
    tiny_workspace: Path, open_app: OpenApp, calls: list[str], data: bytes, words: str
) -> None:
    app = upload(open_app(tiny_workspace, "your_photo"), data, "a_[1]*<b>.jpg")
    assert not app.exception
    (error,) = app.error
    assert words in error.value
    assert error.value.startswith(r"a\_\[1\]\*\<b\>.jpg\: ")
    assert "\n" not in error.value
    assert not app.image
    assert calls == []
    # The next one is taken all the same, and the complaint is gone.
    app = upload(app, make_jpeg())
    assert not app.error
    assert "What the network says" in read_texts(app)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (make_jpeg()[:-2], "lacks its end, but the picture in it is complete"),
        (encode(Image.new("RGB", (90, 60)), "AVIF"), "is an AVIF picture"),
    ],
)
def test_what_a_file_may_have_cost_the_photo_is_said_below_it(
    tiny_workspace: Path, open_app: OpenApp, data: bytes, words: str
) -> None:
    app = upload(open_app(tiny_workspace, "your_photo"), data)
    assert not app.exception
    assert not app.error
    assert sum(words in text for text in list_captions(app)) == 1
    whole = upload(open_app(tiny_workspace, "your_photo"), make_jpeg())
    assert not any(words in text for text in list_captions(whole))


@pytest.mark.parametrize("name", ["robin.jfif", "robin", "robin.gif", "robin.jpg_large"])
def test_it_is_the_content_that_counts_not_the_name(
    tiny_workspace: Path, open_app: OpenApp, name: str
) -> None:
    app = upload(open_app(tiny_workspace, "your_photo"), make_jpeg(), name)
    assert not app.exception
    assert not app.error
    assert f"{name}, 90 × 60 pixels" in [text.replace("\\", "") for text in list_captions(app)]


def test_an_unexpected_error_of_a_decoder_is_reported_without_its_message(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(data: bytes) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(intake, "read_upload_in_subprocess", fail)
    app = upload(open_app(tiny_workspace, "your_photo"), make_jpeg())
    assert not app.exception
    (error,) = app.error
    assert error.value == "The photo cannot be read. Save it again as JPEG or PNG."


def test_a_camera_waits_until_it_is_opened(
    tiny_workspace: Path, open_app: OpenApp, calls: list[str]
) -> None:
    app = open_app(tiny_workspace, "your_photo", source=CAMERA)
    assert not app.camera_input
    app.button(key="open-camera").click().run()
    app.camera_input[0].set_value(("shot.jpg", make_jpeg(), "image/jpeg")).run()
    assert not app.exception
    assert not app.error
    assert "From the camera, 90 × 60 pixels" in list_captions(app)
    assert len(calls) == 3
    app.button(key="forget").click().run()
    assert not app.camera_input
    assert app.button(key="open-camera")


def test_every_source_keeps_its_own_photo(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = upload(open_app(tiny_workspace, "your_photo"), make_jpeg())
    find(app.segmented_control, "Take the photo from").set_value(SAMPLE).run()
    assert not any("robin" in text for text in list_captions(app))
    find(app.segmented_control, "Take the photo from").set_value(FILE).run()
    assert "robin.jpg, 90 × 60 pixels" in list_captions(app)


# --- Privacy --------------------------------------------------------------------------------------


def test_sessions_do_not_see_each_others_photos(
    tiny_workspace: Path, open_app: OpenApp, calls: list[str]
) -> None:
    one = upload(open_app(tiny_workspace, "your_photo"), make_jpeg())
    assert calls == ["scores", "x-features, relu1", "score, relu1"]
    calls.clear()
    other = open_app(tiny_workspace, "your_photo")
    assert other.file_uploader
    assert not other.image
    assert "robin" not in read_texts(other)
    # Even the same file is computed again: the sessions share no cache for it.
    other = upload(other, make_jpeg(), "heron.jpg")
    assert calls == ["scores", "x-features, relu1", "score, relu1"]
    assert "heron.jpg, 90 × 60 pixels" in list_captions(other)
    assert "robin.jpg, 90 × 60 pixels" in list_captions(one.run())


def test_a_forgotten_photo_is_gone_with_all_that_was_computed(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[weakref.ref] = []
    keep = intake.keep
    monkeypatch.setattr(
        intake, "keep", lambda photo: (kept.append(weakref.ref(photo)), keep(photo))
    )
    app = upload(open_app(tiny_workspace, "your_photo"), make_jpeg())
    (photo,) = kept
    assert photo() is not None
    app.button(key="forget").click().run()
    assert app.file_uploader
    assert not app.image
    gc.collect()
    assert photo() is None
    app = upload(app, make_jpeg(80, 80), "next.jpg")
    assert "next.jpg, 80 × 80 pixels" in list_captions(app)


def test_the_server_does_not_keep_the_file(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    managers: list[MemoryUploadedFileManager] = []
    add = MemoryUploadedFileManager.add_file

    def watch(self: MemoryUploadedFileManager, *args: object) -> None:
        managers.append(self)
        add(self, *args)

    monkeypatch.setattr(MemoryUploadedFileManager, "add_file", watch)
    upload(open_app(tiny_workspace, "your_photo"), make_jpeg())
    assert managers
    for manager in managers:
        assert not [file for files in manager.file_storage.values() for file in files]


def test_nothing_is_written_to_disk(
    tiny_workspace: Path, open_app: OpenApp, written: list[str], tmp_path: Path
) -> None:
    # First a sample, so that files about the workspace's own photos are already written.
    app = open_app(tiny_workspace, "your_photo", source=SAMPLE, parts="true")
    find(app.segmented_control, "Take the photo from").set_value(FILE).run()
    (tmp_path / "proof").write_text("x")
    assert written[-1].endswith("proof")
    written.clear()
    app = upload(app, make_jpeg(700, 900))
    app.slider(key="your_photo_box_0").set_value((10, 60)).run()
    find(app.selectbox, "Colour map").set_value("viridis").run()
    app.button(key="forget").click().run()
    app = upload(app, b"no photo")
    app = upload(app, encode(Image.fromarray(make_pixels()), "TIFF", compression="tiff_lzw"))
    assert "X-features, the largest contribution first" in read_texts(app)
    assert [name for name in written if "__pycache__" not in name] == []
