"""Values: meshkit's own render, the official chart's keys mean the same or are refused by name, and typos fail."""

from __future__ import annotations

import json

import pytest

from charts.rendering import NAMES, Values, find, helm, meshkit_values, refusal, render, with_value

# What the official chart's documentation has a user write in a primary; meshkit's secrets in the place of its jobs.
OFFICIAL = {
    "global": {
        "name": "consul",
        "datacenter": "aks",
        "tls": {"enabled": True, "httpsOnly": True, "verify": True},
        "federation": {"enabled": True},
        "acls": {"manageSystemACLs": True},
        "peering": {"enabled": False},
    },
    "client": {"enabled": False},
    "connectInject": {"enabled": False},
    "ui": {"enabled": False},
    "server": {"enabled": True, "connect": True, "affinity": None, "exposeService": {"enabled": False}},
    "dns": {"enabled": "-"},
    "meshGateway": {"containerPort": 8443, "service": {"type": "NodePort", "port": 443, "nodePort": 30443}},
}

TYPOS = [
    ("consul", "a mistyped section", "gloabl.name", "consul", "gloabl"),
    ("consul", "a mistyped key", "global.federation.primaryDatacentre", "aks", "primaryDatacentre"),
    ("consul", "a mistyped secret key", "global.tls.caCert.secretNam", "x", "secretNam"),
    ("consul", "a number where YAML text is expected", "server.tolerations", [{"operator": "Exists"}], "tolerations"),
    ("consul", "an even number of servers", "server.replicas", 2, "/server/replicas"),
    ("consul", "a number of servers as text", "server.replicas", "3", "/server/replicas"),
    ("consul", "a datacenter in upper case", "global.datacenter", "AKS", "/global/datacenter"),
    (
        "consul",
        "a primary gateway without a port",
        "global.federation.primaryGateways",
        ["192.0.2.1"],
        "primaryGateways",
    ),
    ("consul", "TLS switched off", "global.tls.enabled", False, "/global/tls/enabled"),
    ("consul", "ACLs switched off", "global.acls.manageSystemACLs", False, "manageSystemACLs"),
    ("consul", "a size that is no quantity", "server.storage", "ten gigabytes", "/server/storage"),
    ("consul", "a limit under a mistyped name", "meshGateway.resources.limit", {"memory": "1Gi"}, "limit"),
    ("consul", "a name that no Service may have", "global.name", "1consul", "/global/name"),
    ("mesh-probe", "a mistyped key", "upstream", [], "upstream"),
    (
        "mesh-probe",
        "an upstream port of the sidecar itself",
        "upstreams",
        [{"service": "a", "datacenter": "b", "port": 20000}],
        "port",
    ),
    ("mesh-probe", "a subchart's global", "global.name", "x", "global"),
]

NOT_HERE = [
    ("sidecar injection", "connectInject.enabled", True, "connectInject"),
    ("the user interface", "ui.enabled", True, "ui"),
    ("client agents", "client.enabled", True, "client"),
    ("catalog sync", "syncCatalog.enabled", True, "syncCatalog"),
    ("peering", "global.peering.enabled", True, "peering"),
    ("the CA's key", "global.tls.caKey.secretName", "ca-key", "caKey"),
    ("a gossip key of the chart's own", "global.gossipEncryption.autoGenerate", True, "autoGenerate"),
    ("a federation secret", "global.federation.createFederationSecret", True, "createFederationSecret"),
    ("a replication token of the chart's own", "global.acls.createReplicationToken", True, "createReplicationToken"),
    (
        "the address of the gateway's Service",
        "meshGateway.wanAddress.source",
        "Service",
        "/meshGateway/wanAddress/source",
    ),
    ("the operator's image", "global.imageK8S", "x", "imageK8S"),
    ("Vault", "global.secretsBackend.vault.enabled", True, "secretsBackend"),
]

MISSING = [
    ("the CA", 0, "global.tls.caCert.secretName"),
    ("the gossip key", 0, "global.gossipEncryption.secretName"),
    ("the server certificate", 0, "server.serverCert.secretName"),
    ("the management token in the primary", 0, "global.acls.bootstrapToken.secretName"),
    ("the replication token in a secondary", 1, "global.acls.replicationToken.secretName"),
    ("the primary's gateway in a secondary", 1, "global.federation.primaryGateways"),
    ("the gateway's public address", 0, "meshGateway.wanAddress.static"),
    ("the gateway's token", 0, "meshGateway.aclToken.secretName"),
]


@pytest.mark.parametrize("chart", NAMES)
def test_the_charts_lint_clean_with_and_without_values(chart: str) -> None:
    """``helm lint --strict`` finds nothing, neither in the bare chart nor with meshkit's values."""
    for values in (None, meshkit_values(chart)):
        done = helm("lint", chart, values, "--strict", "--quiet")

        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("place", [0, 1], ids=["in the primary", "in a secondary"])
@pytest.mark.parametrize("chart", NAMES)
def test_meshkit_s_own_values_render(chart: str, place: int) -> None:
    assert render(chart, meshkit_values(chart, place))


def test_a_values_file_of_the_official_chart_fits() -> None:
    """What is switched off there may be said here, and what works the same is taken as it is."""
    values = meshkit_values("consul")
    for section, entries in OFFICIAL.items():
        for key, value in entries.items():
            values = with_value(values, f"{section}.{key}", value)

    service = find(render("consul", values), "Service", "consul-mesh-gateway")

    assert service["spec"]["ports"] == [{"name": "gateway", "port": 443, "targetPort": 8443, "nodePort": 30443}]


@pytest.mark.parametrize(
    ("chart", "path", "value", "named"), [(c, p, v, n) for c, _, p, v, n in TYPOS], ids=[t[1] for t in TYPOS]
)
def test_a_mistake_is_refused_by_the_name_of_its_key(chart: str, path: str, value: object, named: str) -> None:
    said = refusal(chart, with_value(meshkit_values(chart), path, value))

    assert "meet the specifications of the schema" in said
    assert named in said


@pytest.mark.parametrize(("path", "value", "named"), [row[1:] for row in NOT_HERE], ids=[row[0] for row in NOT_HERE])
def test_what_only_the_official_chart_has_is_refused_by_name(path: str, value: object, named: str) -> None:
    assert named in refusal("consul", with_value(meshkit_values("consul"), path, value))


@pytest.mark.parametrize(("place", "path"), [row[1:] for row in MISSING], ids=[row[0] for row in MISSING])
def test_a_value_that_is_needed_is_asked_for_by_name(place: int, path: str) -> None:
    empty: object = [] if path.endswith("primaryGateways") else ""

    assert path in refusal("consul", with_value(meshkit_values("consul", place), path, empty))


def test_all_missing_values_are_named_at_once() -> None:
    said = refusal("consul", {})

    assert [path for _, place, path in MISSING if place == 0 and path not in said] == []


@pytest.mark.parametrize(
    ("place", "path", "value", "sentence"),
    [
        (0, "meshGateway.enabled", False, "global.federation.enabled needs meshGateway.enabled"),
        (1, "global.federation.enabled", False, "global.federation.primaryDatacenter needs global.federation.enabled"),
        (0, "global.federation.primaryGateways", ["192.0.2.1:443"], "primaryGateways is for secondaries"),
        (0, "server.extraConfig", "{not json", "server.extraConfig is not a JSON object"),
        (0, "server.extraConfig", "[]", "server.extraConfig is not a JSON object"),
    ],
    ids=[
        "federation without gateways",
        "a primary without federation",
        "primary gateways in the primary",
        "extra configuration that is no JSON",
        "extra configuration that is no object",
    ],
)
def test_values_that_contradict_each_other_are_refused_in_words(
    place: int, path: str, value: object, sentence: str
) -> None:
    assert sentence in refusal("consul", with_value(meshkit_values("consul", place), path, value))


def test_extra_configuration_is_merged_over_the_servers_own() -> None:
    extra = {"limits": {"rpc_max_conns_per_client": 1000}, "performance": {"raft_multiplier": 5}}

    config = _server_config(with_value(meshkit_values("consul"), "server.extraConfig", json.dumps(extra)))

    assert config["limits"] == {"rpc_max_conns_per_client": 1000}
    assert config["performance"] == {"raft_multiplier": 5}
    assert config["acl"]["default_policy"] == "deny"


def test_the_documented_federation_secret_is_loaded_by_the_servers() -> None:
    """``server.extraVolumes`` with ``load``, which takes the place of ``primaryGateways`` in a secondary."""
    volume = {
        "type": "secret",
        "name": "fed",
        "load": True,
        "items": [{"key": "serverConfigJSON", "path": "config.json"}],
    }
    values = with_value(meshkit_values("consul", 1), "global.federation.primaryGateways", [])

    servers = find(
        render("consul", with_value(values, "server.extraVolumes", [volume])), "StatefulSet", "consul-server"
    )

    container = servers["spec"]["template"]["spec"]["containers"][0]
    assert "-config-dir=/consul/userconfig/fed" in container["args"]
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounted["userconfig-fed"] == "/consul/userconfig/fed"


def test_a_name_of_one_s_own_reaches_every_object_and_reference() -> None:
    """``global.name`` changes the objects, the addresses servers join at, and where gateways find them."""
    values = with_value(meshkit_values("consul", servers=3), "global.name", "mesh")

    manifests = render("consul", values)

    assert [m["metadata"]["name"] for m in manifests if not m["metadata"]["name"].startswith("mesh")] == []
    text = json.dumps(manifests)
    assert "mesh-server-0.mesh-server.consul.svc" in text
    assert "$(MESH_MESH_GATEWAY_SERVICE_HOST)" in text
    assert "consul-server" not in text


def _server_config(values: Values) -> dict[str, object]:
    return json.loads(find(render("consul", values), "ConfigMap", "consul-server-config")["data"]["server.json"])
