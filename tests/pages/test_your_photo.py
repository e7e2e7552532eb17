import gc
import io
import os
import shutil
import sys
import weakref
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.testing.v1 import AppTest

from explorer import workspace as facade
from explorer.analysis import doubt
from explorer.analysis.doubt import Judgement
from explorer.data.upload import UPLOAD_ENDINGS
from explorer.layout import CLASSIFIER_FILE, WorkspaceSettings, save_settings
from explorer.ui import your_photo_downloads, your_photo_intake, your_photo_parts
from explorer.ui.state import MapStyle
from explorer.ui.your_photo_marks import Marks
from explorer.ui.your_photo_state import CAMERA, FILE, SAMPLE, OwnPhoto, make_digest
from explorer.workspace import Workspace

OpenApp = Callable[..., AppTest]
CATEGORY, OTHER = "001.Ember_capped_Finch", "002.Harebell_capped_Finch"
STYLE = MapStyle("pool3", "viridis", 80, False, True)
MEADOW = "No bird, a meadow"


def read_texts(app: AppTest) -> str:
    kinds = (app.title, app.header, app.markdown, app.caption)
    kinds += (app.info, app.success, app.warning, app.error)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def find(elements: object, label: str) -> object:
    return next(element for element in elements if element.label == label)


def make_pixels(height: int = 60, width: int = 90) -> np.ndarray:
    """Draw a brown bird's back before a sky, in a manner that no two sizes share."""
    pixels = np.full((height, width, 3), (150, 180, 220), np.uint8)
    pixels[height // 3 : 2 * height // 3, width // 4 : width // 2] = (120, 80, 40)
    pixels += np.random.default_rng(2).integers(0, 20, pixels.shape, dtype=np.uint8)
    return pixels


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def encode_exactly(pixels: np.ndarray) -> bytes:
    return encode(Image.fromarray(pixels), "PNG")


def make_jpeg(height: int = 60, width: int = 90) -> bytes:
    return encode(Image.fromarray(make_pixels(height, width)), "JPEG")


def upload(app: AppTest, data: bytes, name: str = "robin.jpg") -> AppTest:
    return app.file_uploader[0].set_value((name, data, "application/octet-stream")).run()


def list_captions(app: AppTest) -> list[str]:
    return [caption.value for caption in app.caption]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows by what the network is run for, each time it is run."""
    made: list[str] = []

    def watch(owner: object, name: str, word: Callable[[tuple], str]) -> None:
        compute = getattr(owner, name)

        def count(*args: object, **options: object) -> object:
            made.append(word(args))
            return compute(*args, **options)

        monkeypatch.setattr(owner, name, count)

    watch(Workspace, "compute_scores", lambda _: "scores")
    watch(facade, "compute_explanation", lambda args: f"x-features, {args[-1]}")
    watch(Workspace, "explain_score", lambda args: f"score, {args[-1]}")
    return made


# --- What is there, and what is missing -----------------------------------------------------------


def test_asks_for_a_photo_at_first_and_runs_nothing(
    tiny_workspace: Path, open_app: OpenApp, calls: list[str]
) -> None:
    app = open_app(tiny_workspace, "your_photo")
    assert not app.exception
    assert not app.error
    assert not app.warning
    assert app.title[0].value == "Your photo"
    assert set(app.file_uploader[0].allowed_type) == {
        "image/*",
        *(f".{ending}" for ending in UPLOAD_ENDINGS),
    }
    texts = read_texts(app)
    assert "This network knows painted birds only" in texts
    assert "never written to disk, and nobody else sees it" in texts
    assert not app.image
    assert calls == []


def test_no_workspace(tmp_path: Path, open_app: OpenApp) -> None:
    app = open_app(tmp_path / "nowhere", "your_photo")
    assert not app.exception
    assert [("is not a workspace" in error.value) for error in app.error] == [True]
    assert not app.file_uploader


def test_no_classifier(own_workspace: Path, open_app: OpenApp) -> None:
    shutil.rmtree(own_workspace / "modules")
    (own_workspace / CLASSIFIER_FILE).unlink()
    save_settings(own_workspace, WorkspaceSettings(dataset="birds"))
    app = open_app(own_workspace, "your_photo")
    assert not app.error
    assert app.title[0].value == "No network yet"
    assert not app.file_uploader


def test_without_modules_the_score_is_still_drawn(
    own_workspace: Path, open_app: OpenApp, calls: list[str]
) -> None:
    shutil.rmtree(own_workspace / "modules")
    app = upload(open_app(own_workspace, "your_photo"), encode_exactly(make_pixels()), "a.png")
    assert not app.exception
    assert not app.error
    assert calls == ["scores", "score, relu1"]
    assert "this workspace has none yet" in read_texts(app)
    workspace = Workspace(own_workspace)
    _, logits = workspace.compute_scores(workspace.prepare_image(make_pixels())[np.newaxis])
    first = workspace.dataset.categories[int(logits[0].argmax())]
    name = first.split(".")[1].replace("_", " ")
    assert any(f"--category '{name}'" in block.value for block in app.code)
    assert [button.label for button in app.get("download_button")][-1] == (
        "Picture of the score (PNG)"
    )
    # Photo, neighbours and the map; the neighbours are named, but lead nowhere.
    assert len(app.image) >= 2 + 6
    assert "Painted bird" in read_texts(app)
    assert not [link for link in app.get("page_link") if "Painted bird" in link.proto.label]


def test_link_to_a_sample_without_modules(own_workspace: Path, open_app: OpenApp) -> None:
    shutil.rmtree(own_workspace / "modules")
    app = open_app(own_workspace, "your_photo", source=SAMPLE, sample=MEADOW, colours="viridis")
    link = app.code[-1].value
    params = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    assert params["sample"] == MEADOW
    again = open_app(own_workspace, "your_photo", **params)
    assert not again.warning
    assert again.code[-1].value == link
    assert read_texts(again) == read_texts(app)


def test_damaged_module_leaves_scores_and_the_other_categories(
    own_workspace: Path, open_app: OpenApp
) -> None:
    for entry in Workspace(own_workspace).list_modules():
        if entry.category == CATEGORY:
            entry.path.write_bytes(entry.path.read_bytes()[:100])
    app = open_app(own_workspace, "your_photo", explained="Ember capped Finch")
    app = upload(app, make_jpeg())
    assert not app.exception
    (error,) = app.error
    assert "module.safetensors" in error.value
    assert "Choose another category or module above" in error.value
    assert "What the network says" in read_texts(app)
    find(app.selectbox, "Explain the score of").set_value(OTHER).run()
    assert not app.error
    assert "What each x-feature looks at" in read_texts(app)


def test_damaged_classifier_leaves_the_photo(own_workspace: Path, open_app: OpenApp) -> None:
    classifier = own_workspace / CLASSIFIER_FILE
    classifier.write_bytes(classifier.read_bytes()[:100])
    app = upload(open_app(own_workspace, "your_photo"), make_jpeg())
    assert not app.exception
    (error,) = app.error
    assert "classifier.safetensors" in error.value
    assert len(app.image) == 1


def test_highest_category_without_a_module_is_told_with_the_cure(
    own_workspace: Path, open_app: OpenApp
) -> None:
    workspace = Workspace(own_workspace)
    pixels = workspace.prepare_image(make_pixels())[np.newaxis]
    order = np.argsort(-workspace.compute_scores(pixels)[1][0])
    categories = workspace.dataset.categories
    shown = [categories[index] for index in order if categories[index] in (CATEGORY, OTHER)]
    app = upload(open_app(own_workspace, "your_photo"), encode_exactly(make_pixels()), "robin.png")
    box = find(app.selectbox, "Explain the score of")
    assert box.value == shown[0]
    is_told = any("has no module yet" in text for text in list_captions(app))
    assert is_told == (categories[order[0]] not in shown)


# --- Samples --------------------------------------------------------------------------------------


def test_a_sample_is_shown_whole_without_a_complaint(
    tiny_workspace: Path, open_app: OpenApp, calls: list[str]
) -> None:
    app = open_app(tiny_workspace, "your_photo")
    app.button(key="try-sample").click().run()
    assert not app.exception
    assert not app.error
    assert not app.warning
    samples = find(app.pills, "Sample")
    assert len(samples.options) == 6
    assert samples.value == samples.options[0]
    assert "Ember capped Finch" in samples.value
    assert calls == ["scores", "x-features, relu1", "score, relu1"]
    texts = read_texts(app)
    assert "What the sample shows: Ember capped Finch. The first guess is" in texts
    assert "knows painted birds only" not in texts
    assert "How far to believe it cannot be judged: 12 test photos are too few" in texts
    # The photo, six neighbours, the map of ŷ with its colour bar, five tiles, the large map.
    assert len(app.image) >= 1 + 6 + 1 + 5 + 1


def test_numbers_are_those_of_the_facade(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace, "your_photo", source=SAMPLE, explained="Harebell capped Finch")
    workspace = Workspace(tiny_workspace)
    (photo,) = (p for p in workspace.held_out if p.category == CATEGORY)
    image = workspace.load_parts(photo).image
    entry = next(entry for entry in workspace.list_modules() if entry.category == OTHER)
    explanation = workspace.explain(entry, image)
    texts = read_texts(app)
    for value, activation in zip(explanation.contributions, explanation.x_features, strict=True):
        shown = f"{value:+.2f}".replace("-", "−") if activation else "inactive on this photo"
        assert shown in texts
    assert f"Network ŷ = {explanation.y_hat:.2f} · module ȳ = {explanation.y_bar:.2f}" in texts
    _, logits = workspace.compute_scores(workspace.prepare_image(image)[np.newaxis])
    first = workspace.dataset.categories[int(logits[0].argmax())]
    verdict = "right" if first == CATEGORY else "wrong"
    assert f"Ember capped Finch. The first guess is {verdict}." in texts


def test_every_sample_can_be_shown(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace, "your_photo", source=SAMPLE)
    for name in find(app.pills, "Sample").options[1:]:
        find(app.pills, "Sample").set_value(name).run()
        assert not app.exception
        assert not app.error
        assert any(text.startswith(name.split(",")[0]) for text in list_captions(app))
    assert "What the sample shows: no bird at all." in read_texts(app)


def test_a_damaged_sample_leaves_the_others(own_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(own_workspace, "your_photo", source=SAMPLE, sample=MEADOW)
    (photo,) = (p for p in Workspace(own_workspace).held_out if p.category == CATEGORY)
    photo.path.write_bytes(b"no photo")
    find(app.pills, "Sample").set_value(find(app.pills, "Sample").options[0]).run()
    assert not app.exception
    assert "cannot be read" in app.error[0].value
    find(app.pills, "Sample").set_value(MEADOW).run()
    assert "What the network says" in read_texts(app)


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
    assert "What each x-feature looks at" in read_texts(app)
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
        (b"these are only words", "is not a whole JPEG, PNG, WebP, TIFF or HEIC picture"),
        (b"", "The file is empty"),
        (make_jpeg()[:700], "damaged or cut short"),
        (encode(Image.new("RGB", (40, 40)), "GIF"), "is not a whole JPEG"),
        (encode(Image.new("L", (9000, 9000)), "PNG"), "9000 × 9000 pixels, more than the limit"),
        (encode(Image.new("RGB", (10, 10)), "PNG"), "only 10 × 10 pixels"),
    ],
)
def test_bad_files_are_told_in_one_sentence_and_cost_nothing(
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


@pytest.mark.parametrize("name", ["robin.jfif", "robin", "robin.gif"])
def test_it_is_the_content_that_counts_not_the_name(
    tiny_workspace: Path, open_app: OpenApp, name: str
) -> None:
    app = upload(open_app(tiny_workspace, "your_photo"), make_jpeg(), name)
    assert not app.exception
    assert not app.error
    assert f"{name}, 90 × 60 pixels" in list_captions(app)


def test_a_decoder_that_fails_as_nobody_foresaw_is_told_without_its_words(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(data: bytes) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(your_photo_intake, "read_upload", fail)
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
    # Even the same file is computed anew: there is no place where both could look.
    other = upload(other, make_jpeg(), "heron.jpg")
    assert calls == ["scores", "x-features, relu1", "score, relu1"]
    assert "heron.jpg, 90 × 60 pixels" in list_captions(other)
    assert "robin.jpg, 90 × 60 pixels" in list_captions(one.run())


def test_a_forgotten_photo_is_gone_with_all_that_was_computed(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[weakref.ref] = []
    keep = your_photo_intake.keep
    monkeypatch.setattr(
        your_photo_intake, "keep", lambda photo: (kept.append(weakref.ref(photo)), keep(photo))
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


_WRITTEN: list[str] | None = None


def _watch_writing(event: str, args: tuple) -> None:
    if _WRITTEN is None or event not in ("open", "tempfile.mkstemp", "os.rename", "os.mkdir"):
        return
    flags = args[2] if event == "open" else os.O_CREAT
    if isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        _WRITTEN.append(str(args[0]))


@pytest.fixture
def written() -> Iterator[list[str]]:
    """Return a list that grows by the name of everything that is opened for writing."""
    global _WRITTEN  # noqa: PLW0603 (a hook cannot be taken off again)
    if _WRITTEN is None:
        sys.addaudithook(_watch_writing)
    _WRITTEN = []
    yield _WRITTEN
    _WRITTEN = None


def test_nothing_is_written_to_disk(
    tiny_workspace: Path, open_app: OpenApp, written: list[str], tmp_path: Path
) -> None:
    # First a sample: what the workspace keeps of its own photos is written then.
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
    assert "What each x-feature looks at" in read_texts(app)
    assert [name for name in written if "__pycache__" not in name] == []


# --- How far to believe it ------------------------------------------------------------------------


def judge_as(monkeypatch: pytest.MonkeyPatch, like: float, certain: float) -> None:
    judgement = Judgement(0.625, 0.375, like, certain, 200)
    monkeypatch.setattr(doubt, "judge", lambda *_: judgement)


def test_a_strange_photo_is_said_to_look_like_no_category(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge_as(monkeypatch, 0.02, 0.5)
    app = upload(open_app(tiny_workspace, "your_photo"), make_jpeg())
    (warning,) = app.warning
    assert warning.value.startswith(
        "**This does not look like any of the network's 12 categories.** Its likeness to what the "
        "network has learnt from, 0.62, is lower than that of 98% of test photos."
    )
    texts = read_texts(app)
    assert "The network says **" not in texts
    # The rule is stated, and the scores are there all the same.
    assert "Below what all but 5% of the test\n  photos reach" in texts
    assert "not\nproven" in texts
    assert "What the network says" in texts


def test_a_photo_below_all_others_is_told_so(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge_as(monkeypatch, 0.0, 0.0)
    app = upload(open_app(tiny_workspace, "your_photo"), make_jpeg())
    assert "is lower than that of all test photos." in app.warning[0].value


def test_a_torn_network_is_said_to_be_torn(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge_as(monkeypatch, 0.5, 0.049)
    app = upload(open_app(tiny_workspace, "your_photo"), make_jpeg())
    (warning,) = app.warning
    assert "cannot tell which of its 12 categories this is" in warning.value
    assert "gets 38%; that is lower than on 95% of test photos" in warning.value


def test_a_usual_photo_is_named_in_neutral_words(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge_as(monkeypatch, 0.05, 0.999)
    app = upload(open_app(tiny_workspace, "your_photo"), make_jpeg())
    assert not app.warning
    assert not app.success
    texts = read_texts(app)
    assert "The network says **" in texts
    assert "0.62, is at least that of 5% of test photos" in texts
    assert "at least that on 99% of test photos" in texts


@pytest.mark.parametrize(
    ("like", "words"), [(0.0, "is rightly doubted"), (0.5, "the rule below does not notice")]
)
def test_a_sample_without_a_bird_says_whether_it_was_found_out(
    tiny_workspace: Path,
    open_app: OpenApp,
    monkeypatch: pytest.MonkeyPatch,
    like: float,
    words: str,
) -> None:
    judge_as(monkeypatch, like, 0.5)
    app = open_app(tiny_workspace, "your_photo", source=SAMPLE, sample=MEADOW)
    assert words in read_texts(app)


def test_the_rule_compares_with_held_out_photos_only(
    tiny_workspace: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple] = []
    judge = doubt.judge
    monkeypatch.setattr(doubt, "judge", lambda *args: (asked.append(args), judge(*args))[1])
    app = open_app(tiny_workspace, "your_photo", source=SAMPLE)
    workspace = Workspace(tiny_workspace)
    (likeness, certainty, reference), *_ = asked
    assert len(reference.likeness) == len(workspace.held_out) == 12
    # The sample is held out itself: its figures are among those it is compared with.
    assert np.isclose(reference.likeness, likeness, atol=1e-5).any()
    assert np.isclose(reference.certainty, certainty, atol=1e-5).any()
    held_out = {photo.image_id for photo in workspace.held_out}
    links = [link.proto.label for link in app.get("page_link")]
    shown = {int(label.split()[-1]) for label in links if label.startswith("Painted bird")}
    assert len(shown) == 6
    assert not shown & held_out


# --- Choices, links and how often the network runs ------------------------------------------------


def test_nothing_but_photo_module_and_layer_runs_the_network_again(
    tiny_workspace: Path, open_app: OpenApp, calls: list[str]
) -> None:
    app = upload(open_app(tiny_workspace, "your_photo"), make_jpeg())
    first = ["scores", "x-features, relu1", "score, relu1"]
    assert calls == first
    feature = find(app.segmented_control, "x-feature to look at closely")
    feature.set_value(3 if feature.value != 3 else 4).run()
    find(app.selectbox, "Colour map").set_value("viridis").run()
    find(app.slider, "Opacity").set_value(40).run()
    find(app.segmented_control, "Colour scale").set_value("one for all").run()
    find(app.segmented_control, "Drawing").set_value("raw grid").run()
    find(app.toggle, "Measure it against parts").set_value(True).run()
    app.slider(key="your_photo_box_1").set_value((20, 70)).run()
    assert calls == first
    assert not app.error
    assert "one scale for all maps; drawn as the raw grid" in read_texts(app)

    find(app.selectbox, "Map layer").set_value("pool3").run()
    assert calls == [*first, "x-features, pool3", "score, pool3"]
    assert "c-MWP at pool3, a grid of 16 × 16" in read_texts(app)
    find(app.selectbox, "Map layer").set_value("relu1").run()
    assert len(calls) == 5


def test_pictures_follow_every_choice_of_drawing(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace, "your_photo", source=SAMPLE, explained="Ember capped Finch")
    seen = [[picture.value for picture in app.image]]
    for label, value in (
        ("Colour map", "viridis"),
        ("Opacity", 40),
        ("Colour scale", "one for all"),
        ("Drawing", "raw grid"),
        ("Map layer", "pool2"),
        ("Explain the score of", OTHER),
    ):
        find((*app.selectbox, *app.slider, *app.segmented_control), label).set_value(value).run()
        assert not app.error
        assert [picture.value for picture in app.image] not in seen
        seen.append([picture.value for picture in app.image])


def test_a_category_is_explained_once_and_remembered(
    tiny_workspace: Path, open_app: OpenApp, calls: list[str]
) -> None:
    app = upload(open_app(tiny_workspace, "your_photo"), make_jpeg())
    box = find(app.selectbox, "Explain the score of")
    one, other = box.value, OTHER if box.value == CATEGORY else CATEGORY
    calls.clear()
    box.set_value(other).run()
    assert calls == ["x-features, relu1", "score, relu1"]
    name = other.split(".")[1].replace("_", " ")
    assert f"What adds up to the score of {name}" in read_texts(app)
    find(app.selectbox, "Explain the score of").set_value(one).run()
    assert len(calls) == 2


def test_the_sidebars_category_is_one_click_away(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace, "your_photo", category="Harebell capped Finch")
    app = upload(app, make_jpeg())
    box = find(app.selectbox, "Explain the score of")
    if box.value == OTHER:
        box.set_value(CATEGORY).run()
        find(app.selectbox, "Category").set_value(OTHER).run()
    else:
        app.button(key="as-in-sidebar").click().run()
        assert find(app.selectbox, "Explain the score of").value == OTHER
    assert not app.error


def test_a_new_photo_is_explained_for_its_own_highest_category(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = upload(open_app(tiny_workspace, "your_photo"), make_jpeg())
    usual = find(app.selectbox, "Explain the score of").value
    find(app.selectbox, "Explain the score of").set_value(OTHER if usual == CATEGORY else CATEGORY)
    app.run()
    app.button(key="forget").click().run()
    app = upload(app, make_jpeg(62, 90))
    assert find(app.selectbox, "Explain the score of").value == usual


def test_link_to_a_sample_opens_the_same_view(tiny_workspace: Path, open_app: OpenApp) -> None:
    app = open_app(tiny_workspace, "your_photo", source=SAMPLE)
    find(app.pills, "Sample").set_value(find(app.pills, "Sample").options[2]).run()
    usual = find(app.selectbox, "Explain the score of").value
    other = OTHER if usual == CATEGORY else CATEGORY
    find(app.selectbox, "Explain the score of").set_value(other).run()
    find(app.segmented_control, "x-feature to look at closely").set_value(4).run()
    find(app.toggle, "Measure it against parts").set_value(True).run()
    find(app.selectbox, "Map layer").set_value("pool2").run()
    find(app.slider, "Opacity").set_value(35).run()
    link = app.code[-1].value
    params = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    again = open_app(tiny_workspace, "your_photo", **params)
    assert not again.warning
    assert not again.error
    assert again.code[-1].value == link
    assert find(again.pills, "Sample").value == find(app.pills, "Sample").value
    assert find(again.selectbox, "Explain the score of").value == other
    assert find(again.toggle, "Measure it against parts").value is True
    assert read_texts(again) == read_texts(app)


def test_link_of_an_own_photo_keeps_the_choices_for_the_next_photo(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = upload(open_app(tiny_workspace, "your_photo"), make_jpeg())
    usual = find(app.selectbox, "Explain the score of").value
    other = OTHER if usual == CATEGORY else CATEGORY
    find(app.selectbox, "Explain the score of").set_value(other).run()
    find(app.segmented_control, "x-feature to look at closely").set_value(4).run()
    find(app.slider, "Opacity").set_value(35).run()
    assert "A link cannot hold your photo" in read_texts(app)
    link = app.code[-1].value
    assert "robin" not in link
    params = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    again = open_app(tiny_workspace, "your_photo", **params)
    assert "but cannot hold the photo itself" in read_texts(again)
    again = upload(again, make_jpeg(62, 90))
    assert not again.warning
    assert "but cannot hold the photo itself" not in read_texts(again)
    assert find(again.selectbox, "Explain the score of").value == other
    assert find(again.slider, "Opacity").value == 35
    assert again.code[-1].value == link


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("source", "the moon"),
        ("sample", "<script>alert(1)</script>"),
        ("explained", "Dodo"),
        ("explained_run", "NN, 9 x-features, seed 3"),
        ("feature", "x-feature 99"),
        ("parts", "perhaps"),
        ("layer", "pool9"),
        ("colours", "jet"),
        ("opacity", "900"),
        ("scale", ""),
        ("drawing", "crayon"),
    ],
)
def test_what_a_link_asks_for_in_vain_is_told(
    tiny_workspace: Path, open_app: OpenApp, name: str, value: str
) -> None:
    app = open_app(tiny_workspace, "your_photo", **{"source": SAMPLE, name: value})
    assert not app.exception
    assert not app.error
    (warning,) = app.warning
    assert "The link asks for the" in warning.value
    assert "<" not in warning.value
    assert app.title[0].value == "Your photo"
    app.run()
    assert not app.warning


def test_vain_choices_are_told_when_the_photo_is_there(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(tiny_workspace, "your_photo", explained="Dodo")
    assert not app.warning
    app = upload(app, make_jpeg())
    assert "The link asks for the explained category “Dodo”" in app.warning[0].value
    assert not app.error


def test_another_workspace_judges_the_same_photo_anew(
    own_workspace: Path, tiny_workspace: Path, open_app: OpenApp, calls: list[str]
) -> None:
    other = Workspace(own_workspace)
    (photo,) = (p for p in other.held_out if p.category == CATEGORY)
    Image.fromarray(make_pixels(70, 64)).save(photo.path)
    paths = Path(f"{tiny_workspace}{os.pathsep}{own_workspace}")
    app = upload(open_app(paths, "your_photo"), make_jpeg())
    assert len(calls) == 3
    names = find(app.selectbox, "Workspace").options
    find(app.selectbox, "Workspace").set_value(names[1]).run()
    assert not app.exception
    assert not app.error
    assert "robin.jpg, 90 × 60 pixels" in list_captions(app)
    assert len(calls) == 6
    # A sample of the same name is the other workspace's own.
    find(app.segmented_control, "Take the photo from").set_value(SAMPLE).run()
    name = find(app.pills, "Sample").value
    assert f"{name}, 64 × 70 pixels" in list_captions(app)
    assert len(calls) == 9
    find(app.selectbox, "Workspace").set_value(names[0]).run()
    assert not app.error
    assert f"{name}, 64 × 64 pixels" in list_captions(app)
    assert len(calls) == 12


# --- Box and parts --------------------------------------------------------------------------------


def test_parts_of_a_sample_are_measured_as_on_its_own_page(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(
        tiny_workspace, "your_photo", source=SAMPLE, parts="true", explained="Ember capped Finch"
    )
    assert not app.error
    workspace = Workspace(tiny_workspace)
    (photo,) = (p for p in workspace.held_out if p.category == CATEGORY)
    parts = workspace.load_parts(photo)
    measured = parts.measure(workspace.explain(workspace.list_modules()[0], parts.image).maps)
    feature = find(app.segmented_control, "x-feature to look at closely").value
    texts = read_texts(app)
    if measured.is_live[feature]:
        assert f"{measured.outside[feature]:.0%} of the heat lies outside the bird's box." in texts
    else:
        assert "The map is zero everywhere on this photo" in texts
    seen = int(parts.visible.sum())
    assert f"{seen} of 15 parts have a place." in texts
    assert f"{seen} of 15 parts can be seen." in texts


def test_box_and_parts_can_be_changed_and_every_step_taken_back(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = open_app(tiny_workspace, "your_photo", source=SAMPLE, parts="true")
    before = list_captions(app)
    (placed,) = (text for text in before if text.endswith("parts have a place."))
    count = int(placed.split()[0])
    app.slider(key="your_photo_box_0").set_value((0, 50)).run()
    assert app.slider(key="your_photo_box_0").value == (0, 50)
    find(app.pills, "Part to place next").set_value(1).run()
    assert "**beak**" in read_texts(app)
    app.button(key="hide-part").click().run()
    assert f"{count - 1} of 15 parts have a place." in list_captions(app)
    assert app.button(key="hide-part").disabled
    find(app.button, "Clear").click().run()
    assert "0 of 15 parts have a place." in list_captions(app)
    assert "Place the bird's parts on the photo below" in read_texts(app)
    for _ in range(3):
        find(app.button, "Undo").click().run()
    assert not app.error
    assert find(app.button, "Undo").disabled
    assert list_captions(app) == before


def test_an_own_photo_begins_with_no_parts_and_nearly_all_of_it_in_the_box(
    tiny_workspace: Path, open_app: OpenApp
) -> None:
    app = upload(open_app(tiny_workspace, "your_photo", parts="true"), make_jpeg())
    assert not app.error
    assert app.slider(key="your_photo_box_0").value == (5, 95)
    assert app.slider(key="your_photo_box_1").value == (5, 95)
    assert "0 of 15 parts have a place." in list_captions(app)
    assert "A click or a tap will place: **back**" in read_texts(app)


# --- Files ----------------------------------------------------------------------------------------


def make_own_photo(name: str = "My robin (1).JPG", source: str = FILE) -> OwnPhoto:
    image = make_pixels(120, 80)
    return OwnPhoto(image, make_digest(image.tobytes()), name, source, Marks(80, 120))


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
    stem = your_photo_downloads.make_stem(photo, entry.category, entry.run)
    assert stem.startswith(wanted)


def test_numbers_to_take_along(tiny_workspace: Path) -> None:
    workspace, photo = Workspace(tiny_workspace), make_own_photo()
    entry = next(e for e in workspace.list_modules() if e.category == OTHER)
    data = your_photo_downloads.make_arrays(workspace, entry, photo, "pool3")
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        explanation = workspace.explain(entry, photo.image, "pool3")
        np.testing.assert_array_equal(arrays["raw_maps"], explanation.maps)
        np.testing.assert_array_equal(
            arrays["score_map"], workspace.explain_score(OTHER, photo.image, "pool3")
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
    data = your_photo_downloads.make_arrays(workspace, entry, photo, "relu1")
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        assert arrays["box"].tolist() == [10, 20, 60, 90]
        assert arrays["points"][[1, 14]].tolist() == [[20, 30], [60, 100]]
        assert np.isnan(np.delete(arrays["points"], [1, 14], axis=0)).all()
        assert arrays["part_names"].tolist() == list(workspace.dataset.part_names)
        histogram, outside = arrays["part_histogram"], arrays["share_outside_box"]
        assert set(np.round(histogram.sum(axis=1) + outside, 5)) <= {0.0, 1.0}
        assert not np.delete(histogram, [1, 14], axis=1).any()
        assert (arrays["raw_maps"].sum(axis=(1, 2)) > 0).any()


def test_heat_is_counted_where_it_lies_on_the_upright_photo(tiny_workspace: Path) -> None:
    photo = make_own_photo()
    photo.marks.set_box(0, 0, 80, 120)
    photo.marks.place(2, 20, 20)
    photo.marks.place(5, 60, 100)
    maps = np.zeros((2, 12, 8), np.float32)
    maps[0, 1, 1] = 3  # the upper left
    maps[1, 10, 6] = 1  # the lower right
    parts = your_photo_parts.make_parts(photo, 15)
    histogram = parts.measure(maps).values
    assert np.argwhere(histogram).tolist() == [[0, 2], [1, 5]]


def test_pictures_to_take_along(tiny_workspace: Path) -> None:
    workspace, photo = Workspace(tiny_workspace), make_own_photo()
    entry = workspace.list_modules()[0]
    packed = your_photo_downloads.make_pictures(workspace, entry, photo, STYLE)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert sorted(archive.namelist()) == [
            "excitation-bp-of-the-score.png",
            *(f"x-feature-{feature}.png" for feature in range(1, 6)),
        ]
        pictures = [Image.open(io.BytesIO(archive.read(name))) for name in archive.namelist()]
        assert {(picture.format, picture.size) for picture in pictures} == {("PNG", (341, 512))}
        first = archive.read("x-feature-1.png")
        score = archive.read("excitation-bp-of-the-score.png")
    assert first == your_photo_downloads.draw_feature_png(workspace, entry, photo, STYLE, 0)
    assert score == your_photo_downloads.draw_score_png(workspace, CATEGORY, photo, STYLE)
    assert score != first
