"""Classic BPF on raw sockets: the kernel throws away what other processes' pings get, before it costs a wake-up."""

from __future__ import annotations

import ctypes
import socket
import struct

SO_ATTACH_FILTER = 26
LOAD_HALF, LOAD_BYTE, LOAD_HALF_X, LOAD_BYTE_X = 0x28, 0x30, 0x48, 0x50
HEADER_TO_X, A_TO_X, ADD_X, ADD, AND, SHIFT = 0xB1, 0x07, 0x0C, 0x04, 0x54, 0x64
EQUAL, RETURN = 0x15, 0x06

Program = list[tuple[int, int, int, int]]
"""Instructions of linux/filter.h: code, jump if true, jump if false, operand."""

KEEP, DROP = (RETURN, 0, 0, 0xFFFF), (RETURN, 0, 0, 0)


def echoes_v4(ident: int) -> Program:
    """Echo replies of ours, and ICMP errors about ICMP of ours; the packet begins with the IP header.

    A load beyond the packet's end drops it.
    """
    return [
        (HEADER_TO_X, 0, 0, 0),
        (LOAD_BYTE_X, 0, 0, 0),
        (EQUAL, 0, 3, 0),
        (LOAD_HALF_X, 0, 0, 4),
        (EQUAL, 0, 14, ident),
        KEEP,
        (EQUAL, 2, 0, 3),
        (EQUAL, 1, 0, 11),
        (EQUAL, 0, 10, 12),
        (LOAD_BYTE_X, 0, 0, 8 + 9),
        (EQUAL, 0, 8, 1),
        (LOAD_BYTE_X, 0, 0, 8),
        (AND, 0, 0, 15),
        (SHIFT, 0, 0, 2),
        (ADD_X, 0, 0, 0),
        (A_TO_X, 0, 0, 0),
        (LOAD_HALF_X, 0, 0, 8 + 4),
        (EQUAL, 0, 1, ident),
        KEEP,
        DROP,
    ]


def echoes_v6(ident: int) -> Program:
    """The same for ICMPv6, where the packet begins with the ICMP header."""
    return [
        (LOAD_BYTE, 0, 0, 0),
        (EQUAL, 0, 2, 129),
        (LOAD_HALF, 0, 0, 4),
        (EQUAL, 8, 9, ident),
        (EQUAL, 3, 0, 1),
        (EQUAL, 2, 0, 2),
        (EQUAL, 1, 0, 3),
        (EQUAL, 0, 5, 4),
        (LOAD_BYTE, 0, 0, 8 + 6),
        (EQUAL, 0, 3, 58),
        (LOAD_HALF, 0, 0, 8 + 40 + 4),
        (EQUAL, 0, 1, ident),
        KEEP,
        DROP,
    ]


def attach(endpoint: socket.socket, program: Program) -> None:
    """Have a socket receive only what the program keeps."""
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    held = ctypes.create_string_buffer(code, len(code))
    endpoint.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", len(program), ctypes.addressof(held)))
