"""A client without a browser, which uses Streamlit's protocol.

A `Session` simulates a visitor. It opens pages, sets widgets and uploads files with the server's
token, as a browser does, and keeps what the last run of a page has shown.
"""

import contextlib
import json
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from google.protobuf.message import Message
from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import connect

_TIMEOUT_SECONDS = 180.0
_TOKEN = "_streamlit_xsrf"
_FINISHED = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)
_RESTARTED = ForwardMsg.FINISHED_EARLY_FOR_RERUN
_TEXT_FIELDS = {"markdown": "body", "alert": "body", "heading": "body", "text": "body"}
_TEXT_FIELDS |= {"code": "code_text"}


@dataclass
class Page:
    """Contents shown by a run of a page.

    Attributes
    ----------
    texts : list of str
        All texts, in the order received.
    widgets : dict of str to Message
        Messages that define the widgets, by id.
    figures : list of dict
        Plotly figures.
    pictures : set of str
        Paths of pictures on the server.
    errors : list of str
        Error messages of the page or the protocol.
    """

    texts: list[str] = field(default_factory=list)
    widgets: dict[str, Any] = field(default_factory=dict)
    figures: list[dict[str, Any]] = field(default_factory=list)
    pictures: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)

    def find_widget(self, kind: str, label: str = "") -> Any:
        """Return a widget by its type and the start of its label; `KeyError` if there is none."""
        for widget in self.widgets.values():
            if type(widget).__name__ == kind and getattr(widget, "label", "").startswith(label):
                return widget
        raise KeyError(f"no {kind} {label!r} among {[w.label for w in self.widgets.values()]}")


class Session:
    """A connection of a visitor to a server, used as a context manager.

    Parameters
    ----------
    url : str
        Address of the server, such as ``"http://127.0.0.1:8501"``.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.page = Page()
        self.socket_bytes = self.picture_bytes = 0
        self._states: dict[str, WidgetState] = {}
        self._name, self._script_hash, self._query = "", "", ""
        self._fetched: set[str] = set()
        self._cookies: dict[str, str] = {}
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        # A proxy's cookie names the process that the visitor stays with.
        with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=_TIMEOUT_SECONDS) as page:
            found = (one.partition(";")[0] for one in page.headers.get_all("Set-Cookie", []))
            self._cookies = dict(one.split("=", 1) for one in found)
        address = self.url.replace("http", "ws", 1) + "/_stcore/stream"
        stream = connect(
            address,
            subprotocols=["streamlit"],  # type: ignore[list-item]
            additional_headers={"Cookie": self._write_cookies()},
            max_size=None,
        )
        self._socket = self._open.enter_context(stream)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def visit(self, page: str, query: str = "") -> Page:
        """Open a page by the name of its script in ``pages/``; return what it shows."""
        self._states.clear()
        self._name, self._script_hash, self._query = page, "", query
        return self._rerun()

    def press(self, button: Any) -> Page:
        """Press a button of the page."""
        return self._rerun(WidgetState(id=button.id, trigger_value=True))

    def choose(self, widget: Any, text: str) -> Page:
        """Choose an option of a select box by its text."""
        return self.set_state(WidgetState(id=widget.id, string_value=text))

    def set_state(self, state: WidgetState) -> Page:
        """Set the state of a widget, even if the page has none, until another page is visited."""
        self._states[state.id] = state
        return self._rerun()

    def upload(self, uploader: Any, name: str, data: bytes) -> Page:
        """Upload a file and rerun the page with it, as the file uploader does."""
        request = BackMsg()
        request.file_urls_request.request_id = str(uuid.uuid4())
        request.file_urls_request.file_names.append(name)
        request.file_urls_request.session_id = self.id
        self._socket.send(request.SerializeToString())
        (urls,) = next(
            message.file_urls_response.file_urls
            for message in self._receive()
            if message.WhichOneof("type") == "file_urls_response"
        )
        self.put(urls.upload_url, name, data)
        state = WidgetState(id=uploader.id)
        info = state.file_uploader_state_value.uploaded_file_info.add()
        info.name, info.size, info.file_id = name, len(data), urls.file_id
        info.file_urls.CopyFrom(urls)
        self._states[uploader.id] = state
        try:
            return self._rerun()
        finally:
            del self._states[uploader.id]

    def put(self, path: str, name: str, data: bytes) -> int:
        """Send a file to a path on the server, with its token; return the HTTP status."""
        boundary = uuid.uuid4().hex
        disposition = f'form-data; name="file"; filename="{name}"'
        head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\n\r\n"
        request = urllib.request.Request(
            self.url + path,
            head.encode() + data + f"\r\n--{boundary}--\r\n".encode(),
            {
                "Content-Type": f"multipart/form-data; boundary={boundary}",
                "Cookie": self._write_cookies(),
                "X-Xsrftoken": self._cookies[_TOKEN],
            },
            method="PUT",
        )
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
            status: int = answer.status
            return status

    def fetch_pictures(self) -> None:
        """Fetch the pictures of the page that have not been fetched yet."""
        for path in self.page.pictures - self._fetched:
            request = urllib.request.Request(
                self.url + quote(path), headers={"Cookie": self._write_cookies()}
            )
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:
                self.picture_bytes += len(response.read())
        self._fetched |= self.page.pictures

    def _write_cookies(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self._cookies.items())

    def _rerun(self, once: WidgetState | None = None) -> Page:
        """Run the page with the states of all widgets, and with `once` for this run only."""
        message = BackMsg()
        wanted = message.rerun_script
        wanted.page_name, wanted.query_string = self._name, self._query
        wanted.page_script_hash = self._script_hash
        for state in (*self._states.values(), *([once] if once is not None else [])):
            wanted.widget_states.widgets.add().CopyFrom(state)
        self._socket.send(message.SerializeToString())
        self.page = Page()
        for received in self._receive():
            if self._process(received):
                break
        return self.page

    def _receive(self) -> Iterator[ForwardMsg]:
        while True:
            data = self._socket.recv(timeout=_TIMEOUT_SECONDS)
            if not isinstance(data, bytes):
                raise TypeError("the server sent text instead of bytes")
            self.socket_bytes += len(data)
            yield ForwardMsg.FromString(data)

    def _process(self, message: ForwardMsg) -> bool:
        """Process a message; return whether it is the last of a run."""
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self.id = message.new_session.initialize.session_id
            self.page = Page(errors=self.page.errors)
        elif kind == "navigation":
            self._script_hash = message.navigation.page_script_hash
        elif kind == "page_not_found":
            self.page.errors.append(f"no page {message.page_not_found.page_name}")
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self._add(message.delta.new_element)
        elif kind == "page_info_changed":
            self._query = message.page_info_changed.query_string
        elif kind == "script_finished" and message.script_finished != _RESTARTED:
            if message.script_finished not in _FINISHED:
                self.page.errors.append(f"the script ended with {message.script_finished}")
            return True
        return False

    def _add(self, element: Any) -> None:
        kind = element.WhichOneof("type")
        content: Message = getattr(element, kind)
        if kind in _TEXT_FIELDS:
            self.page.texts.append(getattr(content, _TEXT_FIELDS[kind]))
        if kind == "exception":
            self.page.errors.append(element.exception.message)
        if kind == "alert" and element.alert.format == Alert.ERROR:
            self.page.errors.append(element.alert.body)
        if kind == "plotly_chart":
            self.page.figures.append(json.loads(element.plotly_chart.spec))
        if kind == "imgs":
            urls = (image.url for image in element.imgs.imgs)
            self.page.pictures |= {url for url in urls if url.startswith("/media/")}
        if getattr(content, "id", ""):
            self.page.widgets[content.id] = content  # type: ignore[attr-defined]
