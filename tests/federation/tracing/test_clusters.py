"""What a cluster says of its pods, and the kernel of their sockets (/proc/net/tcp and tcp6, little-endian)."""

from __future__ import annotations

from typing import Any

import pytest

from meshkit.federation.tracing import clusters
from meshkit.federation.tracing.clusters import parsed

QUOTA = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: pods=3"}
HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("0100007F:1F90", ("127.0.0.1", 8080)),
        ("00000000:0050", ("0.0.0.0", 80)),  # noqa: S104 - what others listen on
        ("0600990A:4E20", ("10.153.0.6", 20000)),
        ("00000000000000000000000000000000:1F90", ("0.0.0.0", 8080)),  # noqa: S104 - what others listen on
        ("00000000000000000000000001000000:1F90", ("127.0.0.1", 8080)),
        ("0000000000000000FFFF00000600990A:1F90", ("10.153.0.6", 8080)),
        ("B80D0120000000000000000001000000:1F90", ("2001:db8:0:0:0:0:0:1", 8080)),
    ],
)
def test_addresses(address: str, expected: tuple[str, int]) -> None:
    """IPv4 within IPv6 is IPv4, and IPv6's loopback counts as loopback."""
    row = f"   0: {address} 00000000:0000 0A 00000000:00000000 00:00000000 00000000  100"
    assert parsed([HEAD, row])[0] == {expected}


@pytest.mark.parametrize(
    ("state", "resent", "fresh"), [("03", 0, True), ("03", 2, True), ("03", 4, False), ("01", 0, False)]
)
def test_half_open_connections(state: str, resent: int, fresh: bool) -> None:  # noqa: FBT001 - a column of the table
    """Attempts of the last seconds whose answer was lost; older ones and whole connections do not count."""
    row = f"   1: 0600990A:20FB 0104630A:9C40 {state} 00000000:00000000 01:00000062 {resent:08x}     0"
    assert parsed([HEAD, row])[1] == fresh


@pytest.mark.parametrize("line", ["", "cat: /proc/net/tcp6: No such file", "1: x", HEAD])
def test_what_is_no_row_is_left_out(line: str) -> None:
    """A kernel without IPv6 has one table."""
    assert parsed([line]) == (frozenset(), 0)


@pytest.mark.parametrize(
    ("workload", "why"),
    [
        (None, ""),
        ({"status": {}}, ""),
        ({"status": {"conditions": [QUOTA | {"status": "False"}]}}, ""),
        ({"status": {"conditions": [QUOTA]}}, "exceeded quota: pods=3"),
    ],
)
def test_why_a_deployment_has_no_pods(workload: dict[str, Any] | None, why: str) -> None:
    """By its own condition: a quota, a webhook, a missing service account."""
    assert clusters._trouble(workload) == why


def test_a_pod_that_no_node_takes_says_why() -> None:
    """The scheduler's own words."""
    condition = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}
    found = {"metadata": {"name": "gateway", "namespace": "consul"}, "status": {"conditions": [condition]}}

    assert clusters.pod(found).troubles == ("not scheduled: 0/1 nodes are available",)
