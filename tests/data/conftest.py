import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers according to the script of the server."""

    protocol_version = "HTTP/1.1"
    server: "FileServer"

    def do_GET(self) -> None:
        self.server.requests.append({k.lower(): v for k, v in self.headers.items()})
        script = self.server.script
        answer = script.pop(0) if script else self.server.usual
        self.close_connection = True
        answer(self)

    def send(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Send headers, ``Content-Length`` among them unless it is given, then the body."""
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            if value:
                self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def parse_start(self, tag: str) -> int | None:
        """Return the start of the requested range; None if there is none for this version."""
        wanted = self.headers.get("Range")
        if wanted is None or self.headers.get("If-Range", tag) != tag:
            return None
        return int(wanted.removeprefix("bytes=").removesuffix("-"))

    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing."""


class FileServer(ThreadingHTTPServer):
    """A server of one file that first follows its script and then works correctly.

    Attributes
    ----------
    script : list
        How to answer the next requests, one entry each.
    requests : list of dict
        Headers of all requests so far, their names in lower case.
    released : threading.Event
        Set at the end of the test; stalled answers wait for it.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.forget()

    def forget(self) -> None:
        """Return to the initial state."""
        self.script: list[Answer] = []
        self.requests: list[dict[str, str]] = []
        self.released = threading.Event()
        self.data = b""
        self.tag = '"one"'

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file"

    def usual(self, handler: Handler) -> None:
        """Serve the file, with ranges and conditions, in accordance with HTTP."""
        start = handler.parse_start(self.tag)
        if start is None:
            handler.send(200, self.data, ETag=self.tag)
        elif start >= len(self.data):
            handler.send(416, Content_Range=f"bytes */{len(self.data)}")
        else:
            span = f"bytes {start}-{len(self.data) - 1}/{len(self.data)}"
            handler.send(206, self.data[start:], ETag=self.tag, Content_Range=span)

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that have disconnected."""


@pytest.fixture(scope="module")
def module_server() -> Iterator[FileServer]:
    """Return a server on the loopback interface, running in a thread until its tests end."""
    with pytest.MonkeyPatch.context() as patch, FileServer() as running:
        patch.setenv("NO_PROXY", "127.0.0.1")
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.released.set()
        running.shutdown()
        thread.join(5)


@pytest.fixture
def server(module_server: FileServer) -> Iterator[FileServer]:
    """Return a server in its initial state."""
    module_server.forget()
    yield module_server
    module_server.released.set()
