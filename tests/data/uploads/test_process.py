import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hostile_files import MAKERS, encode, make_file, make_photo, make_short_scans
from PIL import Image

from explorer.config import REPOSITORY_ROOT
from explorer.data.uploads import forks, process
from explorer.data.uploads.decoding import (
    OWN_LIMITS,
    PUBLIC_LIMITS,
    UPLOAD_FORMATS,
    UploadError,
    UploadLimits,
    read_upload,
)
from explorer.data.uploads.jpeg import MAX_SCANS
from explorer.data.uploads.process import limit_process, read_upload_in_subprocess

SLOW = ("60 mega", "64 scans", "two million", "100,000")
QUICK = [name for name in MAKERS if not name.startswith(SLOW)]


@pytest.mark.parametrize("kind", UPLOAD_FORMATS)
def test_a_subprocess_decodes_to_the_same_pixels(kind: str) -> None:
    data = encode(make_photo(), kind)
    np.testing.assert_array_equal(read_upload_in_subprocess(data).pixels, read_upload(data).pixels)


@pytest.mark.parametrize("name", QUICK)
def test_hostile_files_are_read_or_refused_in_one_sentence(name: str) -> None:
    file = make_file(name)
    if not file.wanted:
        pixels = read_upload_in_subprocess(file.data).pixels
        assert pixels.dtype == np.uint8
        assert min(pixels.shape[:2]) >= 32
        return
    with pytest.raises(UploadError, match=file.wanted) as caught:
        read_upload_in_subprocess(file.data)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_public_server_has_a_lower_limit() -> None:
    with pytest.raises(UploadError, match="limit of 30 megapixels"):
        read_upload_in_subprocess(encode(Image.new("L", (6000, 6000)), "PNG"), PUBLIC_LIMITS)


def test_only_the_scans_of_a_jpeg_are_counted() -> None:
    def count_scans(data: bytes) -> int:
        return data.count(b"\xff\xda")

    within = make_short_scans(40, 64)
    assert 40 < count_scans(within) <= MAX_SCANS
    assert read_upload(within).pixels.shape == (64, 64, 3)
    with pytest.raises(UploadError, match="more than 64 scans"):
        read_upload(make_short_scans(80, 64))
    # A comment, and data appended to the photo, may hold the same bytes many times.
    comment = b"\xff\xda\x00\x08" * 1000
    photo = encode(make_photo(), "JPEG", comment=comment, progressive=True) + comment
    assert count_scans(photo) > 2000
    assert read_upload(photo).pixels.shape == (240, 320, 3)


@pytest.fixture(params=["fork", "new process"])
def run_another(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[str], None]:
    """Return what replaces the decoder by another program, where it is forked and elsewhere."""
    run = subprocess.run

    def replace(program: str) -> None:
        if request.param == "new process":
            monkeypatch.setattr(forks, "is_available", lambda: False)
            command = [sys.executable, "-c", program]
            monkeypatch.setattr(process.subprocess, "run", lambda _, **o: run(command, **o))
            return
        code = f"from explorer.data.uploads.forks import serve\ndef work(*_):\n {program}\n"
        command = [sys.executable, "-c", f"{code}serve(work, 60)"]
        other = forks.Forks(command, REPOSITORY_ROOT, {**os.environ, "TMPDIR": str(tmp_path)})
        monkeypatch.setattr(process, "_FORKS", other)

    if request.param == "fork" and not forks.is_available():
        pytest.skip("decoders are forked on Linux alone")
    return replace


@pytest.mark.parametrize(
    "program",
    [
        "import os; os.abort()",
        "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        "raise SystemExit(3)",
        "pass",
    ],
)
def test_a_crash_of_the_decoder_is_an_error_of_the_photo(
    program: str, run_another: Callable[[str], None]
) -> None:
    run_another(program)
    for _ in range(2):
        with pytest.raises(UploadError, match="its decoder failed"):
            read_upload_in_subprocess(encode(make_photo(), "JPEG"))


@pytest.mark.parametrize(
    "output", [b'{"size": [32', b'{"size": [32, 32], "notes": []}\n' + bytes(9)]
)
def test_output_that_ends_too_early_is_an_error_of_the_photo(
    output: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_decode_in_fork", lambda *_: output)
    monkeypatch.setattr(process, "_decode_in_new_process", lambda *_: output)
    with pytest.raises(UploadError, match="its decoder failed"):
        read_upload_in_subprocess(b"x")


def test_a_decoder_that_hangs_is_stopped(
    run_another: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_another("import time; time.sleep(600)")
    monkeypatch.setattr(process, "_TIMEOUT", 0.5)
    with pytest.raises(UploadError, match="takes too long"):
        read_upload_in_subprocess(encode(make_photo(), "JPEG"))


def test_a_new_process_decodes_where_none_is_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks, "is_available", lambda: False)
    data = encode(make_photo(), "PNG")
    np.testing.assert_array_equal(read_upload_in_subprocess(data).pixels, read_upload(data).pixels)
    with pytest.raises(UploadError, match="not a complete"):
        read_upload_in_subprocess(b"no picture")


@pytest.mark.skipif(sys.platform != "linux", reason="the limits are those of Linux")
@pytest.mark.parametrize(
    ("act", "wanted"),
    [
        ("bytearray(3 * 2**30)", "MemoryError"),
        ("import pathlib; pathlib.Path('proof').write_bytes(b'x')", "File too large"),
        ("exec('while True: pass')", ""),
    ],
)
def test_the_subprocess_is_limited(act: str, wanted: str, tmp_path: Path) -> None:
    program = (
        "from explorer.data.uploads import process as p, decoding\n"
        f"p.MAX_SECONDS = 1\np.limit_process(decoding.OWN_LIMITS)\n{act}"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert wanted in done.stderr
    assert [path.read_bytes() for path in tmp_path.iterdir()] in ([], [b""])


def test_too_much_memory_is_an_error_of_the_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise MemoryError

    data = encode(make_photo(), "JPEG")
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", refuse)
    with pytest.raises(UploadError, match="too much memory"):
        read_upload(data)


def test_few_files_are_decoded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lock, now, most = threading.Lock(), 0, 0
    answer = b'{"size": [32, 32], "notes": []}\n' + bytes(32 * 32 * 3)

    def count(*_: object, **__: object) -> object:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.05)
        with lock:
            now -= 1
        return answer

    monkeypatch.setattr(process, "_decode_in_fork", count)
    monkeypatch.setattr(process, "_decode_in_new_process", count)
    threads = [threading.Thread(target=read_upload_in_subprocess, args=(b"x",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == process.MAX_CONCURRENT


def test_no_file_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    own = forks.Forks(process._COMMAND, REPOSITORY_ROOT, environment)
    monkeypatch.setattr(process, "_FORKS", own)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for name in ("cut.png", "photo.jpg, a TIFF", "300 pages.tif", "photo.avif", "cut.heic"):
        file = make_file(name)
        try:
            read_upload_in_subprocess(file.data)
        except UploadError:
            assert file.wanted
    assert list(tmp_path.iterdir()) == []


def test_process_limits_grow_with_upload_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    found: list[int] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: found.append(pair[0]))
    for limits in (PUBLIC_LIMITS, OWN_LIMITS, UploadLimits(1, 1)):
        limit_process(limits)
    memory = found[::4]
    assert memory[0] < memory[1]
    assert memory[2] < memory[0]
