"""Packets cut to what may be seen: IP and TCP headers, and of payloads a TLS ClientHello alone.

A hello is taken as one only where it must stand: at the first sequence number after a SYN that was seen, and on from
there without a gap. So no bytes in the middle of a stream are ever mistaken for one, whatever they look like.
"""

from __future__ import annotations

from meshkit.capture.pod.extent import Extent

TCP = 6
V4, V6 = 4, 6
V4_HEAD, V6_HEAD, TCP_HEAD = 20, 40, 20
FRAGMENT_OFFSET = 0x1FFF
SYN, ACK = 0x02, 0x10
SEQUENCES = 1 << 32
MOST_EXPECTED = 4096
"""Connections whose hello is awaited at a time; with more, those that wait longest are given up."""


class Snapper:
    """Says of each packet, which begins with its IP header, how many bytes may be kept."""

    def __init__(self) -> None:
        self._expected: dict[bytes, tuple[int, Extent]] = {}

    def kept(self, packet: bytes) -> int:
        """Bytes from the packet's begin; never beyond its own end."""
        size = len(packet)
        if size < V4_HEAD:
            return 0
        begin, key = self._network(packet)
        if not key or size < begin + TCP_HEAD:
            return min(size, begin)
        head = begin + 4 * (packet[begin + 12] >> 4)
        flags = packet[begin + 13]
        if flags & SYN:
            if not flags & ACK:
                self._expect(key, (int.from_bytes(packet[begin + 4 : begin + 8], "big") + 1) % SEQUENCES)
            return min(size, head)
        if size <= head or key not in self._expected:
            return min(size, head)
        return head + self._hello(key, packet, begin, head)

    @staticmethod
    def _network(packet: bytes) -> tuple[int, bytes]:
        """Where TCP begins, and who sends to whom; nobody where it is not TCP."""
        version = packet[0] >> 4
        if version == V4:
            begin = 4 * (packet[0] & 0x0F)
            whole = not int.from_bytes(packet[6:8], "big") & FRAGMENT_OFFSET
            if begin < V4_HEAD or packet[9] != TCP or not whole:
                return max(begin, V4_HEAD), b""
            return begin, packet[12:20] + packet[begin : begin + 4]
        if version == V6:
            return V6_HEAD, packet[8:40] + packet[40:44] if packet[6] == TCP else b""
        return 0, b""

    def _expect(self, key: bytes, sequence: int) -> None:
        self._expected.pop(key, None)
        if len(self._expected) >= MOST_EXPECTED:
            del self._expected[next(iter(self._expected))]
        self._expected[key] = sequence, Extent()

    def _hello(self, key: bytes, packet: bytes, begin: int, head: int) -> int:
        """How much of the payload is hello."""
        sequence, extent = self._expected[key]
        if int.from_bytes(packet[begin + 4 : begin + 8], "big") != sequence:
            return 0
        payload = packet[head : _end(packet)]
        taken = extent.take(payload)
        if extent.over or taken < len(payload):
            del self._expected[key]
        else:
            self._expected[key] = (sequence + len(payload)) % SEQUENCES, extent
        return taken


def _end(packet: bytes) -> int:
    """Where the packet ends by its own word: Ethernet pads short ones. Segments not yet cut to size say nothing."""
    if packet[0] >> 4 == V4:
        return int.from_bytes(packet[2:4], "big") or len(packet)
    return V6_HEAD + int.from_bytes(packet[4:6], "big") if packet[4:6] != b"\0\0" else len(packet)
