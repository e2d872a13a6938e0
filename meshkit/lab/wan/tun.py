"""A tun device inside a node's network namespace, held open by this process."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import struct

from meshkit.lab.command import run
from meshkit.lab.topology import Node

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
DEVICE = "wan0"
CLUSTERS = "10.99.0.0/16"
MTU = 1500
LARGEST = 65_536


class Tun:
    """What a node sends to other clusters is read from ``fd``; what is written to ``fd`` the node receives."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            self._join(node)
        except BaseException:
            os.close(self.fd)
            raise

    def _join(self, node: Node) -> None:
        name = f"meshkitwan{node.index}"
        fcntl.ioctl(self.fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
        run("ip", "link", "set", name, "netns", node.namespace, "name", DEVICE)
        inside = ("ip", "-n", node.namespace)
        run(*inside, "link", "set", DEVICE, "mtu", str(MTU), "up")
        run(*inside, "route", "replace", CLUSTERS, "dev", DEVICE, "src", node.address)

    def is_alive(self) -> bool:
        """Whether the device is still in the node's namespace; it goes with the namespace."""
        listed = run("ip", "-json", "-n", self.node.namespace, "link", "show", check=False)
        return any(link["ifname"] == DEVICE for link in json.loads(listed or "[]"))

    def read(self) -> bytes:
        """One packet, empty when none waits."""
        try:
            return os.read(self.fd, LARGEST)
        except (BlockingIOError, OSError):
            return b""

    def write(self, packet: bytes) -> None:
        """Hand one packet to the node; a full or vanished device drops it, as a wire would."""
        with contextlib.suppress(OSError):
            os.write(self.fd, packet)

    def close(self) -> None:
        """Close the device, which deletes it."""
        os.close(self.fd)
