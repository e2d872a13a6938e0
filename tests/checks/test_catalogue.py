"""Each check of the catalogue passes where its fact holds, fails where it does not, and never guesses."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from fakes.clock import START
from meshkit.checks import check
from meshkit.checks.catalogue import CATALOGUE, CONVERGENCE
from meshkit.consul.names import SERVER_CERT
from meshkit.model import CertificateState, FederationState, GatewayState, LinkState, ServerState

FACTS = {c.fact: c for c in CATALOGUE}


def with_eks(state: FederationState, **changes: Any) -> FederationState:
    """The federation with another eks."""
    aks, eks = state.datacenters
    return replace(state, datacenters=(aks, replace(eks, **changes)))


def with_consul(state: FederationState, **changes: Any) -> FederationState:
    """The federation with other answers from the servers of eks."""
    consul = state.datacenters[1].consul
    assert consul
    return with_eks(state, consul=replace(consul, **changes))


def with_certificate(state: FederationState, place: int, **changes: Any) -> FederationState:
    """The federation with another certificate in eks: 0 is the CA, 1 the server's."""
    certificates = list(state.datacenters[1].certificates)
    certificates[place] = replace(certificates[place], **changes)
    return with_eks(state, certificates=tuple(certificates))


def verdict(state: FederationState, fact: str) -> tuple[str, str]:
    (result,) = check.run(state, [FACTS[fact]])
    return result.verdict, result.detail


def test_all_pass_when_all_is_well(healthy: FederationState) -> None:
    """Nothing is found wrong with a healthy federation, and what passes has neither detail nor hint."""
    results = check.run(healthy, CATALOGUE)
    assert {(r.verdict, r.detail, r.hint) for r in results} == {("pass", "", "")}
    assert len(results) == len(FACTS) == len(CATALOGUE)


BROKEN = {
    "every API server answers": (lambda s: with_eks(s, error="eks: no answer"), "fail", "eks: no answer"),
    "clocks agree to within 30 s": (lambda s: with_eks(s, skew_s=31.0), "fail", "aks is 31 s behind eks"),
    "what is installed is what is described": (
        lambda s: with_eks(s, drift=("secret x: missing",)),
        "warn",
        "eks: secret x: missing",
    ),
    "every datacenter has its certificates": (
        lambda s: with_eks(s, certificates=s.datacenters[1].certificates[:1]),
        "fail",
        "eks: meshkit-server-cert is missing",
    ),
    "all datacenters trust the same CA": (
        lambda s: with_certificate(s, 0, fingerprint="f" * 64),
        "fail",
        "aks has cacacacacacacaca, eks has ffffffffffffffff",
    ),
    "server certificates are signed by the CA": (
        lambda s: with_certificate(s, 1, faults=("it is not signed by the federation's CA",)),
        "fail",
        "eks: meshkit-server-cert: it is not signed by the federation's CA",
    ),
    "certificates have a third of their lifetime left": (
        lambda s: with_certificate(s, 1, not_before=START - timedelta(days=7), not_after=START + timedelta(days=3)),
        "warn",
        "eks: meshkit-server-cert ends on 2026-01-04 12:00 UTC",
    ),
    "Consul servers are ready": (
        lambda s: with_eks(s, servers=(ServerState("consul-server-0", "", healthy=False),)),
        "fail",
        "eks: consul-server-0 is not ready",
    ),
    "Consul servers answer": (
        lambda s: with_eks(s, consul=None, consul_error="eks: refused"),
        "fail",
        "eks: refused",
    ),
    "every datacenter has a leader": (lambda s: with_consul(s, leader=""), "fail", "eks: no leader"),
    "mesh gateways have a public address": (
        lambda s: with_eks(s, gateway=GatewayState("", 443, 1, 1)),
        "fail",
        "eks: no address",
    ),
    "names of mesh gateways resolve": (
        lambda s: with_eks(s, gateway=GatewayState("eks.example.com", 443, 1, 1)),
        "warn",
        "eks: eks.example.com does not resolve here",
    ),
    "mesh gateways are announced at their present address": (
        lambda s: with_eks(s, gateway=GatewayState("203.0.113.9", 443, 1, 1, resolved=("203.0.113.9",))),
        "fail",
        "eks: eks.example.com:443 is announced, the load balancer has 203.0.113.9:443",
    ),
    "mesh gateways are ready": (
        lambda s: with_eks(s, gateway=GatewayState("x", 443, 1, 2)),
        "fail",
        "eks: 1 of 2 ready",
    ),
    "every datacenter knows every mesh gateway": (
        lambda s: with_consul(s, gateways=frozenset({"eks"})),
        "fail",
        "eks does not know the gateways of aks",
    ),
    "all servers are alive WAN members everywhere": (
        lambda s: with_consul(s, wan={"consul-server-0.eks": "failed"}),
        "fail",
        "eks does not know consul-server-0.aks; eks sees consul-server-0.eks as failed",
    ),
    "servers are known by their present addresses": (
        lambda s: with_consul(
            s, wan_addresses={"consul-server-0.aks": "10.42.0.5", "consul-server-0.eks": "10.42.0.9"}
        ),
        "fail",
        "eks knows consul-server-0.aks at 10.42.0.5, it is at 10.42.0.9",
    ),
    "every datacenter sees the others' servers healthy": (
        lambda s: replace(s, links=(LinkState("aks", "eks", healthy=False, reason="no path"),)),
        "fail",
        "aks to eks: no path",
    ),
    "services are found across datacenters": (
        lambda s: with_consul(s, catalogs={"eks": frozenset({"mesh-probe-eks"})}),
        "fail",
        "eks does not find mesh-probe-aks in the catalog of aks",
    ),
    "ACL tokens are copied from the primary": (
        lambda s: with_consul(s, replication="ACL replication is not running"),
        "fail",
        "eks: ACL replication is not running",
    ),
    "proxies use their own mesh gateway": (lambda s: with_consul(s, gateway_mode=""), "fail", "eks has mode unset"),
    "what no intention allows is denied": (
        lambda s: with_consul(s, default_deny=False),
        "fail",
        "eks has no intention that denies * to *",
    ),
}


def test_every_check_has_a_row() -> None:
    """A check that is added without a row here is untested."""
    assert BROKEN.keys() == FACTS.keys()


@pytest.mark.parametrize("fact", list(BROKEN))
def test_fails_where_its_fact_does_not_hold(healthy: FederationState, fact: str) -> None:
    """The detail names the datacenter and what was seen, and there is a hint."""
    spoil, expected, detail = BROKEN[fact]
    (result,) = check.run(spoil(healthy), [FACTS[fact]])
    assert (result.verdict, result.detail) == (expected, detail)
    assert result.hint
    assert "{" not in result.hint


LOOK = check.Check("x", "x", "{kubectl} get pods", lambda _: [])


@pytest.mark.parametrize(
    ("named", "context", "hint"),
    [
        pytest.param(["eks"], "prod", "kubectl --context prod -n mesh get pods", id="the datacenter that fails"),
        pytest.param(["eks", "aks"], "prod", "kubectl --context prod -n mesh get pods", id="the first of two"),
        pytest.param(["", "eks"], "prod", "kubectl --context prod -n mesh get pods", id="the first that is known"),
        pytest.param(["eks"], "a b", "kubectl --context 'a b' -n mesh get pods", id="a context with a blank"),
        pytest.param([""], "prod", "kubectl --context CONTEXT -n NAMESPACE get pods", id="none in particular"),
    ],
)
def test_a_hint_can_be_pasted(healthy: FederationState, named: list[str], context: str, hint: str) -> None:
    """It names the context and namespace of the first datacenter that something was found in."""
    state = with_eks(healthy, context=context, namespace="mesh")
    findings = [check.Finding(name, "broken") for name in named]
    (result,) = check.run(state, [replace(LOOK, judge=lambda _: findings)])
    assert result.hint == hint


def test_a_missing_service_is_looked_for_where_it_runs(healthy: FederationState) -> None:
    """What eks does not find of aks is registered by a pod of aks."""
    spoil, _, _ = BROKEN["services are found across datacenters"]
    (result,) = check.run(spoil(healthy), [FACTS["services are found across datacenters"]])
    assert result.hint == "kubectl --context aks-context -n consul logs -l app=mesh-probe -c register"


@pytest.mark.parametrize("fact", [f for f in FACTS if f != "every API server answers"])
def test_a_cluster_out_of_sight_never_passes(healthy: FederationState, fact: str) -> None:
    """What could not be looked at in one datacenter is skipped, and says where."""
    unseen = with_eks(healthy, error="eks: no answer", consul=None, servers=(), certificates=(), gateway=GatewayState())
    assert verdict(unseen, fact) in [
        ("skip", "could not be looked at in eks"),
        *[("fail", "aks does not know consul-server-0.eks")],
    ]


@pytest.mark.parametrize("fact", [f for f, c in FACTS.items() if c.needs == "consul"])
def test_servers_out_of_sight_never_pass(healthy: FederationState, fact: str) -> None:
    """What only the servers can tell is skipped while they do not answer."""
    assert verdict(with_eks(healthy, consul=None, consul_error="eks: refused"), fact)[0] in ("skip", "fail")


def test_a_failure_is_not_hidden_by_what_is_out_of_sight(healthy: FederationState) -> None:
    """A violation that was seen is a failure, though another datacenter was not seen."""
    aks, eks = healthy.datacenters
    unseen = replace(eks, consul=None, error="eks: no answer")
    assert aks.consul
    broken = replace(aks, consul=replace(aks.consul, leader=""))
    state = replace(healthy, datacenters=(broken, unseen))
    assert verdict(state, "every datacenter has a leader") == ("fail", "aks: no leader")


def test_a_gateway_that_goes_is_no_fault(healthy: FederationState) -> None:
    """While one rolls out, the old and the new address are announced side by side."""
    both = frozenset({"203.0.113.9:443", "eks.example.com:443"})
    seen = with_consul(healthy, announced={"eks": both})
    assert verdict(seen, "mesh gateways are announced at their present address")[0] == "pass"


@pytest.mark.parametrize(
    ("gateway", "passes"),
    [
        pytest.param(GatewayState("x", 443, 2, 2), True, id="all of two"),
        pytest.param(GatewayState("x", 443, 0, 0), False, id="none wanted, none there"),
    ],
)
def test_gateways_ready(healthy: FederationState, gateway: GatewayState, *, passes: bool) -> None:
    """A gateway scaled to nothing is not ready."""
    assert (verdict(with_eks(healthy, gateway=gateway), "mesh gateways are ready")[0] == "pass") is passes


def test_members_that_left_do_not_matter(healthy: FederationState) -> None:
    """A member of a datacenter that is no more in the federation is nobody's failure."""
    consul = healthy.datacenters[1].consul
    assert consul
    state = with_consul(healthy, wan={**consul.wan, "consul-server-0.gke": "left"})
    assert verdict(state, "all servers are alive WAN members everywhere") == ("pass", "")


def test_an_address_that_is_advertised_in_the_place_of_a_pods(healthy: FederationState) -> None:
    """It outlives the pod, and is the same for all."""
    advertised = {"consul-server-0.aks": "10.43.0.1", "consul-server-0.eks": "10.43.0.2"}
    seen = tuple(
        replace(dc, consul=replace(dc.consul, wan_addresses=advertised)) for dc in healthy.datacenters if dc.consul
    )
    state = replace(healthy, datacenters=seen)
    assert verdict(state, "servers are known by their present addresses") == ("pass", "")


def test_exactly_a_third_left(healthy: FederationState) -> None:
    """A third of the lifetime is enough."""
    name = "certificates have a third of their lifetime left"
    enough = CertificateState(SERVER_CERT, START - timedelta(days=2), START + timedelta(days=1, seconds=1), "f")
    assert verdict(with_eks(healthy, certificates=(enough,)), name)[0] == "pass"


def test_convergence_is_part_of_the_catalogue() -> None:
    """What federate waits for is what check judges, less what time does not bring about."""
    assert [c for c in CATALOGUE if c in CONVERGENCE] == list(CONVERGENCE)
    assert {c.category for c in CATALOGUE} - {c.category for c in CONVERGENCE} == {"clusters", "trust"}
