"""Three network namespaces in a row: a source, a router and a target, with a link of any MTU between the last two."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

NAMES = ("mkpath-source", "mkpath-router", "mkpath-target")
ROUTER = {"4": "10.97.1.2", "6": "fd97:1::2"}
TARGET = {"4": "10.97.2.2", "6": "fd97:2::2"}


def run(*argv: str) -> None:
    """Run a command to its end; its own words when it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"


@dataclass(frozen=True)
class Row:
    """The namespaces, while they are there."""

    def within(self, name: str, *argv: str) -> None:
        """Run a command in one of them."""
        run("ip", "netns", "exec", name, *argv)

    def narrow(self, mtu: int) -> None:
        """Set the MTU of the link between router and target."""
        self.within(NAMES[1], "ip", "link", "set", "right", "mtu", str(mtu))
        self.within(NAMES[2], "ip", "link", "set", "eth0", "mtu", str(mtu))

    def probe(self, code: str, *, user: bool = False) -> str:
        """What Python code prints in the source; as a user without capabilities when asked."""
        drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"] if user else []
        argv = ["ip", "netns", "exec", NAMES[0], *drop, sys.executable, "-c", code]
        paths = [str(Path("tests").resolve()), *sys.path]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60, env=environment)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout


@contextmanager
def row() -> Iterator[Row]:
    """Make them. What a killed run has left is removed first: everything is inside, so nothing else can be left."""
    _remove()
    made = Row()
    try:
        for name in NAMES:
            run("ip", "netns", "add", name)
            # Neighbours are asked from link-local addresses, which can't be used while they are checked.
            made.within(name, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
            made.within(name, "ip", "link", "set", "lo", "up")
        source, router, target = NAMES
        run("ip", "-n", source, "link", "add", "eth0", "type", "veth", "peer", "name", "left", "netns", router)
        run("ip", "-n", target, "link", "add", "eth0", "type", "veth", "peer", "name", "right", "netns", router)
        for name, link, net, host in (
            (source, "eth0", 1, 1),
            (router, "left", 1, 2),
            (router, "right", 2, 1),
            (target, "eth0", 2, 2),
        ):
            run("ip", "-n", name, "address", "add", f"10.97.{net}.{host}/24", "dev", link)
            run("ip", "-n", name, "address", "add", f"fd97:{net}::{host}/64", "dev", link, "nodad")
            run("ip", "-n", name, "link", "set", link, "up")
        for name, net in ((source, 1), (target, 2)):
            via = (f"10.97.{net}.{2 if net == 1 else 1}", f"fd97:{net}::{2 if net == 1 else 1}")
            run("ip", "-n", name, "route", "add", "default", "via", via[0])
            run("ip", "-n", name, "-6", "route", "add", "default", "via", via[1])
        made.within(router, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        made.within(router, "sysctl", "-qw", "net.ipv4.icmp_ratemask=0", "net.ipv6.icmp.ratelimit=0")
        yield made
    finally:
        _remove()


def _remove() -> None:
    for name in NAMES:
        subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)
