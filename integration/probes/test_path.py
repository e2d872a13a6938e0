"""Path probes across a real router: hops, path MTU, and links that swallow what is too large."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from probes.routers import NAMES, ROUTER, TARGET, Row, row

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def path() -> Iterator[Row]:
    """Source, router, target."""
    with row() as made:
        yield made


def observe(path: Row, target: str, *, user: bool = False) -> dict[str, Any]:
    """The sample of one probe made in the source."""
    code = (
        "import json\n"
        "from meshkit.probes.mechanisms.icmp import IcmpTarget\n"
        "from meshkit.probes.mechanisms.path import PathTarget\n"
        "from probes.once import observe\n"
        f"print(json.dumps(observe({target}, timeout_s=20).as_wire()))\n"
    )
    sample: dict[str, Any] = json.loads(path.probe(code, user=user))
    return sample


@pytest.mark.parametrize("version", ["4", "6"])
@pytest.mark.parametrize("method", ["tcp", "icmp"])
def test_each_hop_is_named_with_its_round_trip(path: Row, method: str, version: str) -> None:
    sample = observe(path, f"PathTarget({TARGET[version]!r}, 80, {method!r})")
    hops = sample["facts"]["hops"]
    # Nothing listens on the port: the reset says that the target was reached.
    assert sample["reason"] == "ok", sample
    assert [hop["addresses"] for hop in hops] == [[ROUTER[version]], [TARGET[version]]]
    assert all(hop["rtt_s"] > 0 and hop["rtt_source"] == "kernel" for hop in hops)
    assert sample["rtt_source"] == "kernel"


def test_a_target_that_the_router_does_not_know_is_unreachable(path: Row) -> None:
    sample = observe(path, "IcmpTarget('10.98.0.1')")
    assert (sample["reason"], "rtt_s" in sample) == ("unreachable", False)


@pytest.mark.parametrize("version", ["4", "6"])
def test_the_mtu_that_a_router_names_is_found(path: Row, version: str) -> None:
    path.narrow(1400)
    facts = observe(path, f"PathTarget({TARGET[version]!r}, 80, 'icmp', mtu=True)")["facts"]
    assert (facts["mtu"], facts["mtu_black_hole"], facts["mtu_router"]) == (1400, False, ROUTER[version])


@pytest.mark.parametrize("version", ["4", "6"])
def test_a_router_that_drops_silently_is_a_black_hole(path: Row, version: str) -> None:
    path.narrow(1373)
    tool, protocol, kind = (
        ("iptables", "icmp", ("--icmp-type", "fragmentation-needed"))
        if version == "4"
        else ("ip6tables", "icmpv6", ("--icmpv6-type", "packet-too-big"))
    )
    rule = ("OUTPUT", "-p", protocol, *kind, "-j", "DROP")
    path.within(NAMES[1], tool, "-A", *rule)
    try:
        facts = observe(path, f"PathTarget({TARGET[version]!r}, 80, 'icmp', mtu=True)")["facts"]
    finally:
        path.within(NAMES[1], tool, "-D", *rule)
    assert (facts["mtu"], facts["mtu_black_hole"]) == (1373, True)


def test_without_permission_tcp_traces_say_so_and_icmp_uses_ping_sockets(path: Row) -> None:
    path.within(NAMES[0], "sysctl", "-qw", "net.ipv4.ping_group_range=0 65535")
    assert observe(path, f"PathTarget({TARGET['4']!r}, 80)", user=True)["reason"] == "not_permitted"
    ping = observe(path, f"IcmpTarget({TARGET['4']!r})", user=True)
    assert (ping["reason"], ping["facts"]["socket"], ping["rtt_source"]) == ("ok", "ping", "kernel")
    trace = observe(path, f"PathTarget({TARGET['4']!r}, 80, 'icmp')", user=True)
    assert [hop["addresses"] for hop in trace["facts"]["hops"]] == [[ROUTER["4"]], [TARGET["4"]]]


def test_a_ping_socket_goes_on_after_what_a_router_said(path: Row) -> None:
    """A "too big" is a pending error of the socket until its queue is read; it must not refuse the packet after it."""
    path.within(NAMES[0], "sysctl", "-qw", "net.ipv4.ping_group_range=0 65535")
    path.narrow(1400)
    code = (
        "import re, socket\n"
        "from pathlib import Path\n"
        "from meshkit.probes.io import Io\n"
        "rows = lambda: re.findall(r'^Icmp: (.*)', Path('/proc/net/snmp').read_text(), re.M)\n"
        "told = lambda: int(dict(zip(*(row.split() for row in rows())))['InDestUnreachs'])\n"
        "shared, before = Io().pings(socket.AF_INET, whole=True), told()\n"
        f"shared._socket.sendto(bytes([8]) + bytes(1471), ({TARGET['4']!r}, 0))\n"
        "while told() == before: pass\n"
        f"print(shared.kind, shared.send((socket.AF_INET, ({TARGET['4']!r}, 0)), 56).number)\n"
    )
    assert path.probe(code, user=True).split() == ["ping", "0"]
