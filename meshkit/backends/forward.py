"""A local port whose connections reach a pod's port: what ``kubectl port-forward`` does, in the process.

Consul is spoken to this way and not through the API server's pod proxy because the proxy ends TLS without checking
the pod's certificate; through a forward, the management token only ever goes to a server that our own CA signed.

The official client's own port forward has no timeouts and dies with a traceback on a reset connection, so only its
configuration is used. The protocol is two channels per port over a WebSocket: data and error, each opened by a frame
with the port's number, https://github.com/kubernetes/kubernetes/blob/v1.34.4/pkg/kubelet/cri/streaming/portforward/websocket.go.
It can't close one direction alone, so the first end of either side ends both.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

import websocket

from meshkit.backends import channel, kube_errors
from meshkit.errors import MeshkitError

CHUNK = 64 * 1024
PROTOCOLS = ("v4.channel.k8s.io",)
DATA, ERROR = 0, 1
Headers = Callable[[], dict[str, str]]


class Forward:
    """Listens on 127.0.0.1; each connection gets a WebSocket of its own to the API server's portforward subresource."""

    def __init__(self, configuration: Any, url: str, headers: Headers, context: str, pod: str) -> None:
        self._configuration = configuration
        self._url = url
        self._headers = headers
        self._context = context
        self._pod = pod
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self._thread = threading.Thread(target=self._accept, name="port forward", daemon=True)

    def __enter__(self) -> int:
        """Start listening; the value is the local port."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread.start()
        port: int = self._listener.getsockname()[1]
        return port

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening and end the connections under way."""
        if self._listener is None:
            return
        _end(self._listener)  # wakes the accept below; close alone would leave it blocked on Linux
        self._listener.close()
        self._thread.join()
        with self._lock:
            for connection in self._open:
                _end(connection)

    @contextlib.contextmanager
    def connection(self, timeout_s: float) -> Iterator[socket.socket]:
        """One connection, open already, without a port to listen on; MeshkitError says why there is none."""
        tunnel = self._tunnel(timeout_s)
        ours, theirs = socket.socketpair()
        threading.Thread(target=_join, args=(theirs, tunnel), name="port forward connection", daemon=True).start()
        with ours:
            yield ours

    def _accept(self) -> None:
        listener = self._listener
        while listener is not None:
            try:
                local, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(local)
            threading.Thread(target=self._serve, args=(local,), name="port forward connection", daemon=True).start()

    def _serve(self, local: socket.socket) -> None:
        """Join one local connection to the pod; whatever goes wrong closes it, and the caller sees a reset."""
        try:
            _join(local, self._tunnel(channel.CONNECT_S))
        except MeshkitError:
            pass  # the caller's own request fails and names the datacenter
        finally:
            with self._lock:
                self._open.discard(local)
            local.close()

    def _tunnel(self, timeout_s: float) -> _Tunnel:
        try:
            return _Tunnel(channel.connect(self._configuration, self._url, self._headers(), PROTOCOLS, timeout_s))
        except channel.FAILURES as error:
            raise kube_errors.of_channel(self._context, self._pod, self._configuration.cert_file, error) from error


class _Tunnel:
    """A WebSocket whose frames are channel and payload."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._announced: set[int] = set()

    def fileno(self) -> int:
        return int(self._connection.sock.fileno())

    def pending(self) -> bool:
        """Whether TLS holds decrypted bytes that no selector would report."""
        return channel.pending(self._connection)

    def read(self) -> bytes | None:
        """The next payload of the data channel, empty for other frames, None when the pod's side has ended."""
        opcode, frame = self._connection.recv_data_frame(control_frame=True)
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return None
        if opcode != websocket.ABNF.OPCODE_BINARY or not frame.data:
            return b""
        channel, payload = frame.data[0], bytes(frame.data[1:])
        if channel not in self._announced:
            self._announced.add(channel)
            return b""
        return payload if channel == DATA else None

    def write(self, payload: bytes) -> None:
        self._connection.send_binary(bytes((DATA,)) + payload)

    def close(self) -> None:
        """Without the closing handshake: nobody waits for the other side's goodbye."""
        self._connection.shutdown()


def _join(local: socket.socket, tunnel: _Tunnel) -> None:
    """Relay until either side ends, and end both."""
    with local, contextlib.closing(tunnel), contextlib.suppress(*channel.FAILURES):
        _relay(local, tunnel)


def _relay(local: socket.socket, tunnel: _Tunnel) -> None:
    """Copy both ways in one thread, since a TLS connection is not to be read and written by two."""
    local.settimeout(channel.STALLED_S)
    with selectors.DefaultSelector() as selector:
        selector.register(local, selectors.EVENT_READ)
        selector.register(tunnel, selectors.EVENT_READ)
        while True:
            ready = {tunnel} if tunnel.pending() else {key.fileobj for key, _ in selector.select()}
            if tunnel in ready:
                received = tunnel.read()
                if received is None:
                    return
                local.sendall(received)
            if local in ready:
                sent = local.recv(CHUNK)
                if not sent:
                    return
                tunnel.write(sent)


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
