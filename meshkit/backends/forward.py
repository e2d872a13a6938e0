"""A local port whose connections reach a pod's port: what ``kubectl port-forward`` does, in the process.

Consul is spoken to this way and not through the API server's pod proxy because the proxy ends TLS without checking
the pod's certificate; through a forward, the management token only ever goes to a server that our own CA signed.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from kubernetes.client.exceptions import ApiException
from kubernetes.stream import ws_client

CHUNK = 64 * 1024
Headers = Callable[[], dict[str, str]]


class Forward:
    """Listens on 127.0.0.1; each connection gets a WebSocket of its own to the API server's portforward subresource."""

    def __init__(self, configuration: Any, url: str, headers: Headers, port: int) -> None:
        self._configuration = configuration
        self._url = url
        self._headers = headers
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, name=f"forward {port}", daemon=True)

    def __enter__(self) -> int:
        """Start listening; the value is the local port."""
        self._thread.start()
        port: int = self._listener.getsockname()[1]
        return port

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening; connections under way end with their sockets."""
        # shutdown wakes the accept below; close alone would leave it blocked on Linux
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                local, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(local,), daemon=True).start()

    def _serve(self, local: socket.socket) -> None:
        """Join one local connection to the pod; a pod that is gone closes it, and the caller sees a reset."""
        try:
            forwarded = ws_client.portforward_call(self._configuration, "GET", self._url, headers=self._headers())
        except (ApiException, OSError):
            local.close()
            return
        remote = forwarded.socket(self._port)
        back = threading.Thread(target=_pump, args=(remote, local), daemon=True)
        back.start()
        _pump(local, remote)
        back.join()
        local.close()
        remote.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Copy until either side ends, then end the other for good."""
    with contextlib.suppress(OSError):
        while chunk := source.recv(CHUNK):
            sink.sendall(chunk)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
