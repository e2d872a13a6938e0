"""A command in a container: what ``kubectl exec -i`` does, in the process.

Frames carry a channel's number and a payload: stdin 0, stdout 1, stderr 2, and 3 for the outcome, a Status object,
https://github.com/kubernetes/kubernetes/blob/v1.34.4/staging/src/k8s.io/apimachinery/pkg/util/remotecommand/constants.go.
Leaving the context drops the connection, which is the end of stdin to the command.
"""

from __future__ import annotations

import json
import select
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

import websocket

from meshkit.backends import channel, kube_errors
from meshkit.errors import DeadlineError, MeshkitError, UnreachableError

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDIN, STDOUT, STDERR, OUTCOME = 0, 1, 2, 3
CHUNK = 32 * 1024
"""The kubelet's own buffer; larger frames are cut somewhere on the way."""

LOOK_S = 0.25
"""A moment: how often ``stopped`` is asked, or an empty chunk given, while nothing comes."""

LONGEST_LINE = 64 << 20
WORDS_KEPT = 2000
Headers = Callable[[], dict[str, str]]


class Exec:
    """``base.Execution`` over one WebSocket to the exec subresource."""

    def __init__(self, configuration: Any, url: str, headers: Headers, context: str, pod: str) -> None:
        self._configuration = configuration
        self._url = url
        self._headers = headers
        self._context = context
        self._pod = pod
        self._connection: Any = None
        self._words = ""

    def __enter__(self) -> Self:
        """Start the command."""
        try:
            self._connection = channel.connect(
                self._configuration, self._url, self._headers(), PROTOCOLS, channel.CONNECT_S
            )
        except channel.FAILURES as error:
            raise kube_errors.of_channel(self._context, self._pod, self._configuration.cert_file, error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop the connection."""
        if self._connection is not None:
            self._connection.shutdown()

    def send(self, data: bytes) -> None:
        """See ``base.Execution``."""
        try:
            for begin in range(0, len(data), CHUNK):
                self._connection.send_binary(bytes((STDIN,)) + data[begin : begin + CHUNK])
        except (websocket.WebSocketException, OSError) as error:
            raise self._gone(error) from error

    def lines(self, until: float, stopped: Callable[[], bool]) -> Iterator[bytes]:
        """See ``base.Execution``."""
        rest = b""
        while (part := self._read(until, stopped)) is not None:
            *whole, rest = (rest + part).split(b"\n")
            yield from whole
            if len(rest) > LONGEST_LINE:
                raise MeshkitError(f"{self._context}: pod {self._pod} sends a line without an end")
        if rest:
            yield rest

    def chunks(self, until: float) -> Iterator[bytes]:
        """See ``base.Execution``."""
        while (part := self._read(until, lambda: False)) is not None:
            yield part

    def _read(self, until: float, stopped: Callable[[], bool]) -> bytes | None:
        """What came on stdout next, nothing after a moment without any, None once the command has ended well."""
        while self._wait(until, stopped):
            try:
                opcode, frame = self._connection.recv_data_frame(control_frame=True)
            except (websocket.WebSocketException, OSError) as error:
                raise self._gone(error) from error
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                raise self._gone(None)
            if opcode != websocket.ABNF.OPCODE_BINARY or not frame.data:
                continue
            number, payload = frame.data[0], bytes(frame.data[1:])
            if number == STDOUT and payload:
                return payload
            if number == STDERR:
                self._words = (self._words + payload.decode(errors="replace"))[-WORDS_KEPT:]
            elif number == OUTCOME:
                self._judge(payload)
                return None
        return b""

    def _wait(self, until: float, stopped: Callable[[], bool]) -> bool:
        """Whether there is something to read; not longer than a moment."""
        if stopped():
            raise MeshkitError(f"{self._context}: interrupted")
        left = until - time.monotonic()
        if left <= 0:
            raise DeadlineError(
                f"{self._context}: pod {self._pod} does not answer any more",
                hint="is its node overloaded, or the way to it cut?",
                detail=self._words,
            )
        ready = select.poll()  # select() takes no descriptor of 1024 and over
        ready.register(self._connection.sock, select.POLLIN)
        return channel.pending(self._connection) or bool(ready.poll(1000 * min(LOOK_S, left)))

    def _judge(self, payload: bytes) -> None:
        """Nothing for success, MeshkitError with the command's own last words otherwise."""
        try:
            outcome = json.loads(payload)
        except ValueError:
            outcome = {}
        if outcome.get("status") != "Success":
            reason = str(outcome.get("message") or "it gave no reason")
            raise MeshkitError(f"{self._context}: in pod {self._pod}: {reason}", detail=self._words.strip())

    def _gone(self, error: Exception | None) -> UnreachableError:
        why = f" ({type(error).__name__})" if error else ""
        return UnreachableError(
            f"{self._context}: the connection to pod {self._pod} is lost{why}",
            hint=f"is it still there? kubectl --context {self._context} get pods -A",
            detail=self._words.strip(),
        )
