"""A process that copies itself for each task, since starting Python anew takes most of the time.

The server starts one such process, which imports what the tasks need. For each task it receives
one end of a connection, and a copy of it (a fork) talks through that, and ends. So each task still
has a process of its own, with limits of its own, and whatever happens to it happens to nothing
else.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import traceback
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_MAX_REQUEST = 256  # bytes
_SECONDS_TO_END = 5.0


def is_available() -> bool:
    """Return whether this system has what is needed: Linux, for its sockets that keep messages."""
    return sys.platform == "linux"


class Forks:
    """Starts processes for tasks by copying one that is ready. Thread-safe.

    Parameters
    ----------
    command : sequence of str
        A program that calls `serve`.
    folder : Path
        Where it runs.
    environment : Mapping of str to str
        Of that program.
    """

    def __init__(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> None:
        self._command, self._folder, self._environment = [*command], folder, environment
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._stop: Callable[[], object] = lambda: None

    def start(self, request: bytes) -> socket.socket:
        """Start a process for a task, and return the connection to it, which the caller closes.

        Parameters
        ----------
        request : bytes
            What the task is told at first, at most 256 bytes.

        Raises
        ------
        OSError
            When no process can be started.
        """
        ours, theirs = socket.socketpair()
        try:
            with theirs, self._lock:
                try:
                    self._send(request, theirs)
                except OSError:  # it has ended, or has never been started
                    self._restart()
                    self._send(request, theirs)
        except OSError:
            ours.close()
            raise
        return ours

    def _send(self, request: bytes, connection: socket.socket) -> None:
        if self._control is None:
            raise OSError("not started")
        socket.send_fds(self._control, [request], [connection.fileno()])

    def _restart(self) -> None:
        self._stop()
        control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                process = subprocess.Popen(
                    self._command, stdin=theirs.fileno(), cwd=self._folder, env=self._environment
                )
        except OSError:
            control.close()
            raise
        self._control = control
        self._stop = weakref.finalize(self, _stop, control, process)


def _stop(control: socket.socket, process: "subprocess.Popen[bytes]") -> None:
    """End the process, which waits for nothing but the other end of `control`."""
    control.close()
    try:
        process.wait(_SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def serve(work: Callable[[bytes, socket.socket], None], seconds: int) -> None:
    """Wait for tasks on standard input, until the other end is closed; never returns in a copy.

    Parameters
    ----------
    work : callable
        Does a task, given what it is told at first and its connection, in a process of its own.
    seconds : int
        After which the system ends a task's process.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system forgets those that have ended
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in the terminal is for the server
    with socket.socket(fileno=os.dup(sys.stdin.fileno())) as control:
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123
            os.dup2(nothing.fileno(), sys.stdin.fileno())  # a copy sees the tasks of no other
        while True:
            request, descriptors, *_ = socket.recv_fds(control, _MAX_REQUEST, 1)
            if not descriptors:
                return
            with socket.socket(fileno=descriptors[0]) as connection:
                if os.fork() == 0:
                    control.close()
                    _work_and_exit(work, request, connection, seconds)


def _work_and_exit(
    work: Callable[[bytes, socket.socket], None],
    request: bytes,
    connection: socket.socket,
    seconds: int,
) -> None:
    signal.alarm(seconds)
    status = 1
    try:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # nobody waits any more
            work(request, connection)
        status = 0
    finally:
        if status:
            traceback.print_exc()
        os._exit(status)
