"""The WAN between clusters does to packets what it was told, and only lets node addresses be reached."""

from __future__ import annotations

import re
import statistics
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from clusters import WAN, Lab, pod, web

from meshkit.lab import register, wan

pytestmark = pytest.mark.lab

RTT_MS = 70.0


@dataclass(frozen=True)
class Ping:
    """What ping reported: packets, round-trip times in milliseconds (0 when none came back), and its text.

    ``most`` is what nine of ten keep within: the last one is a busy machine's.
    """

    sent: int
    received: int
    shortest: float
    median: float
    most: float
    text: str


def ping(lab: Lab, *options: str) -> Ping:
    """Ping from the first cluster's node to the second's."""
    here, there = (register.find(name) for name in lab.names)
    enter = ["nsenter", f"--net=/run/netns/{here.namespace}", "--"]
    done = subprocess.run([*enter, "ping", *options, there.address], capture_output=True, text=True, check=False)
    counts = re.search(r"(\d+) packets transmitted, (\d+) received", done.stdout)
    assert counts, done.stdout + done.stderr
    times = [float(found) for found in re.findall(r"time=([\d.]+) ms", done.stdout)] or [0.0]
    # The lines are rounded to three digits; the summary is not.
    bounds = re.search(r"= ([\d.]+)/", done.stdout)
    shortest = float(bounds[1]) if bounds else 0.0
    most = sorted(times)[len(times) * 9 // 10]
    return Ping(int(counts[1]), int(counts[2]), shortest, statistics.median(times), most, done.stdout)


@pytest.fixture
def link(lab: Lab) -> Iterator[Callable[..., None]]:
    """Changes the link between the two clusters, and puts it back afterwards."""

    def change(*options: str) -> None:
        lab.meshkit("lab", "link", *lab.names, *options)

    yield change
    lab.meshkit("lab", "heal", *lab.names)
    change(*WAN)


def test_a_delay_of_35_ms_one_way_is_70_ms_there_and_back(lab: Lab) -> None:
    """Shortest and median round trip are within 1 ms of twice the delay.

    Three series at most, since the machine may be busy: that delays packets, and is not what is measured.
    """
    for _ in range(3):
        result = ping(lab, "-c", "50", "-i", "0.05")
        assert result.received == result.sent == 50
        assert RTT_MS <= result.shortest < RTT_MS + 1
        if result.median < RTT_MS + 1:
            break
    assert result.median < RTT_MS + 1


def test_a_changed_delay_is_in_force_at_once(lab: Lab, link: Callable[..., None]) -> None:
    """The first packet after the command has the new delay, as all that follow."""
    link("--delay", "80ms")
    assert 160 <= ping(lab, "-c", "10", "-i", "0.1").shortest < 161


def test_jitter_varies_the_delay_within_its_bounds(lab: Lab, link: Callable[..., None]) -> None:
    """With 10 ms of jitter each way, round trips spread, between 50 and 90 ms."""
    link("--jitter", "10ms")
    result = ping(lab, "-c", "50", "-i", "0.1")
    assert RTT_MS - 20 <= result.shortest < result.most < RTT_MS + 21
    assert result.most - result.shortest > 5


def test_loss_drops_its_share_of_packets(lab: Lab, link: Callable[..., None]) -> None:
    """Of 400 at 20% each way, 64% come back; the bounds are five standard deviations wide."""
    link("--loss", "20%", "--delay", "0ms")
    result = ping(lab, "-c", "400", "-i", "0.002", "-W", "0.2")
    assert 208 <= result.received <= 304


def test_a_packet_over_the_mtu_is_answered_with_what_would_pass(lab: Lab, link: Callable[..., None]) -> None:
    """1400 bytes pass; one more is refused by the router, which names the MTU (RFC 1191)."""
    link("--mtu", "1400")
    headers = 28
    assert ping(lab, "-c", "1", "-M", "do", "-s", str(1400 - headers)).received == 1
    refused = ping(lab, "-c", "1", "-M", "do", "-s", str(1401 - headers), "-W", "1")
    assert refused.received == 0
    assert re.search(r"[Ff]rag needed .*mtu = 1400", refused.text)


def test_nothing_passes_a_cut_link_until_it_is_healed(lab: Lab, link: Callable[..., None]) -> None:
    """Cut: no answer. Healed: answers, with the delay that was set before."""
    del link  # for its way back
    lab.meshkit("lab", "cut", *lab.names)
    assert ping(lab, "-c", "2", "-i", "0.2", "-W", "0.5").received == 0
    lab.meshkit("lab", "heal", *lab.names)
    assert ping(lab, "-c", "1").shortest >= RTT_MS


def test_a_one_way_cut_stops_that_direction_only(lab: Lab, link: Callable[..., None]) -> None:
    """Requests arrive and are answered, and the answers are lost: the counters tell the two ways apart."""
    del link  # for its way back
    here, there = lab.names
    lab.meshkit("lab", "cut", there, here, "--one-way")
    before = wan.statistics()
    assert ping(lab, "-c", "3", "-i", "0.2", "-W", "0.5").received == 0
    after = wan.statistics()
    assert after[here, there]["packets"] - before[here, there]["packets"] >= 3
    assert after[there, here]["cut"] - before[there, here]["cut"] >= 3


def test_pods_and_services_of_another_cluster_are_out_of_reach(lab: Lab, namespace: Callable[[str], str]) -> None:
    """As between clouds: only the node's address is routed. The same pod answers at home."""
    here, there = lab.names
    home, away = namespace(here), namespace(there)
    lab.apply(here, home, web())
    lab.apply(there, away, pod("client", "sleep 3600"))
    address = lab.get(here, "-n", home, "pod", "web")["status"]["podIP"]
    # timeout, and not wget -T, on which Debian's busybox 1.35 crashes
    fetch = ("timeout", "2", "wget", "-qO-", f"http://{address}:8080/")
    assert lab.kubectl(here, "-n", home, "exec", "web", "--", *fetch) == "hello\n"
    assert lab.kubectl(there, "-n", away, "exec", "client", "--", *fetch, check=False) == ""
