import io
import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

pytestmark = pytest.mark.browser

WIDTHS = (1440, 390)
# A tall photo: if it had borders within its frame, clicks would miss their places.
WIDTH, HEIGHT = 300, 800


def draw_bird() -> Image.Image:
    """Draw an upright red-capped bird against the sky, with its head at the top."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), (150, 185, 225))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 700, WIDTH, HEIGHT), fill=(90, 120, 60))
    draw.ellipse((70, 250, 230, 680), fill=(120, 85, 50))
    draw.ellipse((90, 120, 210, 300), fill=(200, 170, 130))
    draw.chord((90, 120, 210, 300), 180, 360, fill=(210, 60, 30))
    draw.polygon([(205, 205), (265, 220), (205, 235)], fill=(60, 50, 40))
    return picture


def save_turned(path: Path) -> Path:
    """Save the bird as an upright phone does: rotated, with an EXIF tag that turns it back."""
    exif = Image.Exif()
    exif[0x0112] = 6
    draw_bird().rotate(90, expand=True).save(path, quality=92, exif=exif)
    return path


def upload(opened: Any, path: Path) -> None:
    # The uploader of a refused file and its replacement are briefly on the page together.
    opened.page.wait_for_function("document.querySelectorAll('input[type=file]').length === 1")
    opened.page.locator("input[type=file]").set_input_files(path)


def download(opened: Any, name: str) -> tuple[str, bytes]:
    with opened.page.expect_download() as begun:
        opened.page.get_by_role("button", name=name).click()
    return begun.value.suggested_filename, Path(begun.value.path()).read_bytes()


def get_placer(opened: Any) -> Any:
    placer = opened.page.locator("svg[role=img][aria-label*=box]")
    placer.locator("image").wait_for()
    placer.scroll_into_view_if_needed()
    return placer


def click_photo(opened: Any, x: float, y: float) -> None:
    """Click the photo at its pixel (x, y)."""
    box = get_placer(opened).bounding_box()
    place = box["x"] + x / WIDTH * box["width"], box["y"] + y / HEIGHT * box["height"]
    opened.page.mouse.click(*place)


def find_slider(page: Any, name: str, end: str, value: int) -> Any:
    """Find one end of a slider of the box, if it is at `value`."""
    return page.locator(f"input[aria-label^='{name}'][aria-label$='{end}'][value='{value}']")


def wait_for_parts(opened: Any, count: int) -> None:
    opened.page.get_by_text(f"{count} of 15 parts have a place.").wait_for()
    opened.wait_until_done()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_own_photo_is_explained(
    visit: Any, artefacts: Path, tmp_path: Path, width: int, scheme: str
) -> None:
    opened = visit("/your_photo?crop=whole+photo", width=width, scheme=scheme)
    page = opened.page
    page.get_by_text("This network knows painted birds only").wait_for()
    opened.wait_until_idle()
    opened.save_screenshot(artefacts / f"your-photo-empty-{width}-{scheme}.png")
    opened.check()

    upload(opened, save_turned(tmp_path / "robin.jpg"))
    opened.wait_until_done()
    photo = page.get_by_alt_text("The photo: robin.jpg")
    # Upright, and no larger than it is shown.
    shown = photo.evaluate("e => e.naturalWidth / e.naturalHeight")
    assert shown == pytest.approx(WIDTH / HEIGHT, rel=0.01)
    assert page.get_by_text(f"robin.jpg, {WIDTH} × {HEIGHT} pixels").is_visible()
    # The red cap is at the top, as in the drawing.
    colours = photo.evaluate(
        "e => { const c = document.createElement('canvas'); c.width = 300; c.height = 800;"
        "const d = c.getContext('2d'); d.drawImage(e, 0, 0, 300, 800);"
        "return [...d.getImageData(150, 160, 1, 1).data] }"
    )
    assert np.abs(np.array(colours[:3]) - (210, 60, 30)).max() < 25
    for heading in ("What the network says", "What adds up to the score of"):
        assert page.get_by_role("heading", name=heading).is_visible()
    page.get_by_text("How this is judged").click()
    page.get_by_text("The Results page shows how these rules do").wait_for()
    silent = page.evaluate(
        "[...document.querySelectorAll('[data-testid=stImage] img')].filter(i => !i.alt).length"
    )
    assert silent == 0
    opened.save_screenshot(artefacts / f"your-photo-{width}-{scheme}.png")
    opened.check()


def test_files_that_are_no_photo_are_reported_in_one_sentence(visit: Any, tmp_path: Path) -> None:
    opened = visit("/your_photo", width=390)
    page, alert = opened.page, opened.page.get_by_role("alert").filter(has_text="broken.jpg")
    file = tmp_path / "broken.jpg"
    file.write_bytes(b"these are only words")
    upload(opened, file)
    alert.get_by_text(
        "The file is not a complete JPEG, PNG, WebP, TIFF, HEIC or AVIF picture."
    ).wait_for()
    opened.wait_until_idle()
    assert alert.count() == 1
    opened.check()

    save_turned(file)
    file.write_bytes(file.read_bytes()[:3000])
    upload(opened, file)
    alert.get_by_text("The photo is damaged or cut short").wait_for()
    assert alert.count() == 1
    assert page.get_by_test_id("stImage").count() == 0

    upload(opened, save_turned(tmp_path / "robin.jpg"))
    opened.wait_until_done()
    assert alert.count() == 0
    opened.check()


def test_what_is_not_a_bird_looks_like_no_category(visit: Any, artefacts: Path) -> None:
    opened = visit("/your_photo", width=390, scheme="dark")
    opened.page.get_by_role("button", name="Try a sample").click()
    opened.wait_until_done()
    opened.page.locator(".st-key-sample input").click()
    opened.page.get_by_role("option", name="No bird, only noise").click()
    opened.page.get_by_text(
        "does not look like any of the 16 species that the network knows"
    ).wait_for()
    opened.wait_until_done()
    assert opened.page.get_by_text("and is rightly doubted").is_visible()
    opened.page.wait_for_url("**sample=No**")
    opened.save_screenshot(artefacts / "your-photo-noise-390-dark.png")
    opened.check()
    again = visit(opened.get_link())
    again.page.get_by_text(
        "does not look like any of the 16 species that the network knows"
    ).wait_for()
    again.wait_until_done()
    again.check()


@pytest.mark.parametrize("width", WIDTHS)
def test_box_and_parts_are_placed_and_measured(
    visit: Any, artefacts: Path, tmp_path: Path, width: int
) -> None:
    opened = visit("/your_photo?parts=true", width=width)
    page = opened.page
    upload(opened, save_turned(tmp_path / "robin.jpg"))
    page.get_by_text("0 of 15 parts have a place.").wait_for()
    opened.wait_until_done()
    assert page.get_by_text("Place the bird's parts on the photo below").is_visible()

    # A corner of the box is dragged; then a slider is moved by the keyboard.
    placer = get_placer(opened)
    frame = placer.bounding_box()
    scale = frame["width"] / WIDTH
    assert frame["height"] / HEIGHT == pytest.approx(scale, rel=0.01)
    page.mouse.move(frame["x"] + 15 * scale, frame["y"] + 40 * scale)
    page.mouse.down()
    page.mouse.move(frame["x"] + 60 * scale, frame["y"] + 96 * scale, steps=5)
    page.mouse.up()
    find_slider(page, "Left to right", "start", 20).wait_for(state="attached")
    find_slider(page, "Top to bottom", "start", 12).wait_for(state="attached")
    opened.wait_until_done()
    find_slider(page, "Left to right", "end", 95).press("ArrowLeft")
    find_slider(page, "Left to right", "end", 94).wait_for(state="attached")
    opened.wait_until_done()

    # Each click places the next part; then one is chosen by its name.
    places = [(150, 350), (240, 220), (150, 520), (150, 300)]
    for count, place in enumerate(places, start=1):
        click_photo(opened, *place)
        wait_for_parts(opened, count)
    page.get_by_role("radio", name="tail", exact=True).click()
    page.get_by_text("A click or a tap will place: tail").wait_for()
    click_photo(opened, 150, 660)
    wait_for_parts(opened, 5)
    page.get_by_role("button", name="Undo").press("Enter")
    wait_for_parts(opened, 4)

    # A part is dragged to another place.
    frame = get_placer(opened).bounding_box()
    start, end = (
        (frame["x"] + x * scale, frame["y"] + y * scale) for x, y in ((240, 220), (200, 260))
    )
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=5)
    page.mouse.up()
    wait_for_parts(opened, 4)
    points = (
        get_placer(opened)
        .locator("circle")
        .evaluate_all("all => all.map(one => [+one.getAttribute('cx'), +one.getAttribute('cy')])")
    )
    assert any(math.dist(point, (200, 260)) < 3 for point in points)
    assert all(math.dist(point, (240, 220)) > 3 for point in points)
    places[1] = (200, 260)

    assert page.locator(".st-key-figure-partition .js-plotly-plot").is_visible()
    assert page.get_by_text("4 of 15 parts can be seen.").is_visible()
    assert page.locator(".st-key-figure-photo-histogram .js-plotly-plot").is_visible()
    opened.save_screenshot(artefacts / f"your-photo-parts-{width}.png")
    opened.check()

    name, content = download(opened, "Raw maps and numbers")
    assert name.startswith("your-photo_robin_")
    assert name.endswith("_relu1_raw.npz")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        assert arrays["photo_size"].tolist() == [HEIGHT, WIDTH]
        x, y, across, down = arrays["box"]
        assert (x, y) == pytest.approx((60, 96), abs=3)
        assert x + across == pytest.approx(0.94 * WIDTH)
        assert y + down == pytest.approx(0.95 * HEIGHT, abs=5)
        np.testing.assert_allclose(arrays["points"][:4], places, atol=3)
        assert np.isnan(arrays["points"][4:]).all()
        sums = arrays["part_histogram"].sum(axis=1) + arrays["share_outside_box"]
        np.testing.assert_allclose(sums[arrays["raw_maps"].any(axis=(1, 2))], 1, atol=1e-5)


def test_places_can_be_typed(visit: Any, tmp_path: Path) -> None:
    opened = visit("/your_photo?parts=true")
    page = opened.page
    upload(opened, save_turned(tmp_path / "robin.jpg"))
    wait_for_parts(opened, 0)
    page.get_by_text("Type the places instead").click()
    table = page.get_by_test_id("stDataFrame")
    table.wait_for()
    table.scroll_into_view_if_needed()
    opened.wait_until_done()
    # The table is a picture: the cells below its heading, in the third and the fourth column.
    for column, across, number in ((3, 0.68, "123"), (4, 0.9, "456")):
        box = table.bounding_box()
        page.mouse.click(box["x"] + across * box["width"], box["y"] + 52)
        chosen = f"[role=gridcell][aria-colindex='{column}'][aria-selected=true]"
        table.locator(chosen).wait_for(state="attached")
        page.keyboard.press("Enter")
        editor = page.locator("#portal input")
        editor.fill(number)
        editor.press("Enter")
        editor.wait_for(state="detached")
        wait_for_parts(opened, 1)
    page.locator("svg circle[cx='123'][cy='456']").wait_for()
    opened.wait_until_done()
    folded = page.get_by_test_id("stExpander").filter(has=table)
    with page.expect_download() as begun:
        folded.get_by_role("button", name="Numbers (CSV)").click()
    assert begun.value.suggested_filename == "srae-your-photo-places.csv"
    rows = Path(begun.value.path()).read_text().splitlines()
    assert rows[:4] == [
        "what,x,y",
        '"box, left and top",15.0,40.0',
        '"box, right and bottom",285.0,760.0',
        "back,123.0,456.0",
    ]
    assert rows[4] == "beak,,"
    opened.check()


def test_pictures_can_be_downloaded(visit: Any, tmp_path: Path) -> None:
    opened = visit("/your_photo?crop=whole+photo")
    upload(opened, save_turned(tmp_path / "robin.jpg"))
    opened.wait_until_done()
    name, content = download(opened, "(PNG)")
    assert name.startswith("your-photo_robin_")
    assert "_x-feature-" in name
    assert name.endswith("_relu1_inferno.png")
    with Image.open(io.BytesIO(content)) as picture:
        assert (picture.format, picture.size) == ("PNG", (WIDTH, HEIGHT))
    name, content = download(opened, "All pictures and the sum (ZIP)")
    assert name.endswith("_relu1_inferno_pictures.zip")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert len(archive.namelist()) == 7
        assert archive.testzip() is None
    opened.check()


def test_a_photo_is_private_to_its_session(visit: Any, tmp_path: Path) -> None:
    first = visit("/your_photo")
    upload(first, save_turned(tmp_path / "robin.jpg"))
    first.wait_until_done()
    assert "robin" not in first.page.evaluate("location.href")
    second = visit(first.get_link())
    second.page.get_by_text("but cannot hold the photo itself").wait_for()
    second.wait_until_idle()
    assert second.page.get_by_text("robin").count() == 0
    first.page.get_by_role("button", name="Forget this photo").click()
    first.page.get_by_text("A photo of one bird").wait_for()
    first.wait_until_idle()
    assert first.page.get_by_test_id("stImage").count() == 0
    for opened in (first, second):
        opened.check()
