import fuzz_uploads
import pytest
from fuzz_uploads import PHOTO, fuzz, read_case
from picture_mutations import MUTATIONS, make_files, mutate


def test_undamaged_files_of_every_kind_are_photos() -> None:
    files = make_files()
    assert len(files) > 25
    assert {name: read_case(data) for name, data in files.items()} == dict.fromkeys(
        files, (PHOTO, "")
    )


def test_cases_are_repeatable_and_damaged() -> None:
    files = make_files()
    cases = [mutate(files, 3, case) for case in range(200)]
    assert cases == [mutate(files, 3, case) for case in range(200)]
    assert {mutation for _, mutation, _ in cases} == set(MUTATIONS)
    assert sum(data != files[name] for name, _, data in cases) > 180


def test_a_thousand_damaged_pictures_end_with_a_photo_or_a_message() -> None:
    tally = fuzz(seed=1, first=0, count=1000)
    assert tally.failures == []
    total = sum(tally.outcomes.values(), start=fuzz_uploads.Counter())
    assert total.total() == 1000
    assert 200 < total[PHOTO] < 800


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("os.kill(os.getpid(), 11)", "ended its process with -11"),
        ("os._exit(0)", "ended its process with 0"),
        ("time.sleep(60)", "hangs"),
        ("raise ZeroDivisionError('by zero')", "ZeroDivisionError: by zero"),
    ],
)
def test_pictures_that_kill_or_block_a_worker_are_reported_and_the_rest_is_read(
    words: str, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = (
        "import os, sys, time, fuzz_uploads as f\n"
        "read = f.read_upload\n"
        f"def read_damaged(data):\n    if data == b'bad':\n        {words}\n    return read(data)\n"
        "f.read_upload = read_damaged\n"
        "mutate = f.mutate\n"
        "f.mutate = lambda files, seed, n: ('x', 'bits flipped', b'bad') if n == 4 else "
        "mutate(files, seed, n)\n"
        "f.run_worker(*map(int, sys.argv[1:]))"
    )
    monkeypatch.setattr(fuzz_uploads, "PROGRAM", program)
    monkeypatch.setattr(fuzz_uploads, "MAX_SECONDS", 3.0)
    tally = fuzz(seed=0, first=0, count=10)
    assert tally.failures == [f"case 4, x, bits flipped: {wanted}"]
    assert sum(counted.total() for counted in tally.outcomes.values()) == 10


@pytest.mark.slow
def test_twenty_thousand_damaged_pictures() -> None:
    assert fuzz(seed=2, first=0, count=20_000).failures == []
