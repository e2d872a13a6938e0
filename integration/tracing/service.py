"""The program of a test's service: HTTP on one port, with faults that a test switches on by writing ``/tmp/mode``.

Runs in the pod as ``python3 -c``, so it imports only the standard library. A mode is looked at for each connection;
``listen`` is where it listens, and changes at once.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path

MODE = Path("/tmp/mode")  # noqa: S108 - a container of its own
SLOW_S = 120.0
LOOK_S = 0.1


def mode() -> str:
    """The fault that is switched on, empty for none."""
    try:
        return MODE.read_text().strip()
    except OSError:
        return ""


def place() -> tuple[str, int] | None:
    """Where to listen in the current mode."""
    port = int(os.environ["PORT"])
    places = {"elsewhere": ("127.0.0.1", port + 1), "pod": (os.environ["POD_IP"], port), "silent": None}
    return places.get(mode(), ("127.0.0.1", port))


def serve(connection: socket.socket) -> None:
    """Answer one request as the mode says."""
    with connection:
        fault = mode()
        if fault == "close":
            return
        request = connection.recv(65536)
        if not request:
            return
        if fault == "slow":
            time.sleep(SLOW_S)
        status = "503 Service Unavailable" if fault == "error" else "200 OK"
        body = os.environ["NAME"] + "\n"
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        connection.sendall((head + body).encode())


def main() -> None:
    """Listen where the mode says, until it says otherwise."""
    while True:
        where = place()
        if where is None:
            time.sleep(LOOK_S)
            continue
        with socket.create_server(where) as listener:
            listener.settimeout(LOOK_S)
            while place() == where:
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                connection.settimeout(None)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
