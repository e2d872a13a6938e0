"""A federation as it is seen when all is well; tests change what they are about."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fakes.clock import START
from meshkit.consul.names import CA, SERVER_CERT
from meshkit.model import (
    CertificateState,
    ConsulState,
    DatacenterState,
    FederationState,
    GatewayState,
    LinkState,
    ServerState,
)

NAMES = ("aks", "eks")
YEAR = timedelta(days=365)


def datacenter(name: str) -> DatacenterState:
    """One datacenter that has all its parts."""
    validity = (START - YEAR / 10, START + YEAR * 0.9)
    return DatacenterState(
        name,
        f"{name}-context",
        primary=name == "aks",
        version="v1.34.4",
        servers=(ServerState("consul-server-0", "10.42.0.9", healthy=True),),
        gateway=GatewayState(f"{name}.example.com", 443, 1, 1, resolved=("203.0.113.1",)),
        certificates=(CertificateState(CA, *validity, "ca" * 32), CertificateState(SERVER_CERT, *validity, name * 20)),
        consul=ConsulState(
            leader="10.42.0.9:8300",
            wan={f"consul-server-0.{other}": "alive" for other in NAMES},
            gateways=frozenset(NAMES),
            replication="",
            gateway_mode="local",
            default_deny=True,
            catalogs={other: frozenset({"consul", f"mesh-probe-{other}"}) for other in NAMES},
            wan_addresses={f"consul-server-0.{other}": "10.42.0.9" for other in NAMES},
            announced={other: frozenset({f"{other}.example.com:443"}) for other in NAMES},
        ),
    )


@pytest.fixture
def healthy() -> FederationState:
    """Two datacenters, everything as it should be."""
    links = (LinkState("aks", "eks", healthy=True), LinkState("eks", "aks", healthy=True))
    return FederationState("mesh", START, tuple(datacenter(name) for name in NAMES), links)
