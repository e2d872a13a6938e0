"""Two network namespaces with a way of a fixed length between them, and a capture of the packets on it.

Each has a tun device, and a small forwarder between the two (forwarder.c) holds every packet back for half of the round
trip: the kernel may lack netem, and this does the same for all probers. The far side answers for a whole /24.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.ground import Ground, end, run

NEAR, FAR = "bench-near", "bench-far"
NEAR_ADDRESS, HOSTS = "10.77.0.1", "10.77.1.0/24"
TUNSETIFF, IFF_TUN_NO_PI = 0x400454CA, 0x1001
SNAP = 96
ECHO, ECHO_REPLY = 8, 0


def hosts(count: int) -> list[str]:
    """Addresses on the far side."""
    return [f"10.77.1.{place + 1}" for place in range(count)]


@contextmanager
def link(ground: Ground, rtt_s: float) -> Iterator[None]:
    """Both namespaces, the way between them, and a responder on the far side."""
    remove()
    devices = []
    try:
        for namespace in (NEAR, FAR):
            run("ip", "netns", "add", namespace)
            devices.append(_tun(namespace))
            run("ip", "-n", namespace, "link", "set", "lo", "up")
        run("ip", "-n", NEAR, "address", "add", f"{NEAR_ADDRESS}/32", "dev", "way")
        run("ip", "-n", NEAR, "route", "add", HOSTS, "dev", "way", "src", NEAR_ADDRESS)
        run("ip", "-n", FAR, "address", "add", "10.77.1.1/24", "dev", "lo")
        run("ip", "-n", FAR, "route", "add", f"{NEAR_ADDRESS}/32", "dev", "way", "src", "10.77.1.1")
        run("ip", "netns", "exec", NEAR, "sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647")
        delay_us = round(rtt_s / 2 * 1e6)
        forwarder = ground.start(ground.compile("forwarder"), *devices, delay_us, pass_fds=devices)
        responder = ground.start(ground.compile("responder"), namespace=FAR, stdout=subprocess.PIPE)
        responder.stdout.readline()
        yield
        end(forwarder)
        end(responder)
    finally:
        for device in devices:
            os.close(device)
        remove()


def _tun(namespace: str) -> int:
    """A tun device called ``way`` in a namespace; it lasts as long as the descriptor."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    name = f"{namespace}0"
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN_NO_PI))
    run("ip", "link", "set", name, "netns", namespace, "name", "way")
    run("ip", "-n", namespace, "link", "set", "way", "up", "txqueuelen", "10000")
    return descriptor


def remove() -> None:
    """Both namespaces, if they are there."""
    for namespace in (NEAR, FAR):
        subprocess.run(["ip", "netns", "delete", namespace], capture_output=True, check=False)


@contextmanager
def capture(ground: Ground) -> Iterator[Path]:
    """Packets on the near device, with the kernel's nanosecond stamps; the file is whole when the block ends."""
    path = ground.folder / f"capture-{time.monotonic_ns()}.pcap"
    tcpdump = ground.start(
        "tcpdump", "-i", "way", "-s", SNAP, "-B", 32768, "--time-stamp-precision=nano", "-U",
        "-n", "-Z", "root", "-w", path, "ip",
        namespace=NEAR,
    )  # fmt: skip
    until = time.monotonic() + 10
    while not (path.exists() and path.stat().st_size):
        if tcpdump.poll() is not None or time.monotonic() > until:
            raise SystemExit(f"bench-probes: tcpdump does not capture; see {ground.folder}")
        time.sleep(0.05)
    time.sleep(0.3)  # the header is written before the socket is bound
    yield path
    time.sleep(0.5)  # what is in its buffer
    end(tcpdump)


def round_trips(path: Path) -> dict[tuple[str, str], list[tuple[float, float | None]]]:
    """Per mechanism and far address: when each request left, and its round trip, None when nothing came back."""
    sent: dict[tuple[object, ...], float] = {}
    found: dict[tuple[str, str], list[tuple[float, float | None]]] = {}
    answered: dict[tuple[object, ...], float] = {}
    order: list[tuple[tuple[object, ...], str, str, float]] = []
    for stamp, packet in _packets(path.read_bytes()):
        mechanism, request, host, key = _read(packet)
        if not mechanism:
            continue
        if request:
            if key in sent and key not in answered and mechanism == "tcp":
                continue  # the same SYN again
            key = (*key, 0)
            while key in sent:
                key = (*key[:-1], key[-1] + 1)  # a source port used again
            sent[key] = stamp
            order.append((key, mechanism, host, stamp))
        else:
            place = 0
            while (*key, place + 1) in sent:
                place += 1
            if (*key, place) in sent:
                answered.setdefault((*key, place), stamp)
    for key, mechanism, host, stamp in order:
        back = answered.get(key)
        found.setdefault((mechanism, host), []).append((stamp, None if back is None else back - stamp))
    return found


def _packets(data: bytes) -> Iterator[tuple[float, bytes]]:
    place = 24
    while place + 16 <= len(data):
        seconds, nanoseconds, length, _ = struct.unpack_from("=IIII", data, place)
        yield seconds + nanoseconds * 1e-9, data[place + 16 : place + 16 + length]
        place += 16 + length


def _read(packet: bytes) -> tuple[str, bool, str, tuple[object, ...]]:
    """Mechanism, whether it is a request, the far address, and what joins a request and its answer."""
    inner = packet[(packet[0] & 15) * 4 :]
    source, destination = (".".join(map(str, packet[at : at + 4])) for at in (12, 16))
    out = source == NEAR_ADDRESS
    host = destination if out else source
    if packet[9] == socket.IPPROTO_TCP and inner[13] & 0x17 in (0x02, 0x12):
        port = inner[0:2] if out else inner[2:4]
        return "tcp", inner[13] & 0x10 == 0, host, ("tcp", host, port)
    if packet[9] == socket.IPPROTO_UDP:
        port = inner[0:2] if out else inner[2:4]
        return "udp", out, host, ("udp", host, port, inner[8:40])
    if packet[9] == socket.IPPROTO_ICMP and inner[0] in (ECHO, ECHO_REPLY):
        return "icmp", inner[0] == ECHO, host, ("icmp", host, inner[4:8])
    return "", False, "", ()
