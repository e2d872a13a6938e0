"""A small HTTP/2 server on h2, for probes to talk to."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import StreamClosedError

Reply = Callable[[H2Connection, int, dict[str, str], bytes], None]
"""Given a whole request (its stream, header and body), says what to send."""


def serve(reply: Reply) -> Callable[[socket.socket], None]:
    """Serve a connection with ``reply`` until the other side has gone."""

    def run(sock: socket.socket) -> None:
        connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        sock.sendall(connection.data_to_send())
        headers: dict[int, dict[str, str]] = {}
        bodies: dict[int, bytes] = {}
        while data := sock.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, events.RequestReceived):
                    headers[event.stream_id], bodies[event.stream_id] = dict(event.headers), b""
                elif isinstance(event, events.DataReceived):
                    bodies[event.stream_id] += event.data
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, events.StreamEnded):
                    reply(connection, event.stream_id, headers[event.stream_id], bodies[event.stream_id])
            sock.sendall(connection.data_to_send())

    return run


def answer(
    status: int, body: bytes = b"", *, trailers: Sequence[tuple[str, str]] = (), headers: Sequence[tuple[str, str]] = ()
) -> Reply:
    """Send this at once; the body must fit one frame."""

    def reply(connection: H2Connection, stream: int, _headers: dict[str, str], _body: bytes) -> None:
        connection.send_headers(stream, [(":status", str(status)), *headers], end_stream=not body and not trailers)
        if body:
            connection.send_data(stream, body, end_stream=not trailers)
        if trailers:
            connection.send_headers(stream, list(trailers), end_stream=True)

    return reply


def streaming(total: int) -> Callable[[socket.socket], None]:
    """Serve a body of so many bytes, as fast as the client's windows allow; it ends only with the client."""

    def run(sock: socket.socket) -> None:
        connection = H2Connection(H2Configuration(client_side=False))
        connection.initiate_connection()
        left, stream = total, 0
        sock.sendall(connection.data_to_send())
        while data := sock.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, events.RequestReceived):
                    stream = event.stream_id
                    connection.send_headers(stream, [(":status", "200")])
            while stream and left and (room := _room(connection, stream)):
                size = min(left, room)
                left -= size
                connection.send_data(stream, bytes(size), end_stream=not left)
            sock.sendall(connection.data_to_send())

    return run


def _room(connection: H2Connection, stream: int) -> int:
    try:
        return min(connection.local_flow_control_window(stream), connection.max_outbound_frame_size)
    except StreamClosedError:
        return 0


def frame(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    """A frame as bytes (RFC 9113, section 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload
