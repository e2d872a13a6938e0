"""One TCP connection as it passes the capture point: the handshake, both directions, how it ended, what it is for.

The capture point stands between client and server, so the handshake measures two round trips: from SYN to SYN-ACK that
to the server and back, from SYN-ACK to ACK that to the client. Together they are the path's. After a SYN or SYN-ACK
that was sent twice nobody knows which one was answered (Karn and Partridge, 1987), so nothing is reported.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from meshkit.capture import meaning
from meshkit.capture.hello import COMPLETE, HelloReader
from meshkit.capture.meaning import Meaning
from meshkit.capture.pod.extent import HANDSHAKE
from meshkit.capture.segment import ACK, RST, SYN, Address, Segment
from meshkit.capture.stream import Stream, distance

State = Literal["opening", "unanswered", "refused", "open", "closed", "reset"]
Way = Literal["in", "out", ""]
ANSWER_NS = 1_000_000_000
"""A SYN without an answer for so long has been lost, or dropped: Linux sends it again after a second (RFC 6298)."""


@dataclass(slots=True)
class Connection:
    """``client`` and ``server`` are the streams that each side sends; round trips in nanoseconds, None if unknown."""

    client_address: Address
    client_port: int
    server_address: Address
    server_port: int
    began_ns: int
    ended_ns: int
    pod: str = ""
    way: Way = ""
    from_begin: bool = False
    client: Stream = field(default_factory=Stream)
    server: Stream = field(default_factory=Stream)
    to_server_ns: int | None = None
    to_client_ns: int | None = None
    reset_by: Literal["client", "server", ""] = ""
    refused: bool = False
    hello: HelloReader = field(default_factory=HelloReader)
    _syns: int = 0
    _syn_acks: int = 0
    _syn_ns: int = 0
    _syn_ack_ns: int = 0
    _confirmed: bool = False

    def take(self, segment: Segment, *, by_client: bool) -> None:
        """Count a segment that the client, or else the server, has sent."""
        self.ended_ns = max(self.ended_ns, segment.time_ns)
        if segment.flags & SYN or not self._confirmed:
            self._handshake(segment, by_client=by_client)
        if segment.flags & RST:
            self._end(by_client=by_client)
        if by_client:
            self.client.take(segment, self.to_client_ns)
            if segment.length:
                self._hear(segment)
        else:
            self.server.take(segment, self.to_server_ns)

    @property
    def over(self) -> bool:
        """Whether nothing more is to come."""
        return bool(self.reset_by) or (self.client.finished and self.server.finished)

    def state(self, now_ns: int) -> State:
        """What has become of it by ``now_ns``."""
        if self.refused:
            return "refused"
        if self.reset_by:
            return "reset"
        if self.over:
            return "closed"
        if self.from_begin and not self._syn_acks and not self.server.segments:
            return "unanswered" if self._syns > 1 or now_ns - self._syn_ns > ANSWER_NS else "opening"
        return "open"

    @property
    def meaning(self) -> Meaning:
        """What it is for, as far as is known by now."""
        if self.hello.hello is not None:
            return meaning.of_hello(self.hello.hello)
        return meaning.of_state(self.hello.state, from_begin=self.from_begin)

    @property
    def server_name(self) -> str:
        """The name in its hello, empty while or where there is none."""
        return self.hello.hello.server_name if self.hello.hello else ""

    @property
    def decided(self) -> bool:
        """Whether its name can't become known any more."""
        return self.hello.state != "awaited" or not self.from_begin or self.over

    def _handshake(self, segment: Segment, *, by_client: bool) -> None:
        flags, time_ns = segment.flags, segment.time_ns
        if flags & SYN and by_client:
            self._syns += 1
            self._syn_ns = time_ns
        elif flags & SYN:
            self._syn_acks += 1
            self._syn_ack_ns = time_ns
            if self._syns == self._syn_acks == 1:
                self.to_server_ns = max(0, time_ns - self._syn_ns)
            elif self._syn_acks > 1:
                self.to_server_ns = None
        elif by_client and flags & ACK and self._syn_acks:
            self._confirmed = True
            if self._syn_acks == 1 and not flags & RST:
                self.to_client_ns = max(0, time_ns - self._syn_ack_ns)

    def _end(self, *, by_client: bool) -> None:
        """A reset; behind the end of both sides it is no event: whoever closes with data unread sends one."""
        if self.over:
            return
        self.reset_by = "client" if by_client else "server"
        self.refused = not by_client and self.from_begin and not self._syn_acks

    def _hear(self, segment: Segment) -> None:
        """Payload of the client's: its hello, when the stream's begin is known."""
        if self.hello.state == COMPLETE or self.client.first is None:
            return
        begin = self.client.first + 1 if self.from_begin else self.client.first
        if not self.from_begin and not self._heard(segment):
            return
        sequence = segment.sequence + 1 if segment.flags & SYN else segment.sequence
        self.hello.feed(distance(sequence, begin), segment.payload, segment.length)

    def _heard(self, segment: Segment) -> bool:
        """Without a SYN a hello is only believed where the first captured payload of the client begins like one."""
        if segment.sequence == self.client.first:
            return segment.payload[:1] == bytes((HANDSHAKE,))
        return self.hello.started
