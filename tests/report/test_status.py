"""Status as scripts and people read it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from fakes.clock import START
from meshkit.cli import console
from meshkit.model import (
    CertificateState,
    ConsulState,
    DatacenterState,
    FederationState,
    GatewayState,
    LinkState,
    ServerState,
)
from meshkit.report import status

END = START + timedelta(days=300)
SERVERS = (
    ServerState("consul-server-0", "10.42.0.9", healthy=True),
    ServerState("consul-server-1", "10.42.0.10", healthy=True),
)
CONSUL = ConsulState("10.42.0.10:8300", {}, frozenset(), "", "local", default_deny=True, catalogs={})
AKS = DatacenterState(
    "aks",
    "aks-admin",
    primary=True,
    version="v1.34.4",
    servers=SERVERS,
    gateway=GatewayState("203.0.113.1", 443, 2, 2),
    certificates=(CertificateState("meshkit-server-cert", START, END, "ab" * 32),),
    consul=CONSUL,
)
EKS = DatacenterState("eks", "arn:aws:eks:eu-west-1:1:cluster/prod", primary=False, error="eks: no answer")
WELL = FederationState("mesh", START, (AKS,), ())
BROKEN = FederationState(
    "mesh",
    START,
    (replace(AKS, drift=("secret meshkit-gossip: missing or changed",)), EKS),
    (LinkState("aks", "eks", healthy=False, reason="eks: no answer"), LinkState("eks", "aks", healthy=True)),
)


def test_what_scripts_rely_on() -> None:
    """At least these keys are there, whatever is wrong, and the whole is JSON."""
    found = json.loads(json.dumps(status.as_json(BROKEN)))
    assert found.keys() >= {"federation", "healthy", "datacenters", "links"}
    assert found["healthy"] is False
    for dc in found["datacenters"]:
        assert dc.keys() >= {"name", "context", "primary", "servers", "gateway", "certificates"}
        assert "address" in dc["gateway"]
    assert found["datacenters"][0]["certificates"][0]["not_after"] == "2026-10-28T12:00:00Z"
    assert found["links"][0] == {"from": "aks", "to": "eks", "healthy": False, "reason": "eks: no answer"}


@pytest.mark.parametrize(
    ("change", "healthy"),
    [
        pytest.param({}, True, id="all is well"),
        pytest.param({"error": "no answer"}, False, id="a cluster that does not answer"),
        pytest.param({"consul": None}, False, id="servers that do not answer"),
        pytest.param({"consul": replace(CONSUL, leader="")}, False, id="no leader"),
        pytest.param({"servers": ()}, False, id="no server"),
        pytest.param({"servers": (replace(SERVERS[0], healthy=False),)}, False, id="a server that is not ready"),
        pytest.param({"gateway": GatewayState("x", 443, 1, 2)}, False, id="a gateway that is not ready"),
        pytest.param({"gateway": GatewayState("x", 443, 0, 0)}, False, id="no gateway"),
        pytest.param({"drift": ("x",)}, True, id="drift alone does not make it unhealthy"),
    ],
)
def test_healthy(change: dict[str, object], *, healthy: bool) -> None:
    """Healthy means that every part of every datacenter is."""
    assert status.as_json(replace(WELL, datacenters=(replace(AKS, **change),)))["healthy"] is healthy


@pytest.mark.parametrize(
    ("leader", "expected"),
    [
        pytest.param("10.42.0.10:8300", [False, True], id="by its pod's address"),
        pytest.param("[fd00::1]:8300", [False, False], id="an address of none of them"),
        pytest.param("", [False, False], id="no leader"),
    ],
)
def test_leader(leader: str, expected: list[bool]) -> None:
    """The leader is told by name."""
    state = replace(WELL, datacenters=(replace(AKS, consul=replace(CONSUL, leader=leader)),))
    assert [s["leader"] for s in status.as_json(state)["datacenters"][0]["servers"]] == expected


def test_leader_with_an_ipv6_address() -> None:
    """An IPv6 address stands in brackets."""
    servers = (ServerState("consul-server-0", "fd00::1", healthy=True),)
    dc = replace(AKS, servers=servers, consul=replace(CONSUL, leader="[fd00::1]:8300"))
    assert status.as_json(replace(WELL, datacenters=(dc,)))["datacenters"][0]["servers"][0]["leader"] is True


@pytest.mark.parametrize(("name", "state"), [("status-well.txt", WELL), ("status-broken.txt", BROKEN)])
def test_as_printed(
    golden: Callable[[str, str], None], capsys: pytest.CaptureFixture[str], name: str, state: FederationState
) -> None:
    """Tables and remarks as they are printed."""
    for table in status.as_tables(state):
        console.print_table(*table)
    print("\n".join(status.remarks(state)))  # noqa: T201 - what the command prints
    golden(name, capsys.readouterr().out)
