"""Pods as the restricted Pod Security Standard wants them, and nothing secret outside of Secrets."""

from __future__ import annotations

import json
import re

import pytest

from charts.rendering import NAMES, containers, find, meshkit_values, render, with_value, workloads

PLACES = pytest.mark.parametrize("place", [0, 1], ids=["primary", "secondary"])
CHARTS = pytest.mark.parametrize("chart", NAMES)
SECRET_LIKE = re.compile(r"[A-Za-z0-9+/]{43}=|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|BEGIN ")
"""32 bytes in base64, a UUID, and PEM: every form that a secret of the mesh has."""


@CHARTS
@PLACES
def test_no_container_runs_as_root_or_writes_to_its_image(chart: str, place: int) -> None:
    """Non-root, no capability, no escalation, the default seccomp profile, a read-only root."""
    manifests = render(chart, meshkit_values(chart, place))

    for name, _, spec in workloads(manifests):
        security = spec["securityContext"]
        assert security["runAsNonRoot"], name
        assert security["runAsUser"] > 0, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is False, name
    for name, container in containers(manifests):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name


@CHARTS
def test_every_container_says_what_it_needs(chart: str) -> None:
    """Requests for CPU and memory, and a limit for memory; a CPU limit would only slow elections down."""
    for name, container in containers(render(chart, meshkit_values(chart))):
        resources = container["resources"]
        assert set(resources["requests"]) == {"cpu", "memory"}, name
        assert set(resources["limits"]) == {"memory"}, name


@CHARTS
@PLACES
def test_secrets_are_mounted_and_nothing_else(chart: str, place: int) -> None:
    """No Secret is rendered or named in an environment variable; volumes of Secrets are not readable by others."""
    manifests = render(chart, meshkit_values(chart, place))

    assert [m for m in manifests if m["kind"] == "Secret"] == []
    assert SECRET_LIKE.search(json.dumps(manifests)) is None
    assert "secretKeyRef" not in json.dumps(manifests)
    for name, _, spec in workloads(manifests):
        if not name.endswith("-test"):
            modes = {v["name"]: v["secret"]["defaultMode"] for v in spec["volumes"] if "secret" in v}
            assert set(modes.values()) == {0o440}, name


def test_the_pattern_of_secrets_knows_one() -> None:
    """The test above would pass for ever with a pattern that matches nothing."""
    assert SECRET_LIKE.search('"encrypt": "pUqJrVyVRj5jsiYEkM/tFQYfWyJIv4s3XkvDwy7Cu5s="')
    assert SECRET_LIKE.search("6d0c1b9e-0c5e-4f0c-9a3e-2b8f6f0a4b11")


@CHARTS
@PLACES
def test_every_mounted_secret_is_one_that_meshkit_makes(chart: str, place: int) -> None:
    mounted = set()
    for _, _, spec in workloads(render(chart, meshkit_values(chart, place))):
        mounted |= {v["secret"]["secretName"] for v in spec["volumes"] if "secret" in v}

    shared = {"meshkit-ca", "meshkit-server-cert", "meshkit-gossip"}
    own = {"meshkit-bootstrap-token"} if place == 0 else {"meshkit-replication-token"}
    tokens = {f"meshkit-{name}-token" for name in ("agent", "dns", "mesh-gateway")}
    assert mounted == (shared | own | tokens if chart == "consul" else {"meshkit-ca", "meshkit-probe-token"})


def test_readiness_is_envoy_s_and_the_leader_s_own_word() -> None:
    """Looked at every second, without an initial delay."""
    ready = {
        name: container["readinessProbe"]
        for chart in NAMES
        for name, container in containers(render(chart, meshkit_values(chart)))
        if "readinessProbe" in container
    }

    assert {name: probe["httpGet"]["path"] for name, probe in ready.items()} == {
        "StatefulSet consul-server, container consul": "/v1/acl/replication",
        "Deployment consul-mesh-gateway, container mesh-gateway": "/ready",
        "Deployment mesh-probe, container sidecar": "/ready",
    }
    assert {(probe["periodSeconds"], probe.get("initialDelaySeconds", 0)) for probe in ready.values()} == {(1, 0)}


@pytest.mark.parametrize(
    ("chart", "kind", "name", "key"),
    [
        ("consul", "StatefulSet", "consul-server", "server.annotations"),
        ("consul", "Deployment", "consul-mesh-gateway", "meshGateway.annotations"),
        ("mesh-probe", "Deployment", "mesh-probe", "annotations"),
    ],
    ids=["servers", "gateways", "the probe"],
)
def test_an_annotation_rolls(chart: str, kind: str, name: str, key: str) -> None:
    """What a new certificate or token is told to Kubernetes by."""
    values = with_value(meshkit_values(chart), key, '"example.com/fingerprint": "abc"\n')

    pod = find(render(chart, values), kind, name)["spec"]["template"]

    assert pod["metadata"]["annotations"]["example.com/fingerprint"] == "abc"


@pytest.mark.parametrize(
    ("chart", "kind", "name", "key", "value"),
    [
        ("consul", "StatefulSet", "consul-server", "server.extraConfig", '{"log_json": true}'),
        ("consul", "Deployment", "consul-mesh-gateway", "meshGateway.wanAddress.static", "192.0.2.99"),
        (
            "mesh-probe",
            "Deployment",
            "mesh-probe",
            "upstreams",
            [{"service": "web", "datacenter": "gke", "port": 9103}],
        ),
    ],
    ids=["servers with another configuration", "gateways with another address", "the probe with another upstream"],
)
def test_a_changed_configuration_rolls(chart: str, kind: str, name: str, key: str, value: object) -> None:
    """Pods read their ConfigMap at start only, so its checksum is in their template."""
    before = meshkit_values(chart)

    templates = [
        find(render(chart, values), kind, name)["spec"]["template"]["metadata"]["annotations"]
        for values in (before, before, with_value(before, key, value))
    ]

    assert templates[0] == templates[1]
    assert templates[0] != templates[2]
