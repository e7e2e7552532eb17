"""A browser without a screen: speaks Streamlit's own protocol to a server on the loopback.

One `Session` is one visitor. It keeps what the last run of a page has shown as plain words, follows
addresses, sets widgets and uploads files with the server's token, as a browser does.
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

_PATIENCE = 180.0
_ENDED = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)
_STOPPED = ForwardMsg.FINISHED_EARLY_FOR_RERUN
_WORDS = {"markdown": "body", "alert": "body", "heading": "body", "text": "body"}
_WORDS |= {"code": "code_text"}


@dataclass
class Page:
    """What one run of a page has shown.

    Attributes
    ----------
    texts : list of str
        Everything written, in the order in which it came.
    widgets : dict of str to Message
        By the widget's id: what it was drawn from.
    blocks : dict of str to str
        The ids of expanders that tell when they are opened, by their labels.
    figures : list of dict
        Of Plotly.
    pictures : set of str
        Their addresses on the server.
    errors : list of str
        What went wrong, in the words of the page or of the protocol.
    """

    texts: list[str] = field(default_factory=list)
    widgets: dict[str, Any] = field(default_factory=dict)
    blocks: dict[str, str] = field(default_factory=dict)
    figures: list[dict[str, Any]] = field(default_factory=list)
    pictures: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)

    def find_widget(self, kind: str, label: str = "") -> Any:
        """Return a widget by its kind and the beginning of its label; KeyError where it is not."""
        for widget in self.widgets.values():
            if type(widget).__name__ == kind and getattr(widget, "label", "").startswith(label):
                return widget
        raise KeyError(f"no {kind} {label!r} among {[w.label for w in self.widgets.values()]}")


class Session:
    """One visitor of a server, from ``with`` to its end.

    Parameters
    ----------
    url : str
        Of the server, such as ``"http://127.0.0.1:8501"``.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.page = Page()
        self.socket_bytes = self.picture_bytes = 0
        self._states: dict[str, WidgetState] = {}
        self._name, self._script_hash, self._query = "", "", ""
        self._seen: set[str] = set()
        self._cookie = ""
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        address = self.url.replace("http", "ws", 1) + "/_stcore/stream"
        stream = connect(address, subprotocols=["streamlit"], max_size=None)  # type: ignore[list-item]
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
        """Go to a page, named as its script in ``pages/``; return what it shows."""
        self._states.clear()
        self._name, self._script_hash, self._query = page, "", query
        return self._rerun()

    def press(self, button: Any) -> Page:
        """Press a button of the page."""
        return self._rerun(WidgetState(id=button.id, trigger_value=True))

    def choose(self, widget: Any, text: str) -> Page:
        """Choose an option of a select box by its words."""
        return self.set_state(WidgetState(id=widget.id, string_value=text))

    def set_state(self, state: WidgetState) -> Page:
        """Set any widget, though the page may have none such, until another page is visited."""
        self._states[state.id] = state
        return self._rerun()

    def upload(self, uploader: Any, name: str, data: bytes) -> Page:
        """Send a file to the server and tell the page of it, as its uploader does."""
        asked = BackMsg()
        asked.file_urls_request.request_id = str(uuid.uuid4())
        asked.file_urls_request.file_names.append(name)
        asked.file_urls_request.session_id = self.id
        self._socket.send(asked.SerializeToString())
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

    def put(self, address: str, name: str, data: bytes) -> int:
        """Send a file to an address of the server, with its token; return the status."""
        if not self._cookie:
            health = f"{self.url}/_stcore/health"
            with urllib.request.urlopen(health, timeout=_PATIENCE) as answer:
                self._cookie = answer.headers["Set-Cookie"].partition(";")[0]
        mark = uuid.uuid4().hex
        head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        request = urllib.request.Request(
            self.url + address,
            head.encode() + data + f"\r\n--{mark}--\r\n".encode(),
            {
                "Content-Type": f"multipart/form-data; boundary={mark}",
                "Cookie": self._cookie,
                "X-Xsrftoken": self._cookie.partition("=")[2],
            },
            method="PUT",
        )
        with urllib.request.urlopen(request, timeout=_PATIENCE) as answer:
            status: int = answer.status
            return status

    def fetch_pictures(self) -> None:
        """Fetch the pictures of the page that this visitor has not seen yet."""
        for path in self.page.pictures - self._seen:
            with urllib.request.urlopen(self.url + quote(path), timeout=_PATIENCE) as response:
                self.picture_bytes += len(response.read())
        self._seen |= self.page.pictures

    def _rerun(self, once: WidgetState | None = None) -> Page:
        """Have the page run with all that is set, and with what is so this once."""
        message = BackMsg()
        wanted = message.rerun_script
        wanted.page_name, wanted.query_string = self._name, self._query
        wanted.page_script_hash = self._script_hash
        for state in (*self._states.values(), *([once] if once is not None else [])):
            wanted.widget_states.widgets.add().CopyFrom(state)
        self._socket.send(message.SerializeToString())
        self.page = Page()
        for received in self._receive():
            if self._is_end(received):
                break
        return self.page

    def _receive(self) -> Iterator[ForwardMsg]:
        while True:
            data = self._socket.recv(timeout=_PATIENCE)
            if not isinstance(data, bytes):
                raise TypeError("the server sent text where messages are bytes")
            self.socket_bytes += len(data)
            yield ForwardMsg.FromString(data)

    def _is_end(self, message: ForwardMsg) -> bool:
        """Take a message down; return whether it was the last of a run."""
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self.id = message.new_session.initialize.session_id
            self.page = Page(errors=self.page.errors)
        elif kind == "navigation":
            self._script_hash = message.navigation.page_script_hash
        elif kind == "page_not_found":
            self.page.errors.append(f"no page {message.page_not_found.page_name}")
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self._take(message.delta.new_element)
        elif kind == "delta" and message.delta.WhichOneof("type") == "add_block":
            block = message.delta.add_block
            if block.WhichOneof("type") == "expandable" and block.id:
                self.page.blocks[block.expandable.label] = block.id
        elif kind == "page_info_changed":
            self._query = message.page_info_changed.query_string
        elif kind == "script_finished" and message.script_finished != _STOPPED:
            if message.script_finished not in _ENDED:
                self.page.errors.append(f"the script ended with {message.script_finished}")
            return True
        return False

    def _take(self, element: Any) -> None:
        kind = element.WhichOneof("type")
        content: Message = getattr(element, kind)
        if kind in _WORDS:
            self.page.texts.append(getattr(content, _WORDS[kind]))
        if kind == "exception":
            self.page.errors.append(element.exception.message)
        if kind == "alert" and element.alert.format == Alert.ERROR:
            self.page.errors.append(element.alert.body)
        if kind == "plotly_chart":
            self.page.figures.append(json.loads(element.plotly_chart.spec))
        if kind == "imgs":
            media = (image.url for image in element.imgs.imgs)
            self.page.pictures |= {url for url in media if url.startswith("/media/")}
        if getattr(content, "id", ""):
            self.page.widgets[content.id] = content  # type: ignore[attr-defined]
