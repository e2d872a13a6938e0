"""The kernel's part of the choice: TCP from and to the wanted ports, and of what comes back headers alone.

A ClientHello goes to a port that somebody listens on, so only segments to a wanted port may carry one: of the others
the kernel copies nothing behind the TCP header. Loopback is left out: a gateway's sockets there are its own.
The packet begins with its IP header, https://www.kernel.org/doc/html/latest/networking/filter.html.
"""

from __future__ import annotations

from collections.abc import Collection

from meshkit.probes.bpf import (
    ADD_X,
    AND,
    EQUAL,
    HEADER_TO_X,
    LOAD_BYTE,
    LOAD_BYTE_X,
    LOAD_HALF,
    LOAD_HALF_X,
    RETURN,
    Program,
)

LOAD_WORD, IMMEDIATE_TO_X, SHIFT_RIGHT = 0x20, 0x01, 0x74
ANY_BIT, JUMP, RETURN_A = 0x45, 0x05, 0x16
PROTOCOL, DEVICE_TYPE = 0xFFFFF000, 0xFFFFF000 + 28
"""What the kernel knows of a packet beside its bytes: SKF_AD_PROTOCOL and SKF_AD_HATYPE, linux/filter.h."""

LOOPBACK, IPV4, IPV6, TCP = 772, 0x0800, 0x86DD, 6
LONGEST = 4096
"""Kept of a segment to a wanted port until the hello in it is measured: a larger hello is not decoded whole."""

MOST_PORTS = 16


def program(ports: Collection[int]) -> Program:
    """The filter for at most 16 ports."""
    if not 0 < len(ports) <= MOST_PORTS:
        raise ValueError(f"a filter takes 1 to {MOST_PORTS} ports")
    return [
        (LOAD_WORD, 0, 0, DEVICE_TYPE),
        (EQUAL, 0, 1, LOOPBACK),
        (RETURN, 0, 0, 0),
        (LOAD_WORD, 0, 0, PROTOCOL),
        (EQUAL, 6, 0, IPV4),
        (EQUAL, 1, 0, IPV6),
        (RETURN, 0, 0, 0),
        (LOAD_BYTE, 0, 0, 6),
        (EQUAL, 1, 0, TCP),
        (RETURN, 0, 0, 0),
        (JUMP, 0, 0, 7),
        # IPv4: TCP, and not the later part of a packet in fragments
        (LOAD_BYTE, 0, 0, 9),
        (EQUAL, 1, 0, TCP),
        (RETURN, 0, 0, 0),
        (LOAD_HALF, 0, 0, 6),
        (ANY_BIT, 0, 1, 0x1FFF),
        (RETURN, 0, 0, 0),
        (JUMP, 0, 0, 2),
        # X is where TCP begins
        (IMMEDIATE_TO_X, 0, 0, 40),
        (JUMP, 0, 0, 1),
        (HEADER_TO_X, 0, 0, 0),
        (LOAD_HALF_X, 0, 0, 2),
        *_any_of(ports, [(RETURN, 0, 0, LONGEST)]),
        (LOAD_HALF_X, 0, 0, 0),
        *_any_of(
            ports,
            [(LOAD_BYTE_X, 0, 0, 12), (AND, 0, 0, 0xF0), (SHIFT_RIGHT, 0, 0, 2), (ADD_X, 0, 0, 0), (RETURN_A, 0, 0, 0)],
        ),
        (RETURN, 0, 0, 0),
    ]


def _any_of(ports: Collection[int], then: Program) -> Program:
    """Run ``then`` when the port that was loaded is one of these, else go on behind it."""
    tests: Program = []
    for place, port in enumerate(sorted(ports), 1):
        others = len(ports) - place
        tests.append((EQUAL, others, 0 if others else len(then), port))
    return [*tests, *then]
