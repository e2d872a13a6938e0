"""The life of a federation with the official chart, on two real clusters; each test is a part of it, in this order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hashicorp import apps
from hashicorp.byhand import MOST_RATIO
from hashicorp.pair import DATACENTERS, NAMESPACE, PRIMARY, SECONDARY, Official, settles

from meshkit.consul.names import TOKENS

pytestmark = [pytest.mark.official, pytest.mark.slow]

GATEWAY = "deployment/consul-mesh-gateway"


def management(official: Official) -> str:
    """The management token, which the primary's cluster holds."""
    return official.secret(official.contexts[PRIMARY], TOKENS["bootstrap"], "token")


def trace(official: Official) -> dict[str, Any]:
    """From the client to the web server."""
    words = ("trace", f"{PRIMARY}/{apps.CLIENT}", f"{SECONDARY}/{apps.WEB}", "--output", "json")
    return dict(json.loads(official.meshkit(*words, check=False).stdout))


def test_federate_takes_at_most_a_tenth_longer_than_by_hand(by_hand: float, federated: dict[str, float]) -> None:
    """By hand as quick as is known: both at once, every secret made beforehand, no trap stepped into."""
    assert sum(federated.values()) <= MOST_RATIO * by_hand, federated


@pytest.mark.usefixtures("federated")
def test_members_are_alive_both_ways(official: Official) -> None:
    """Each server sees itself and the other's, and reads the other's catalog."""
    token = management(official)
    official.see_each_other(token)
    for here, there in (DATACENTERS, DATACENTERS[::-1]):
        assert "consul" in official.consul(here, f"/v1/catalog/services?dc={there}", token)


@pytest.mark.usefixtures("federated")
def test_proxy_defaults_are_a_synced_resource_of_the_primary_alone(official: Official) -> None:
    """And in force in both datacenters."""
    token = management(official)
    for datacenter in DATACENTERS:
        found = official.get(official.contexts[datacenter], "-A", "proxydefaults")["items"]
        conditions = [c for item in found for c in item["status"]["conditions"] if c["type"] == "Synced"]
        assert [c["status"] for c in conditions] == (["True"] if datacenter == PRIMARY else [])
        settles(
            lambda dc=datacenter: (
                official.consul(dc, "/v1/config/proxy-defaults/global", token)["MeshGateway"]["Mode"] == "local"
            ),
            f"proxy-defaults in {datacenter}",
        )


@pytest.mark.usefixtures("federated")
def test_every_check_passes(official: Official) -> None:
    """As meshkit sees it."""
    assert official.complaints() == []


@pytest.mark.usefixtures("shop")
def test_an_injected_application_reaches_the_other_datacenter_once_it_may(official: Official) -> None:
    """Refused before meshkit allow, answered after it, refused again after meshkit deny."""
    assert {name: "consul-dataplane" in held for name, held in apps.sidecars(official).items()} == {
        apps.CLIENT: True,
        apps.WEB: True,
    }
    assert not apps.reaches(official)
    official.meshkit("allow", apps.CLIENT, apps.WEB)
    settles(lambda: apps.reaches(official), "an answer from the other datacenter")
    official.meshkit("deny", apps.CLIENT, apps.WEB)
    settles(lambda: not apps.reaches(official), "a refusal")


@pytest.mark.usefixtures("federated")
def test_every_rung_of_the_matrix_passes_both_ways(official: Official) -> None:
    """From the network to a stream through the mesh."""
    outcome = json.loads(official.meshkit("probe", "matrix", "--output", "json").stdout)
    ladders = {(ladder["from"], ladder["to"]): ladder for ladder in outcome["ladders"]}
    assert set(ladders) == {DATACENTERS, DATACENTERS[::-1]}
    for ladder in ladders.values():
        assert ladder["broken"] == ""
        assert set(ladder["rungs"].values()) == {True}, ladder
    assert outcome["holds"]


@pytest.mark.usefixtures("shop")
def test_a_trace_between_injected_applications_is_healthy(official: Official) -> None:
    """Every hop, each sidecar's included."""
    official.meshkit("allow", apps.CLIENT, apps.WEB)
    settles(lambda: apps.reaches(official), "an answer from the other datacenter")
    seen = trace(official)
    assert (seen["verdict"], seen["cause"]) == ("healthy", None), seen


@pytest.mark.usefixtures("shop")
def test_a_trace_names_the_gateway_that_is_gone(official: Official) -> None:
    """And is healthy again once it is back."""
    there = ("-n", NAMESPACE)
    official.meshkit("allow", apps.CLIENT, apps.WEB)
    official.kubectl(official.contexts[SECONDARY], *there, "scale", GATEWAY, "--replicas=0")
    try:
        settles(lambda: not apps.reaches(official), "no answer")
        seen = trace(official)
    finally:
        official.kubectl(official.contexts[SECONDARY], *there, "scale", GATEWAY, "--replicas=1")
        official.kubectl(official.contexts[SECONDARY], *there, "rollout", "status", GATEWAY, "--timeout=180s")
    assert seen["verdict"] == "broken"
    assert seen["cause"]["datacenter"] == SECONDARY, seen
    assert "gateway" in seen["first_broken"], seen
    settles(lambda: apps.reaches(official), "an answer from the other datacenter")


@pytest.mark.usefixtures("federated")
def test_federate_again_changes_nothing(official: Official) -> None:
    """What is as described is left alone."""
    assert official.changes_again() == []


@pytest.mark.usefixtures("federated")
def test_a_restart_of_the_primarys_server_is_survived(official: Official) -> None:
    """By an eviction, say: nobody runs meshkit afterwards."""
    primary, token = official.contexts[PRIMARY], management(official)
    official.kubectl(primary, "-n", NAMESPACE, "delete", "pod", "consul-server-0")
    official.see_each_other(token)


@pytest.mark.usefixtures("federated")
def test_other_values_are_brought_out_by_federate(official: Official, tmp_path: Path) -> None:
    """A description with values of the user's own; the servers of both datacenters have them."""
    text = yaml.safe_dump(official.description({"global": {"logLevel": "warn"}}))
    (tmp_path / "mesh.yaml").write_text(text)
    official.meshkit("federate", "-f", str(tmp_path / "mesh.yaml"))
    token = management(official)
    for datacenter in DATACENTERS:
        assert official.consul(datacenter, "/v1/agent/self", token)["DebugConfig"]["Logging"]["LogLevel"] == "WARN"


@pytest.mark.usefixtures("federated")
def test_an_upgrade_goes_through_both_datacenters(official: Official) -> None:
    """To the version at hand; to the same one there is nothing to do, and that is no error."""
    wanted = official.version(official.has.upgrade)
    official.meshkit("upgrade", *(official.has.for_upgrade or ("--chart-version", wanted)), "--yes")
    for context in official.names:
        releases = json.loads(official.helm(context, "list", "-n", NAMESPACE, "-o", "json"))
        assert [r["chart"] for r in releases if r["name"] == "consul"] == [f"consul-{wanted}"]
    assert official.complaints() == []


@pytest.mark.usefixtures("federated")
def test_destroy_leaves_nothing_and_a_new_federation_works(official: Official) -> None:
    """No CRD, webhook, Lease, claim, secret or namespace; and nothing of the old is in the way of the new."""
    apps.stop(official)
    for _ in range(2):
        official.meshkit("destroy", "--yes")
        for context in official.names:
            assert official.is_clean(context), list(official.leftovers(context))
        official.federate()
        official.meshkit("check")
