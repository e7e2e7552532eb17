"""Ports of this machine, and the connection that a browser opens to the app."""

import socket
from collections.abc import Mapping

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

PATIENCE = 120.0  # seconds; long, as the machine may be busy


def find_port() -> int:
    """Return a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def open_stream(
    address: str, origin: str | None = None, headers: Mapping[str, str] | None = None
) -> ClientConnection:
    """Connect to the app at ``host:port``, as a page of another site does if `origin` is given."""
    return connect(
        f"ws://{address}/_stcore/stream",
        subprotocols=["streamlit"],  # type: ignore[list-item]
        origin=origin,  # type: ignore[arg-type]
        additional_headers=headers,
        max_size=None,
    )


def start_session(stream: ClientConnection) -> str:
    """Request the first page; return the session id, which is part of upload URLs."""
    message = BackMsg()
    message.rerun_script.query_string = ""
    stream.send(message.SerializeToString())
    session = ""
    while True:
        data = stream.recv(timeout=PATIENCE)
        assert isinstance(data, bytes)
        found = ForwardMsg.FromString(data)
        if found.WhichOneof("type") == "new_session":
            session = found.new_session.initialize.session_id
        if found.WhichOneof("type") == "script_finished":
            return session
