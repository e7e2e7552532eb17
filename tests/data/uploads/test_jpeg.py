import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photos import encode
from PIL import Image

from explorer.data.uploads.decoding import UploadError, read_upload
from explorer.data.uploads.jpeg import has_every_scan, lacks_end, list_segments

SIDE = 128
KINDS: dict[str, dict[str, object]] = {
    "baseline": {},
    "colours at full size": {"subsampling": 0},
    "progressive": {"progressive": True},
    "restart markers": {"restart_marker_rows": 1},
    "restart markers in every block": {"restart_marker_blocks": 1},
    "own tables": {"optimize": True},
}


def make_jpeg(mode: str = "RGB", **options: object) -> bytes:
    random = np.random.default_rng(4)
    soft = Image.fromarray(random.integers(0, 256, (9, 9, 3), dtype=np.uint8))
    large = soft.resize((SIDE, SIDE), Image.Resampling.BICUBIC).convert(mode)
    return encode(large, "JPEG", quality=90, **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("lost", [1, 2])
def test_a_jpeg_without_its_end_marker_is_read_whole(kind: str, mode: str, lost: int) -> None:
    data = make_jpeg(mode, **KINDS[kind])
    found, whole = read_upload(data[:-lost]), read_upload(data)
    np.testing.assert_array_equal(found.pixels, whole.pixels)
    assert whole.notes == ()
    assert len(found.notes) == 1
    assert "lacks its end, but the picture in it is complete" in found.notes[0]


def test_a_large_jpeg_without_its_end_marker_is_read_whole() -> None:
    data = encode(Image.effect_noise((2300, 2100), 40), "JPEG", quality=30)
    np.testing.assert_array_equal(read_upload(data[:-2]).pixels, read_upload(data).pixels)


@pytest.mark.parametrize("kind", KINDS)
@settings(derandomize=True, deadline=None, max_examples=60)
@given(data=st.data())
def test_a_jpeg_that_lacks_a_visible_part_is_refused(kind: str, data: st.DataObject) -> None:
    whole = make_jpeg(**KINDS[kind])
    lost = data.draw(st.integers(8, len(whole) - 4) | st.integers(8, 60))
    filling = data.draw(st.sampled_from([b"", b"\xff", bytes(500), bytes(20_000)]))
    try:
        found = read_upload(whole[:-lost] + filling)
    except UploadError:
        return
    # A few bits of the last block may be missing.
    different = (found.pixels != read_upload(whole).pixels).any(axis=2)
    assert not different[:-16].any()
    assert not different[:, :-16].any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lost", [40, 200, 1000])
def test_a_cut_jpeg_is_refused(kind: str, lost: int) -> None:
    with pytest.raises(UploadError, match="damaged or cut short"):
        read_upload(make_jpeg(**KINDS[kind])[:-lost])


def test_a_progressive_jpeg_without_its_last_scans_is_refused() -> None:
    data = make_jpeg(progressive=True)
    assert has_every_scan(data)
    places = [at for at in range(len(data)) if data.startswith(b"\xff\xda", at)]
    assert len(places) > 5
    for place in places:
        assert not has_every_scan(data[:place])
        with pytest.raises(UploadError, match="damaged or cut short"):
            read_upload(data[:place])


def test_an_end_marker_in_a_comment_or_thumbnail_is_not_that_of_the_picture() -> None:
    data = make_jpeg(comment=b"\xff\xd9" * 9)
    assert not lacks_end(data)
    assert lacks_end(data[:-2])
    assert not lacks_end(encode(Image.new("RGB", (40, 40)), "PNG"))


def test_segments_are_listed_in_their_order() -> None:
    kinds = [kind for kind, _ in list_segments(make_jpeg("L"))]
    assert kinds == [0xE0, 0xDB, 0xC0, 0xC4, 0xC4, 0xDA, 0xD9]
