"""The whole federation is examined: healthy, with a service that ails, and with a cluster that is away."""

from __future__ import annotations

from typing import Any

import pytest

from federation.tracing.conftest import Shop
from meshkit.federation.tracing.doctor import examine
from meshkit.trace.ailments import Examination


def examined(shop: Shop) -> Examination:
    """What a doctor finds."""
    return examine(shop.mesh.context())


def codes(found: Examination, weight: str = "breaks") -> set[tuple[str, str]]:
    """Codes and datacenters of a weight."""
    return {(ailment.code, ailment.datacenter) for ailment in found.ailments if ailment.weight == weight}


def sidecar(shop: Shop, datacenter: str, service: str) -> dict[str, Any]:
    """The catalog's entry of a sidecar, as it is held."""
    return shop.mesh.wan.store(datacenter).health[service, True][0]


def test_every_pair_is_traced_between_the_probes(shop: Shop) -> None:
    """In both directions."""
    found = examined(shop)

    assert set(found.looked_at) == {
        "aks/mesh-probe-aks to eks/mesh-probe-eks",
        "eks/mesh-probe-eks to aks/mesh-probe-aks",
    }
    assert found.federation == "mesh"


def test_a_service_of_which_every_instance_is_critical(shop: Shop) -> None:
    """By its entries alone; no request is sent to it."""
    check = {"Name": "app answers", "Status": "critical", "Output": "refused"}
    shop.mesh.wan.store("aks").health["backend", False][0]["Checks"] = [check]

    assert ("health_critical", "aks") in codes(examined(shop))
    assert shop.cluster("aks").loopback.sent == []


def test_a_sidecar_whose_pod_is_gone(shop: Shop) -> None:
    """Its address belongs to nobody."""
    sidecar(shop, "aks", "backend")["Service"]["Address"] = "10.25.0.99"

    assert ("sidecar_address_stale", "aks") in codes(examined(shop))


def test_an_upstream_that_leads_to_nobody(shop: Shop) -> None:
    """The source's datacenter is named, and the path."""
    sidecar(shop, "eks", "frontend")["Service"]["Proxy"]["Upstreams"][0]["DestinationName"] = "gone"
    found = examined(shop)

    assert ("destination_not_registered", "eks") in codes(found)
    assert "eks/frontend-proxy to aks/gone" in {path for ailment in found.ailments for path in ailment.paths}


def test_an_upstream_in_a_datacenter_that_is_not(shop: Shop) -> None:
    """Its name was written wrongly."""
    sidecar(shop, "eks", "frontend")["Service"]["Proxy"]["Upstreams"][0]["Datacenter"] = "akz"
    found = examined(shop)

    assert any("no datacenter is called akz" in ailment.text for ailment in found.ailments)


@pytest.mark.parametrize("kind", [{"DestinationPeer": "partner"}, {"DestinationType": "prepared_query"}])
def test_an_upstream_that_is_no_service_of_a_datacenter(shop: Shop, kind: dict[str, str]) -> None:
    """A peer's or a prepared query's is not looked for in the catalog."""
    upstreams = sidecar(shop, "eks", "frontend")["Service"]["Proxy"]["Upstreams"]
    upstreams.append({"DestinationName": "elsewhere", "LocalBindPort": 9001} | kind)

    assert [ailment.text for ailment in examined(shop).ailments if "elsewhere" in ailment.text] == []


def test_a_cluster_that_is_away(shop: Shop) -> None:
    """Its API server is named once, by the cause and not by the check as well; the rest is examined."""
    shop.cluster("aks").faults.unreachable = True
    found = examined(shop)

    assert ("cluster_unreachable", "aks") in codes(found, "note")
    assert "every API server answers" not in " ".join(ailment.fact for ailment in found.ailments)
    assert any("cannot be reached" in why for _, why in found.unseen)
    assert len(found.looked_at) == 2
