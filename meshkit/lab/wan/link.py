"""One direction between two clusters, as a value, and what a user may write for its parts."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from meshkit.errors import UsageError

MTU_MINIMUM, MTU_MAXIMUM = 576, 1500
"""RFC 791 asks every host to take 576 bytes; the nodes' own devices carry 1500, as the internet does."""

DELAY_MAXIMUM_S = 10.0
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


@dataclass(frozen=True)
class Link:
    """One way from a cluster to another: seconds, seconds, a fraction, bytes."""

    delay_s: float = 0.0
    jitter_s: float = 0.0
    loss: float = 0.0
    mtu: int = 1500
    cut: bool = False
    mtu_blackhole: bool = False
    """Packets over the MTU vanish, without the ICMP message that a well-behaved router sends."""


@dataclass(frozen=True)
class LinkChange:
    """What to change of a link; None leaves a part as it is."""

    delay_s: float | None = None
    jitter_s: float | None = None
    loss: float | None = None
    mtu: int | None = None
    cut: bool | None = None
    mtu_blackhole: bool | None = None

    def applied(self, link: Link) -> Link:
        """The link with this change made."""
        parts: dict[str, Any] = {key: value for key, value in vars(self).items() if value is not None}
        return replace(link, **parts)


def parse_delay(text: str) -> float:
    """Seconds from ``35ms``, ``0.2s`` or ``500us``; UsageError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(us|ms|s)", text.strip())
    seconds = float(match[1]) * UNITS[match[2]] if match else -1.0
    if not 0 <= seconds <= DELAY_MAXIMUM_S:
        raise UsageError(f"{text!r} is not a delay", hint="give a number and a unit up to 10 s: 35ms, 0.2s, 500us")
    return seconds


def parse_loss(text: str) -> float:
    """A fraction from ``0.1%`` or ``0.001``; UsageError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", text.strip())
    fraction = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    if not 0 <= fraction <= 1:
        raise UsageError(f"{text!r} is not a loss", hint="give a share of packets: 0.1% or 0.001")
    return fraction


def parse_mtu(text: str) -> int:
    """Bytes from ``1400``; UsageError for anything else."""
    mtu = int(text) if text.strip().isdigit() else 0
    if not MTU_MINIMUM <= mtu <= MTU_MAXIMUM:
        raise UsageError(f"{text!r} is not an MTU", hint=f"give bytes from {MTU_MINIMUM} to {MTU_MAXIMUM}")
    return mtu
