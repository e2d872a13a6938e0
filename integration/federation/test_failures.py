"""What fails half-way shows its evidence, loses nothing, and the next good run succeeds."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import yaml
from federation.mesh import INTERRUPTED, NAMESPACE, VERIFYING, Mesh, settles

pytestmark = [pytest.mark.lab, pytest.mark.slow]


def described(mesh: Mesh, place: Path, image: str) -> str:
    """A mesh.yaml in which the second datacenter's gateways have another image; its path."""
    first, second = mesh.names
    path = place / "mesh.yaml"
    values = {"global": {"imageEnvoy": image}}
    datacenters = {first: {"context": first}, second: {"context": second, "values": values}}
    path.write_text(yaml.safe_dump({"federation": "mesh", "primary": first, "datacenters": datacenters}))
    return str(path)


def test_a_pod_that_cannot_start_is_shown(mended: Mesh, tmp_path: Path) -> None:
    """Pod, container, reason and event; the cluster is named; the mesh goes on, and is mended by the next run."""
    second = mended.names[1]
    broken = described(mended, tmp_path, "registry.invalid/envoy:missing")

    done = mended.meshkit("federate", "-f", broken, "--timeout", "10", check=False)

    assert done.returncode == 1
    assert f"meshkit: error: {second}: not after 10 s: " in done.stderr
    assert "pod consul-mesh-gateway-" in done.stderr
    assert "container mesh-gateway: " in done.stderr
    assert "registry.invalid/envoy:missing" in done.stderr
    assert f"kubectl --context {second} -n {NAMESPACE} get pods,events" in done.stderr
    assert mended.status()["links"][0]["healthy"], "the gateway that was there goes on"
    mended.meshkit("federate", "-f", described(mended, tmp_path, "docker.io/envoyproxy/envoy:v1.36.4"))
    settles(lambda: bool(mended.status()["healthy"]), "a healthy status")


def test_ctrl_c_during_verification_leaves_no_intention(mended: Mesh) -> None:
    """Exit code 130, how to go on, and even the intentions of the moment are taken away."""
    code, said = mended.stop_at(VERIFYING, signal.SIGINT, "federate", *mended.names)

    assert code == INTERRUPTED
    assert "meshkit: error: interrupted" in said
    assert "meshkit: hint: run the same command again" in said
    assert ("*", "*", "deny") in mended.intentions()
    assert [i for i in mended.intentions() if i[2] == "allow"] == []


@pytest.mark.parametrize(
    ("thing", "planned"),
    [
        pytest.param("secret/meshkit-gossip", "create secret meshkit-gossip", id="a secret"),
        pytest.param("service/meshkit-mesh-gateway", "create service meshkit-mesh-gateway", id="the gateway's address"),
    ],
)
def test_what_somebody_deleted_is_brought_back(mended: Mesh, thing: str, planned: str) -> None:
    """Status and a dry run name it; the run brings it back, and the identity stays (see ``mended``)."""
    second = mended.names[1]
    mended.kubectl(second, "delete", thing)

    assert f"{second}: {planned}" in mended.meshkit("federate", *mended.names, "--dry-run").stdout
    assert [dc["name"] for dc in mended.status()["datacenters"] if dc["drift"]] == [second]
    mended.federate()

    assert mended.kubectl(second, "get", thing, "-o", "name")
    settles(lambda: bool(mended.status()["healthy"]), "a healthy status")
