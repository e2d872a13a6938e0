"""Two clusters become one mesh: it works, says so, lets pass what is allowed, and a second run changes nothing."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest
from federation.mesh import SERVER, Mesh, settles, writes

from meshkit.lab import register

pytestmark = pytest.mark.lab

BOTH_WAYS = pytest.mark.parametrize("way", [1, -1], ids=["from the primary", "to the primary"])
STEPS = ["preflight", "trust", "gateways", "datacenters", "settings", "proxies", "verify"]


def test_the_result_names_every_datacenter_and_step(federated: Mesh) -> None:
    """JSON on stdout alone: the primary is the first named, each gateway has its node's address."""
    result = federated.federate()

    assert (result["federation"], result["primary"]) == ("mesh", federated.names[0])
    gateways = {dc["name"]: dc["gateway"]["address"] for dc in result["datacenters"]}
    assert gateways == {name: register.find(name).address for name in federated.names}
    assert [step["name"] for step in result["steps"]] == STEPS


def test_a_second_run_and_a_dry_run_change_nothing(federated: Mesh) -> None:
    """Neither plans nor makes a change, and every object of meshkit's and of Helm's keeps its version."""
    before = versions(federated)

    planned = json.loads(federated.meshkit("federate", *federated.names, "--dry-run", "--output", "json").stdout)
    again = federated.federate()

    assert writes(planned) == writes(again) == []
    assert versions(federated) == before


def test_status_has_what_scripts_rely_on(federated: Mesh) -> None:
    """Healthy, with one healthy server that leads, certificates and an address per datacenter, and a link each way."""
    settles(lambda: bool(federated.status()["healthy"]), "a healthy status")
    seen = federated.status()

    assert seen["federation"] == "mesh"
    assert [(dc["name"], dc["context"], dc["primary"]) for dc in seen["datacenters"]] == [
        (name, name, name == federated.names[0]) for name in federated.names
    ]
    for dc in seen["datacenters"]:
        assert dc["servers"] == [{"name": "consul-server-0", "healthy": True, "leader": True}]
        assert dc["gateway"]["address"] == register.find(dc["name"]).address
        assert {c["name"] for c in dc["certificates"]} == {"meshkit-ca", "meshkit-server-cert"}
        assert all(c["not_after"].endswith("Z") for c in dc["certificates"])
        assert (dc["drift"], dc["error"]) == ([], "")
    first, second = federated.names
    assert seen["links"] == [
        {"from": a, "to": b, "healthy": True, "reason": ""} for a, b in ((first, second), (second, first))
    ]


def test_status_works_on_a_machine_that_did_not_make_it(stranger: Mesh) -> None:
    """With contexts named and no state directory; none is made."""
    done = stranger.meshkit("status", *stranger.names, "--output", "json")

    assert json.loads(done.stdout)["healthy"] is True
    assert not stranger.lab.state.exists()


def test_every_check_passes(federated: Mesh) -> None:
    """As JSON with the promised keys, and as JUnit that parses, with as many cases and no failure."""
    settles(lambda: bool(federated.status()["healthy"]), "a healthy status")
    results = federated.checks()

    assert [r for r in results if r["verdict"] != "pass"] == []
    assert all(set(r) == {"category", "check", "verdict", "detail", "hint"} for r in results)
    suites = ET.fromstring(federated.meshkit("check", "--output", "junit").stdout)  # noqa: S314 - our own output
    assert len(suites.findall("testsuite/testcase")) == len(results) > 10
    assert {suite.get("failures") for suite in suites} == {"0"}


@BOTH_WAYS
def test_intentions_decide_between_clouds(segmented: Mesh, way: int) -> None:
    """Refused without one, through with allow, refused again with deny: each for new connections, seen from a pod."""
    source, target = segmented.names[::way]
    words = (f"mesh-probe-{source}", f"mesh-probe-{target}")
    assert segmented.request(source, target) == ""

    segmented.meshkit("allow", *words)
    settles(lambda: segmented.request(source, target) == target, "an allowed request")
    assert (*words, "allow") in segmented.intentions()

    segmented.meshkit("deny", *words)
    settles(lambda: segmented.request(source, target) == "", "a refused request")
    assert (*words, "deny") in segmented.intentions()


@BOTH_WAYS
def test_a_request_goes_through_both_gateways(segmented: Mesh, way: int) -> None:
    """Its connection is counted by the source's gateway towards the other cloud, and by the target's to the probe."""
    source, target = segmented.names[::way]
    segmented.meshkit("allow", f"mesh-probe-{source}", f"mesh-probe-{target}")
    settles(lambda: segmented.request(source, target) == target, "an allowed request")
    places = ((source, f"{target}.internal"), (target, f"mesh-probe-{target}.default"))
    before = [segmented.connections(*place) for place in places]

    assert segmented.request(source, target) == target

    assert all(now > then for now, then in zip((segmented.connections(*p) for p in places), before, strict=True))


def test_pods_of_different_clouds_cannot_reach_each_other(federated: Mesh) -> None:
    """The mesh is the only way: a pod's own address answers inside its cloud and not from the other."""
    here, there = federated.names
    pod = federated.lab.get(there, "-n", "consul", "pod", "consul-server-0")
    fetch = ("curl", "-ks", "-m", "3", "-o", "/dev/null", "-w", "%{http_code}")
    url = f"https://{pod['status']['podIP']}:8501/v1/status/leader"

    inside = federated.execute(there, SERVER, *fetch, url)
    outside = federated.execute(here, SERVER, *fetch, url, check=False)

    assert (inside, outside) == ("200", "000")


@BOTH_WAYS
def test_services_of_another_cloud_are_found_by_dns_and_http(federated: Mesh, way: int) -> None:
    """From a pod: ``SERVICE.service.DATACENTER.consul`` at Consul's DNS, and the catalog over verified HTTPS."""
    here, there = federated.names[::way]
    service = f"mesh-probe-{there}"
    pods = federated.lab.get(there, "-n", "consul", "pods", "-l", "app=mesh-probe")["items"]
    address = pods[0]["status"]["podIP"]

    answer = federated.execute(here, SERVER, "nslookup", f"{service}.service.{there}.consul", "consul-dns.consul")
    assert address in answer

    fetch = (
        'printf "X-Consul-Token: %s" "$(cat /secrets/agent/value)" > /tmp/header && curl -fsS -H @/tmp/header '
        "--cacert /consul/tls/ca/ca.crt "
        f"'https://consul-server:8501/v1/catalog/service/{service}?dc={there}'"
    )
    found = json.loads(federated.execute(here, SERVER, "sh", "-c", fetch))
    assert [(entry["ServiceName"], entry["Datacenter"]) for entry in found] == [(service, there)]


def versions(mesh: Mesh) -> dict[str, str]:
    """Resource version by object, of everything that a run could write."""
    kinds = "secrets,configmaps,services,serviceaccounts,statefulsets,deployments,networkpolicies,poddisruptionbudgets"
    found = {}
    for context in mesh.names:
        for item in mesh.lab.get(context, "-n", "consul", kinds)["items"]:
            if item["kind"] not in ("StatefulSet", "Deployment", "PodDisruptionBudget"):  # their status changes
                found[f"{context}/{item['kind']}/{item['metadata']['name']}"] = item["metadata"]["resourceVersion"]
            else:
                generation = str(item["metadata"]["generation"])
                found[f"{context}/{item['kind']}/{item['metadata']['name']}"] = generation
    return found
