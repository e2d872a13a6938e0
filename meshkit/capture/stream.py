"""One direction of a connection: what arrived, what was sent again, what came in another order.

What was seen before and comes again is a retransmission: the segment was lost behind the capture point, or its
acknowledgement was. What fills a gap was lost before it, and is one too, unless it comes sooner than its sender could
have learned of the loss: a round trip between here and the sender. Then the network has changed the order.
Where no handshake has told that round trip, it is 3 ms, as Wireshark has it (packet-tcp.c, tcp_analyze_seq).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from meshkit.capture.segment import FIN, RST, SYN, Segment

SEQUENCES, HALF = 1 << 32, 1 << 31
UNKNOWN_TRIP_NS = 3_000_000
MOST_GAPS = 64


def distance(later: int, earlier: int) -> int:
    """How far one sequence number is behind another, negative when it is before it."""
    return (later - earlier + HALF) % SEQUENCES - HALF


@dataclass(slots=True)
class Gap:
    """Sequence numbers not seen yet, and when that was noticed."""

    begin: int
    end: int
    noticed_ns: int


@dataclass(slots=True)
class Stream:
    """What one side sends. ``bytes`` counts payload once, ``zero_windows`` how often it stopped the other side."""

    first: int | None = None
    segments: int = 0
    bytes: int = 0
    retransmissions: int = 0
    out_of_order: int = 0
    zero_windows: int = 0
    mss: int | None = None
    resets: int = 0
    finished: bool = False
    next: int | None = None
    _stopped: bool = False
    _gaps: list[Gap] = field(default_factory=list)

    @property
    def missing(self) -> int:
        """Bytes that never came by, though later ones did: the capture has lost them, or they go another way."""
        return sum(distance(gap.end, gap.begin) for gap in self._gaps)

    def take(self, segment: Segment, trip_ns: int | None) -> None:
        """Count a segment; ``trip_ns`` is the round trip between here and its sender."""
        self.segments += 1
        self._note_window(segment)
        flags = segment.flags
        if flags & SYN:
            self.mss = segment.mss
        if flags & FIN:
            self.finished = True
        if flags & RST:
            self.resets += 1
            return
        size = segment.length + (1 if flags & SYN else 0) + (1 if flags & FIN else 0)
        if self.next is None:
            self.first = segment.sequence
            self.next = (segment.sequence + size) % SEQUENCES
            self.bytes += segment.length
        elif size:
            self._place(segment, size, trip_ns)

    def _note_window(self, segment: Segment) -> None:
        stopped = segment.window == 0 and not segment.flags & (SYN | RST)
        if stopped and not self._stopped:
            self.zero_windows += 1
        self._stopped = stopped

    def _place(self, segment: Segment, size: int, trip_ns: int | None) -> None:
        """Where a segment lies beside what was seen already."""
        assert self.next is not None  # noqa: S101 - the caller has looked
        ahead = distance(segment.sequence, self.next)
        if ahead >= 0:
            if ahead and len(self._gaps) < MOST_GAPS:
                self._gaps.append(Gap(self.next, segment.sequence, segment.time_ns))
            self.next = (segment.sequence + size) % SEQUENCES
            self.bytes += segment.length
            return
        control = segment.flags & (SYN | FIN)
        if ahead == -1 and segment.length <= 1 and not control:
            return  # a keepalive asks with the last byte
        begun = self._fill(segment.sequence, size)
        if begun is None:
            self.retransmissions += 1
        else:
            self.bytes += segment.length
            soon = UNKNOWN_TRIP_NS if trip_ns is None else trip_ns
            if segment.time_ns - begun < soon:
                self.out_of_order += 1
            else:
                self.retransmissions += 1
        beyond = ahead + size
        if beyond > 0:
            self.next = (self.next + beyond) % SEQUENCES
            if begun is None:
                self.bytes += min(beyond, segment.length)

    def _fill(self, sequence: int, size: int) -> int | None:
        """Take a segment's numbers out of the gaps; when the gap was noticed, None when it was in none."""
        for place, gap in enumerate(self._gaps):
            begin = max(0, distance(sequence, gap.begin))
            end = min(distance(gap.end, gap.begin), distance(sequence, gap.begin) + size)
            if begin >= end:
                continue
            rest = [
                Gap(gap.begin, (gap.begin + begin) % SEQUENCES, gap.noticed_ns),
                Gap((gap.begin + end) % SEQUENCES, gap.end, gap.noticed_ns),
            ]
            self._gaps[place : place + 1] = [part for part in rest if part.begin != part.end]
            return gap.noticed_ns
        return None
