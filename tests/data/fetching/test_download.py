import contextlib
import hashlib
import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import filelock
import numpy as np
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from explorer.config import ExplorerError, Progress
from explorer.config import run as run_steps
from explorer.data.fetching.cub import CUB_200_2011
from explorer.data.fetching.download import count_missing_bytes, download
from explorer.data.fetching.transfer import (
    DEFAULT_RETRY_POLICY,
    DownloadError,
    RemoteFile,
    RetryPolicy,
)

Run = Callable[[Any], Any]

SIZE = 1_300_000
DATA = np.random.default_rng(0).bytes(SIZE)
OTHER = np.random.default_rng(1).bytes(SIZE)
QUICK = RetryPolicy(connect_timeout=2, read_timeout=0.8, attempts=3, pause_seconds=0)


def describe(server: Any, data: bytes = DATA, **changes: Any) -> RemoteFile:
    """Serve `data` and return its description."""
    server.data = data
    file = RemoteFile(
        url=server.url,
        name="birds.tgz",
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
    )
    return replace(file, **changes)


def cut(end: int) -> Callable[[Any], None]:
    """Announce the complete file, or the rest of it, but close the connection after `end` bytes."""

    def answer(handler: Any) -> None:
        start = handler.parse_start(handler.server.tag) or 0
        rest = handler.server.data[start:]
        span = f"bytes {start}-{SIZE - 1}/{SIZE}" if start else ""
        handler.send(
            206 if start else 200,
            rest[:end],
            Content_Length=str(len(rest)),
            ETag=handler.server.tag,
            Content_Range=span,
        )

    return answer


def say(status: int, body: bytes = b"", **headers: str) -> Callable[[Any], None]:
    return lambda handler: handler.send(status, body, **headers)


def stall(end: int) -> Callable[[Any], None]:
    """Send the first `end` bytes of the file, then nothing."""

    def answer(handler: Any) -> None:
        data = handler.server.data
        handler.send(200, data[:end], Content_Length=str(len(data)), ETag=handler.server.tag)
        handler.wfile.flush()
        handler.server.released.wait(10)

    return answer


def list_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Outcome(NamedTuple):
    path: Path
    progress: list[Progress]


def collect(file: RemoteFile, folder: Path, policy: RetryPolicy = QUICK) -> Outcome:
    progress: list[Progress] = []
    return Outcome(run_steps(download(file, folder, policy), progress.append).path, progress)


def break_off(server: Any, file: RemoteFile, folder: Path, end: int) -> None:
    """Leave a partial file of `end` bytes, like a download that fails."""
    server.script = [cut(end), *[say(503)] * QUICK.attempts]
    with pytest.raises(DownloadError, match="503"):
        collect(file, folder)
    assert (folder / "birds.tgz.part").stat().st_size == end
    server.requests.clear()


# Successful downloads


def test_a_file_is_downloaded_without_leftovers(server: Any, tmp_path: Path) -> None:
    path, progress = collect(describe(server), tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "birds.tgz"
    assert path.read_bytes() == DATA
    assert list_names(path.parent) == ["birds.tgz"]
    assert server.requests[0]["accept-encoding"] == "identity"
    assert "range" not in server.requests[0]
    stages = list(dict.fromkeys(step.stage for step in progress))
    assert stages == ["Downloading birds.tgz, MB", "Checking birds.tgz, MB"]
    assert all(0 <= step.done <= step.total == 2 for step in progress)
    assert [step.done for step in progress if step.stage == stages[0]][-1] == 2
    assert progress[0].values["MB/s"] > 0


def test_an_existing_file_is_checked_without_the_network(
    server: Any, tmp_path: Path, run: Run
) -> None:
    (tmp_path / "birds.tgz").write_bytes(DATA)
    fetched = run(download(describe(server), tmp_path, QUICK))
    assert fetched.already_existed
    assert not server.requests
    assert list_names(tmp_path) == ["birds.tgz"]


def test_an_existing_file_in_a_read_only_folder_is_checked(
    server: Any, tmp_path: Path, run: Run
) -> None:
    (tmp_path / "birds.tgz").write_bytes(DATA)
    tmp_path.chmod(0o555)
    try:
        assert run(download(describe(server), tmp_path, QUICK)).already_existed
    finally:
        tmp_path.chmod(0o755)


def test_an_interrupted_download_is_resumed_where_it_stopped(server: Any, tmp_path: Path) -> None:
    server.script = [cut(400_000), cut(300_000)]
    path, _ = collect(describe(server), tmp_path)
    assert path.read_bytes() == DATA
    assert [r.get("range") for r in server.requests] == [None, "bytes=400000-", "bytes=700000-"]


def test_interruptions_after_progress_are_not_counted(server: Any, tmp_path: Path) -> None:
    server.script = [cut(150_000)] * 8
    path, _ = collect(describe(server), tmp_path)
    assert path.read_bytes() == DATA
    assert len(server.requests) == 9 > QUICK.attempts


def test_another_run_resumes_the_download(server: Any, tmp_path: Path) -> None:
    file = describe(server)
    break_off(server, file, tmp_path, 500_000)
    assert count_missing_bytes(file, tmp_path) == SIZE - 500_000
    path, _ = collect(file, tmp_path)
    assert path.read_bytes() == DATA
    assert [r["range"] for r in server.requests] == ["bytes=500000-"]
    assert list_names(tmp_path) == ["birds.tgz"]
    assert count_missing_bytes(file, tmp_path) == 0


def test_a_download_that_the_user_stops_can_be_resumed(server: Any, tmp_path: Path) -> None:
    file = describe(server)
    server.script = [stall(700_000)]
    steps = download(file, tmp_path, replace(QUICK, read_timeout=5, min_speed=0))
    server.script.append(cut(100_000))

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("explorer.data.fetching.transfer._SECONDS_PER_REPORT", 0)
        with pytest.raises(KeyboardInterrupt):
            run_steps(steps, interrupt)
    kept = (tmp_path / "birds.tgz.part").stat().st_size
    assert 0 < kept <= 700_000
    assert not (tmp_path / "birds.tgz.lock").exists()
    server.script = []
    path, _ = collect(file, tmp_path)
    assert path.read_bytes() == DATA
    assert server.requests[-1]["range"] == f"bytes={kept}-"


def test_a_complete_partial_file_is_only_checked(server: Any, tmp_path: Path) -> None:
    """As left by a process that was killed before it renamed the file."""
    file = describe(server)
    break_off(server, file, tmp_path, 500_000)
    (tmp_path / "birds.tgz.part").write_bytes(DATA)
    path, _ = collect(file, tmp_path)
    assert path.read_bytes() == DATA
    assert not server.requests


def test_a_stalled_connection_is_retried(server: Any, tmp_path: Path) -> None:
    server.script = [stall(400_000)]
    path, _ = collect(describe(server), tmp_path)
    assert path.read_bytes() == DATA
    assert server.requests[1]["range"] == "bytes=400000-"


def test_a_server_without_ranges_sends_the_file_from_the_start(server: Any, tmp_path: Path) -> None:
    server.script = [cut(400_000), say(200, DATA)]
    path, _ = collect(describe(server), tmp_path)
    assert path.read_bytes() == DATA
    assert "range" in server.requests[1]


def test_a_busy_server_is_retried(server: Any, tmp_path: Path) -> None:
    server.script = [say(503), say(429)]
    assert collect(describe(server), tmp_path).path.read_bytes() == DATA


def test_redirections_are_followed(server: Any, tmp_path: Path) -> None:
    server.script = [say(302, Location=server.url + "/elsewhere")]
    assert collect(describe(server), tmp_path).path.read_bytes() == DATA


def test_an_archive_is_stored_without_decoding(server: Any, tmp_path: Path) -> None:
    """Some servers declare a .tgz as a compressed tar, which libraries would decompress."""
    server.script = [say(200, DATA, Content_Encoding="x-gzip")]
    assert collect(describe(server), tmp_path).path.read_bytes() == DATA


def test_a_file_of_unknown_size_is_verified_by_its_hash(server: Any, tmp_path: Path) -> None:
    file = describe(server, size=0)
    short = replace(file, sha256=file.sha256[:8])
    server.script = [say(200, DATA, Content_Length="", Connection="close")]
    path, progress = collect(short, tmp_path)
    assert path.read_bytes() == DATA
    assert all(step.done <= step.total for step in progress)


# Changed files and faulty servers


def test_a_changed_file_is_downloaded_from_the_start(server: Any, tmp_path: Path) -> None:
    break_off(server, describe(server), tmp_path, 500_000)
    changed = describe(server, OTHER)
    server.tag = '"two"'
    path, _ = collect(changed, tmp_path)
    assert path.read_bytes() == OTHER
    assert [r.get("range") for r in server.requests] == ["bytes=500000-", None]


def test_a_complete_but_wrong_partial_file_is_downloaded_again(server: Any, tmp_path: Path) -> None:
    (tmp_path / "birds.tgz.part").write_bytes(OTHER)
    path, _ = collect(describe(server), tmp_path)
    assert path.read_bytes() == DATA
    assert [r.get("range") for r in server.requests] == [None]


@pytest.mark.parametrize(
    "span",
    [
        f"bytes 100-{SIZE - 1}/{SIZE}",  # another start
        f"bytes 400000-{SIZE}/{SIZE + 1}",  # another file
        "",
        "nonsense",
    ],
)
def test_another_range_than_requested_is_not_appended(
    server: Any, tmp_path: Path, span: str
) -> None:
    server.script = [cut(400_000), say(206, DATA[400_000:], Content_Range=span)]
    path, _ = collect(describe(server), tmp_path)
    assert path.read_bytes() == DATA
    assert "range" not in server.requests[2], "from the start"


def test_a_partial_file_that_the_server_cannot_continue_is_removed(
    server: Any, tmp_path: Path
) -> None:
    file = describe(server, size=0)
    server.script = [cut(400_000), say(416, Content_Range="bytes */10")]
    assert collect(file, tmp_path).path.read_bytes() == DATA
    assert [r.get("range") for r in server.requests] == [None, "bytes=400000-", None]


def test_too_large_a_content_length_is_resolved_by_the_next_request(
    server: Any, tmp_path: Path
) -> None:
    """The connection closes early, but the next answer shows that the file is complete."""
    file = describe(server, size=0)
    server.script = [say(200, DATA, Content_Length=str(SIZE + 9), ETag='"one"')]
    assert collect(file, tmp_path).path.read_bytes() == DATA
    assert server.requests[1]["range"] == f"bytes={SIZE}-"


def test_a_partial_file_of_another_file_is_detected_by_the_hash(
    server: Any, tmp_path: Path
) -> None:
    (tmp_path / "birds.tgz.part").write_bytes(b"junk")
    assert collect(describe(server), tmp_path).path.read_bytes() == DATA
    assert [r.get("range") for r in server.requests] == ["bytes=4-", None]


def test_a_partial_file_larger_than_the_file_is_not_continued(server: Any, tmp_path: Path) -> None:
    (tmp_path / "birds.tgz.part").write_bytes(DATA + b"more")
    assert collect(describe(server), tmp_path).path.read_bytes() == DATA
    assert "range" not in server.requests[0]


# Errors


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_not_retried_and_keeps_the_partial_file(
    server: Any, tmp_path: Path, status: int
) -> None:
    file = describe(server)
    break_off(server, file, tmp_path, 500_000)
    server.script = [say(status)]
    with pytest.raises(
        DownloadError,
        match=rf"{status}.*0\.5 MB received so far are kept.*save it as .*birds\.tgz\.",
    ):
        collect(file, tmp_path)
    assert len(server.requests) == 1
    assert list_names(tmp_path) == ["birds.tgz.part"]
    assert collect(file, tmp_path).path.read_bytes() == DATA


def test_a_failing_server_is_given_up_after_some_attempts(server: Any, tmp_path: Path) -> None:
    server.script = [say(500)] * 9
    with pytest.raises(DownloadError, match=r"answered 500.*run the command again") as caught:
        collect(describe(server), tmp_path)
    assert "kept" not in str(caught.value), "nothing was received"
    assert len(server.requests) == QUICK.attempts
    assert list_names(tmp_path) == []


def test_a_server_that_sends_too_slowly_is_given_up(server: Any, tmp_path: Path) -> None:
    def drip(handler: Any) -> None:
        handler.send(200, Content_Length=str(SIZE), ETag='"one"')
        while not handler.server.released.wait(0.02):
            handler.wfile.write(b"x")

    server.script = [drip] * 9
    with pytest.raises(DownloadError, match="too slowly"):
        collect(describe(server), tmp_path)
    assert len(server.requests) == QUICK.attempts


def test_a_server_that_always_stops_at_the_same_byte_is_given_up(
    server: Any, tmp_path: Path
) -> None:
    """It does not support ranges, so no attempt gets any further."""
    broken = say(200, DATA[:400_000], Content_Length=str(SIZE))
    server.script = [broken] * 20
    with pytest.raises(DownloadError, match=r"was interrupted|closed the connection"):
        collect(describe(server), tmp_path)
    assert len(server.requests) == QUICK.attempts + 1


def test_a_closed_port_is_reported(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    file = RemoteFile(f"http://127.0.0.1:{port}/x", "birds.tgz", "0" * 64, 10)
    with pytest.raises(DownloadError, match=r"refused the connection.*Check the connection"):
        collect(file, tmp_path)
    assert list_names(tmp_path) == []


def test_an_invalid_address_is_reported(tmp_path: Path) -> None:
    file = RemoteFile("gopher://127.0.0.1/x", "birds.tgz", "0" * 64, 10)
    with pytest.raises(DownloadError, match=r"gopher.*save it as"):
        collect(file, tmp_path)


def test_another_file_is_not_kept(server: Any, tmp_path: Path) -> None:
    file = describe(server)
    server.data = OTHER
    with pytest.raises(DownloadError, match=r"hash differs.*save it as .*birds\.tgz\."):
        collect(file, tmp_path)
    assert list_names(tmp_path) == []


def test_the_hash_is_checked_when_the_size_matches(server: Any, tmp_path: Path) -> None:
    wrong = describe(server, sha256="0" * 64)
    with pytest.raises(DownloadError, match="hash differs"):
        collect(wrong, tmp_path)
    assert list_names(tmp_path) == []


@pytest.mark.parametrize("offered", [4_512, SIZE + 9])
def test_another_size_is_refused_before_a_byte_is_stored(
    server: Any, tmp_path: Path, offered: int
) -> None:
    server.script = [say(200, b"<html>Sign in</html>", Content_Length=str(offered))]
    with pytest.raises(DownloadError, match=rf"{offered:,} bytes.*{SIZE:,}.*browser"):
        collect(describe(server), tmp_path)
    assert list_names(tmp_path) == []


def test_too_small_a_content_length_is_detected_by_the_hash(server: Any, tmp_path: Path) -> None:
    server.script = [say(200, DATA, Content_Length=str(SIZE - 100))]
    with pytest.raises(DownloadError, match="hash differs"):
        collect(describe(server, size=0), tmp_path)
    assert list_names(tmp_path) == []


def test_an_endless_stream_is_stopped(server: Any, tmp_path: Path) -> None:
    sent = []

    def flood(handler: Any) -> None:
        handler.send(200, Content_Length="", Connection="close")
        while not handler.server.released.is_set() and len(sent) < 1000:
            handler.wfile.write(DATA)
            sent.append(len(DATA))

    server.script = [flood]
    with pytest.raises(DownloadError, match=r"sends more than 1\.3 MB"):
        collect(describe(server), tmp_path)
    assert list_names(tmp_path) == []
    assert len(sent) < 100


def test_a_damaged_file_is_refused_and_not_changed(server: Any, tmp_path: Path) -> None:
    (tmp_path / "birds.tgz").write_bytes(OTHER)
    with pytest.raises(DownloadError, match=r"damaged, or another file\. Move it away"):
        collect(describe(server), tmp_path)
    assert (tmp_path / "birds.tgz").read_bytes() == OTHER
    assert not server.requests


def test_a_full_disk_is_reported_before_anything_is_stored(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: real._replace(free=2_000_000))
    with pytest.raises(ExplorerError, match=r"needs 51\.3 MB .* 2\.0 MB free\. Free some space"):
        collect(describe(server), tmp_path)
    assert list_names(tmp_path) == []


def test_two_processes_do_not_write_to_one_partial_file(server: Any, tmp_path: Path) -> None:
    with (
        filelock.FileLock(tmp_path / "birds.tgz.lock"),
        pytest.raises(DownloadError, match="Another process is downloading"),
    ):
        collect(describe(server), tmp_path)
    assert not server.requests


# Any behaviour of a server

SMALL = DATA[:3_000]


def misbehave(kind: str, number: int) -> Callable[[Any], None]:
    def answer(handler: Any) -> None:
        start = handler.parse_start(handler.server.tag) or 0
        rest = handler.server.data[start:]
        span = {"Content_Range": f"bytes {start}-{len(SMALL) - 1}/{len(SMALL)}", "ETag": '"one"'}
        status = 206 if start else 200
        if kind == "cut":
            handler.send(status, rest[:number], Content_Length=str(len(rest)), **span)
        elif kind == "without ranges":
            handler.send(200, handler.server.data, ETag='"one"')
        elif kind == "status":
            handler.send(number)
        elif kind == "other contents":
            handler.send(status, OTHER[start : len(SMALL)], **span)
        elif kind == "other range":
            handler.send(206, rest, Content_Range=f"bytes {number}-{len(SMALL) - 1}/{len(SMALL)}")
        elif kind == "other version":
            handler.send(200, OTHER[:number], ETag=f'"{number}"')
        else:
            handler.send(status, rest[:number], Content_Length="", Connection="close", **span)

    return answer


MISBEHAVIOUR = st.one_of(
    st.tuples(st.just("status"), st.sampled_from([200, 206, 404, 416, 500, 503])),
    st.tuples(
        st.sampled_from(
            ["cut", "without ranges", "other contents", "other range", "other version", "no length"]
        ),
        st.integers(0, len(SMALL)),
    ),
)


@given(st.lists(st.lists(MISBEHAVIOUR, max_size=4), min_size=1, max_size=3), st.booleans())
def test_a_file_is_either_correct_or_missing(
    module_server: Any,
    tmp_path_factory: pytest.TempPathFactory,
    runs: list[list[tuple[str, int]]],
    is_size_known: bool,
) -> None:
    """Run several times with misbehaving servers, then once with a correct one."""
    folder = tmp_path_factory.mktemp("home")
    for run in [*runs, []]:
        module_server.forget()
        file = describe(module_server, SMALL, size=len(SMALL) if is_size_known else 0)
        module_server.script = [misbehave(*step) for step in run]
        with contextlib.suppress(DownloadError):
            collect(file, folder)
        found = folder / "birds.tgz"
        assert not found.exists() or found.read_bytes() == SMALL
        if found.exists():
            assert list_names(folder) == ["birds.tgz"]
            return
    # The last run may have removed a wrong partial file; the next starts again.
    assert collect(file, folder).path.read_bytes() == SMALL


@pytest.mark.parametrize("sha256", ["", "abc", "DEADBEEF", "x" * 64])
def test_a_remote_file_needs_a_hash(sha256: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        RemoteFile("http://127.0.0.1/x", "x", sha256)


@pytest.mark.network
def test_the_real_archive_is_at_its_address() -> None:
    archive = CUB_200_2011.archive
    timeout = (DEFAULT_RETRY_POLICY.connect_timeout, DEFAULT_RETRY_POLICY.read_timeout)
    with requests.get(
        archive.url, headers={"Range": "bytes=0-9"}, stream=True, timeout=timeout
    ) as answer:
        assert answer.status_code == 206
        assert answer.headers["Content-Range"].endswith(f"/{archive.size}")
        assert answer.raw.read(2) == b"\x1f\x8b", "gzip"
