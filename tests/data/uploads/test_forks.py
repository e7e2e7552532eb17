"""Processes that are copies of one that is ready."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from explorer.config import REPOSITORY_ROOT
from explorer.data.uploads import forks
from explorer.data.uploads.forks import Forks

pytestmark = pytest.mark.skipif(not forks.is_available(), reason="decoders are forked on Linux")

# Says which process it is and whose copy, and what it was told; then sends back what it receives.
ECHO = """
import os
from explorer.data.uploads.forks import serve

def work(request, connection):
    connection.sendall(f"{os.getpid()} {os.getppid()} {request.decode()} ".encode())
    with connection.makefile("rb") as file:
        connection.sendall(file.read())

serve(work, 60)
"""


def make_echo() -> Forks:
    return Forks([sys.executable, "-c", ECHO], REPOSITORY_ROOT, dict(os.environ))


def ask(own: Forks, request: str, data: bytes) -> tuple[int, int, str, bytes]:
    with own.start(request.encode()) as connection:
        connection.settimeout(30)
        connection.sendall(data)
        connection.shutdown(1)
        with connection.makefile("rb") as file:
            task, ready, told, rest = file.read().split(b" ", 3)
    return int(task), int(ready), told.decode(), rest


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until_ended(process: int) -> None:
    deadline = time.monotonic() + 20
    while is_running(process):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_each_task_has_a_copy_of_one_process() -> None:
    own = make_echo()
    found = [ask(own, str(number), bytes(number * 100_000)) for number in range(4)]
    assert len({task for task, *_ in found}) == 4
    assert len({ready for _, ready, *_ in found}) == 1
    assert [(told, len(rest)) for *_, told, rest in found] == [
        (str(number), number * 100_000) for number in range(4)
    ]
    for task, *_ in found:
        wait_until_ended(task)


def test_tasks_at_the_same_time_do_not_mix() -> None:
    own = make_echo()
    with ThreadPoolExecutor(8) as pool:
        found = [*pool.map(lambda n: ask(own, str(n), str(n).encode() * 50_000), range(24))]
    assert [(told, rest) for *_, told, rest in found] == [
        (str(n), str(n).encode() * 50_000) for n in range(24)
    ]


def test_a_copy_sees_the_tasks_of_no_other() -> None:
    code = "import os\nfrom explorer.data.uploads.forks import serve\n"
    code += "serve(lambda _, own: own.sendall(os.read(0, 100) or b'nothing'), 60)"
    own = Forks([sys.executable, "-c", code], REPOSITORY_ROOT, dict(os.environ))
    with own.start(b"a") as connection:
        connection.settimeout(30)
        assert connection.recv(100) == b"nothing"


def test_another_process_is_started_when_it_has_been_killed() -> None:
    own = make_echo()
    _, ready, *_ = ask(own, "a", b"")
    os.kill(ready, signal.SIGKILL)
    time.sleep(0.2)
    _, other, told, rest = ask(own, "b", b"data")
    assert other != ready
    assert (told, rest) == ("b", b"data")


def test_it_ends_with_the_process_that_started_it() -> None:
    code = "import os, sys, time\nfrom test_forks import ask, make_echo\n"
    code += "own = make_echo()\nprint(ask(own, 'a', b'')[1], flush=True)\nos._exit(0)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": f"{Path(__file__).parent}{os.pathsep}{REPOSITORY_ROOT}"},
        capture_output=True,
        check=True,
        text=True,
    )
    wait_until_ended(int(done.stdout))


def test_it_ends_when_it_is_no_longer_needed() -> None:
    own = make_echo()
    _, ready, *_ = ask(own, "a", b"")
    del own
    assert not is_running(ready)


def test_a_program_that_does_not_run_is_an_error() -> None:
    with pytest.raises(OSError, match="No such file"):
        Forks(["/no such program"], REPOSITORY_ROOT, {}).start(b"")
