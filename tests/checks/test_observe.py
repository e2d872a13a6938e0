"""Observe: one look that raises nothing, and says of each part why it could not be seen."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.consul import FakeConsul
from fakes.federation import FakeFederation
from meshkit.backends.base import Ref
from meshkit.checks.observe import observe
from meshkit.checks.observe_consul import _replication, unhealthy
from meshkit.errors import MeshkitError
from meshkit.federation import runner
from meshkit.federation.drift import drift
from meshkit.model import Datacenter, DatacenterState, ServerState


@pytest.fixture
def mesh() -> FakeFederation:
    """A federation that works."""
    made = FakeFederation()
    runner.run(made.context())
    return made


def test_healthy(mesh: FakeFederation) -> None:
    """What a federation that works looks like."""
    context = mesh.context()
    seen = observe(context, lambda dc: drift(context, dc))
    assert seen.healthy
    assert [dc.gateway.address for dc in seen.datacenters] == ["203.0.113.1", "203.0.113.2"]
    assert [[c.name for c in dc.certificates] for dc in seen.datacenters] == [["meshkit-ca", "meshkit-server-cert"]] * 2
    assert {(link.source, link.target, link.healthy) for link in seen.links} == {
        ("aks", "eks", True),
        ("eks", "aks", True),
    }


def test_unreachable_cluster(mesh: FakeFederation) -> None:
    """Its error is part of the answer, and the other cluster is seen all the same."""
    mesh.clusters["eks"].faults.unreachable = True
    seen = observe(mesh.context())
    aks, eks = seen.datacenters
    assert not seen.healthy
    assert (aks.error, eks.error) == ("", "eks: the API server cannot be reached")
    assert aks.consul
    assert {link.reason for link in seen.links} == {"eks: the API server cannot be reached"}


def test_drift_that_can_not_be_told(mesh: FakeFederation) -> None:
    """A cluster that answers is seen although another one does not."""
    mesh.clusters["eks"].faults.unreachable = True
    context = mesh.context()
    assert observe(context, lambda dc: drift(context, dc)).datacenters[0].error == ""


def test_helm_away(mesh: FakeFederation) -> None:
    """A comparison that fails is said as such, and the cluster is up all the same."""

    def no_helm(dc: Datacenter) -> tuple[str, ...]:
        raise MeshkitError(f"{dc.name}: helm did not answer within 60 s", hint="try again")

    seen = observe(mesh.context(), no_helm)
    assert seen.healthy
    assert [dc.error for dc in seen.datacenters] == ["", ""]
    assert [dc.drift for dc in seen.datacenters] == [
        (f"can't be compared with its description: {name}: helm did not answer within 60 s",) for name in ("aks", "eks")
    ]


def test_where_it_was_seen(mesh: FakeFederation) -> None:
    """Context and namespace are part of what is seen, so that hints can name them."""
    assert [(dc.context, dc.namespace) for dc in observe(mesh.context()).datacenters] == [
        (dc.context, dc.namespace) for dc in mesh.context().federation.datacenters
    ]


def test_servers_away(mesh: FakeFederation) -> None:
    """Servers that are down leave the rest of the cluster visible."""
    mesh.clusters["eks"].remove(Ref("StatefulSet", "consul-server", "consul"))
    eks = observe(mesh.context()).datacenters[1]
    assert eks.error == ""
    assert eks.consul is None
    assert eks.consul_error == "eks: the Consul server did not answer"
    assert eks.certificates


def test_cut_link(mesh: FakeFederation) -> None:
    """Both directions of a cut link are broken, and both clusters are well by themselves."""
    mesh.wan.cut("aks", "eks")
    seen = observe(mesh.context())
    assert not seen.healthy
    assert [link.healthy for link in seen.links] == [False, False]
    assert all(link.reason for link in seen.links)
    assert not any(dc.error or dc.consul_error for dc in seen.datacenters)


@pytest.mark.parametrize(
    "data",
    [pytest.param({}, id="no certificate"), pytest.param({"tls.crt": "%"}, id="no base64")],
)
def test_damaged_secret(mesh: FakeFederation, data: dict[str, str]) -> None:
    """A Secret without a certificate counts as none."""
    found = mesh.clusters["eks"].find(Ref("Secret", "meshkit-server-cert", "consul"))
    assert found
    mesh.clusters["eks"].put(found | {"data": data})
    assert [c.name for c in observe(mesh.context()).datacenters[1].certificates] == ["meshkit-ca"]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        pytest.param({"Enabled": False}, "ACL replication is off", id="off"),
        pytest.param({"Enabled": True, "Running": False}, "ACL replication is not running", id="not running"),
        pytest.param(
            {
                "Enabled": True,
                "Running": True,
                "LastError": "2026-01-02T00:00:00Z",
                "LastSuccess": "2026-01-01T00:00:00Z",
                "LastErrorMessage": "no path",
            },
            "ACL replication fails: no path",
            id="failing since the last success",
        ),
        pytest.param(
            {"Enabled": True, "Running": True, "LastSuccess": "2026-01-01T00:00:00Z", "ReplicatedTokenIndex": 0},
            "ACL tokens have not been copied yet",
            id="running, but without tokens",
        ),
        pytest.param(
            {
                "Enabled": True,
                "Running": True,
                "LastError": "2026-01-01T00:00:00Z",
                "LastSuccess": "2026-01-02T00:00:00Z",
                "ReplicatedTokenIndex": 7,
            },
            "",
            id="mended since the last failure",
        ),
    ],
)
def test_replication(status: dict[str, Any], reason: str) -> None:
    """Why ACLs are not copied, from what the servers say."""
    assert _replication(status) == reason


@pytest.mark.parametrize(
    ("servers", "checks", "reason"),
    [
        pytest.param((), [], "eks has no server", id="no server"),
        pytest.param(("consul-server-0",), [], "consul-server-0 is not registered", id="a server nobody knows"),
        pytest.param(
            ("consul-server-0",),
            [{"Name": "Serf Health Status", "Status": "critical"}],
            "consul-server-0: Serf Health Status is critical",
            id="a failing check",
        ),
        pytest.param(("consul-server-0",), [{"Name": "x", "Status": "passing"}], "", id="a passing check"),
    ],
)
def test_unhealthy(
    mesh: FakeFederation,
    monkeypatch: pytest.MonkeyPatch,
    servers: tuple[str, ...],
    checks: list[dict[str, str]],
    reason: str,
) -> None:
    """Why a target's servers are not healthy as seen from another datacenter."""
    monkeypatch.setattr(FakeConsul, "node_checks", lambda *_: checks)
    states = tuple(ServerState(name, "", healthy=True) for name in servers)
    target = DatacenterState("eks", "eks", primary=False, servers=states)
    assert unhealthy(mesh.context().consul("aks"), target) == reason
