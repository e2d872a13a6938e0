"""A third datacenter joins, leaves, joins again, and is forgotten when its cluster is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from clusters import WAN
from federation.mesh import Mesh, settles, writes

pytestmark = [pytest.mark.lab, pytest.mark.slow]


@pytest.fixture(scope="module")
def joined(federated: Mesh, third: str) -> Iterator[Mesh]:
    """The federation with the third cluster in it, named beside one of two; afterwards without."""
    federated.meshkit("federate", federated.names[0], third)
    yield federated
    if third in datacenters(federated):
        federated.meshkit("leave", third, "--lost", "--yes")


@pytest.fixture
def member(joined: Mesh, third: str) -> str:
    """The third datacenter, in the federation whatever a test before did to it."""
    joined.meshkit("lab", "up", third, *WAN)
    if third not in datacenters(joined):
        joined.meshkit("federate", joined.names[0], third)
    return third


def test_a_third_joins_and_the_others_stay(joined: Mesh, member: str) -> None:
    """Three datacenters, six healthy links, and requests from and to the new one; the primary is who it was."""
    settles(lambda: bool(joined.status()["healthy"]), "a healthy status")
    status = joined.status()
    assert [dc["name"] for dc in status["datacenters"] if dc["primary"]] == [joined.names[0]]
    assert len(status["links"]) == 6

    for source, target in ((joined.names[1], member), (member, joined.names[1])):
        joined.meshkit("allow", f"mesh-probe-{source}", f"mesh-probe-{target}")
        settles(lambda s=source, t=target: joined.request(s, t) == t, f"a request from {source} to {target}")
        joined.meshkit("intentions", "--remove", f"mesh-probe-{source}", f"mesh-probe-{target}")


def test_naming_fewer_clusters_takes_none_out(joined: Mesh, member: str) -> None:
    """A run that names two of three keeps the third, changes nothing and says so."""
    done = joined.meshkit("federate", *joined.names, "--output", "json")
    assert writes(json.loads(done.stdout)) == []
    assert f"{member}: is in the federation already and stays" in done.stderr


def test_leave_removes_all_of_a_datacenter(joined: Mesh, member: str) -> None:
    """Nothing is left in its cluster, and the others do not know it any more."""
    joined.meshkit("leave", member, "--yes")

    assert "namespace/consul" not in joined.lab.kubectl(member, "get", "namespaces", "-o", "name").split()
    assert joined.lab.kubectl(member, "get", "persistentvolumes", "-o", "name") == ""
    assert datacenters(joined) == list(joined.names)
    settles(lambda: bool(joined.status()["healthy"]), "a healthy status of the two that stay")
    assert {r["verdict"] for r in joined.checks()} == {"pass"}
    assert member not in joined.kubectl(joined.names[0], "exec", "consul-server-0", "--", *WAN_MEMBERS)


def test_a_lost_cluster_can_be_forgotten(joined: Mesh, member: str) -> None:
    """Without --lost nothing changes; with it the others are one healthy mesh again, with the context gone too."""
    joined.meshkit("lab", "down", member)
    refused = joined.meshkit("leave", member, "--yes", check=False)
    assert refused.returncode in (1, 2)
    assert datacenters(joined) == [*joined.names, member]

    joined.meshkit("leave", member, "--lost", "--yes")

    assert datacenters(joined) == list(joined.names)
    settles(lambda: bool(joined.status()["healthy"]), "a healthy status of the two that stay")


CONSUL = "CONSUL_HTTP_ADDR=https://127.0.0.1:8501 CONSUL_CACERT=/consul/tls/ca/ca.crt"
WAN_MEMBERS = ("sh", "-c", f"{CONSUL} CONSUL_HTTP_TOKEN_FILE=/secrets/agent/value consul members -wan")


def datacenters(mesh: Mesh) -> list[str]:
    """Names of the federation's datacenters, as this machine describes it."""
    described = json.loads((mesh.folder / "federation.json").read_text())
    return [dc["name"] for dc in described["datacenters"]]
