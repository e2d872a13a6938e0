"""A packet as all parts of a capture pass it on."""

from __future__ import annotations

from typing import NamedTuple


class Packet(NamedTuple):
    """``data`` begins with the IP header and may be cut; ``size`` is its length on the wire.

    ``outgoing`` says whether the capturing host sent it, None where the capture can't tell.
    """

    time_ns: int
    outgoing: bool | None
    size: int
    data: bytes
