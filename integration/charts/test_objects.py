"""Objects: the official names and labels, Services that find their pods, budgets, spread, and who may reach whom."""

from __future__ import annotations

from typing import Any

import pytest

from charts.rendering import NAMES, containers, find, meshkit_values, render, with_value, workloads

OFFICIAL_NAMES = {
    ("StatefulSet", "consul-server"),
    ("ConfigMap", "consul-server-config"),
    ("ServiceAccount", "consul-server"),
    ("Service", "consul-server"),
    ("Service", "consul-dns"),
    ("Service", "consul-mesh-gateway"),
    ("Deployment", "consul-mesh-gateway"),
    ("ServiceAccount", "consul-mesh-gateway"),
    ("PodDisruptionBudget", "consul-server"),
}
OFFICIAL_LABELS = {"app", "chart", "heritage", "release", "component"}


def test_objects_have_the_official_chart_s_names_and_labels() -> None:
    manifests = render("consul", meshkit_values("consul", servers=3))

    assert {(m["kind"], m["metadata"]["name"]) for m in manifests} >= OFFICIAL_NAMES
    assert [m["metadata"]["name"] for m in manifests if not set(m["metadata"]["labels"]) >= OFFICIAL_LABELS] == []
    assert {m["metadata"]["labels"]["app"] for m in manifests} == {"consul"}


def test_volume_claims_have_the_official_chart_s_names() -> None:
    """``data-<namespace>-consul-server-N``, so that data stays where it is when charts are exchanged."""
    servers = find(render("consul", meshkit_values("consul")), "StatefulSet", "consul-server")

    assert [c["metadata"]["name"] for c in servers["spec"]["volumeClaimTemplates"]] == ["data-consul"]


def test_every_service_finds_pods_that_listen() -> None:
    """Each selector matches a workload, and each target port is one of its container ports."""
    manifests = render("consul", meshkit_values("consul"))

    for service in (m for m in manifests if m["kind"] == "Service"):
        selector = service["spec"]["selector"]
        chosen = [spec for _, labels, spec in workloads(manifests) if selector.items() <= labels.items()]
        assert len(chosen) == 1, service["metadata"]["name"]
        ports = {p["containerPort"] for c in chosen[0]["containers"] for p in c.get("ports", ())}
        assert {p["targetPort"] for p in service["spec"]["ports"]} <= ports, service["metadata"]["name"]


def test_meshkit_s_own_gateway_service_finds_the_gateways() -> None:
    """The public Service is not the chart's: it selects by app and component, at port 8443."""
    manifests = render("consul", meshkit_values("consul"))

    public = {"app": "consul", "component": "mesh-gateway"}
    chosen = [spec for _, labels, spec in workloads(manifests) if public.items() <= labels.items()]

    assert [[p["containerPort"] for p in spec["containers"][0]["ports"]] for spec in chosen] == [[8443, 20200]]


@pytest.mark.parametrize(("servers", "away"), [(1, None), (3, 1), (5, 2)])
def test_a_budget_keeps_a_majority_of_the_servers(servers: int, away: int | None) -> None:
    """None for one server: it would only block drains."""
    manifests = render("consul", meshkit_values("consul", servers=servers))

    assert find(manifests, "StatefulSet", "consul-server")["spec"]["replicas"] == servers
    assert _budgets(manifests).get("consul-server") == away


@pytest.mark.parametrize(("gateways", "away"), [(1, None), (2, 1)])
def test_a_budget_keeps_gateways_when_there_are_several(gateways: int, away: int | None) -> None:
    manifests = render("consul", meshkit_values("consul", gateways=gateways))

    assert _budgets(manifests).get("consul-mesh-gateway") == away


def test_a_budget_of_one_s_own_is_taken() -> None:
    values = with_value(meshkit_values("consul", servers=5), "server.disruptionBudget.maxUnavailable", 1)

    assert _budgets(render("consul", values))["consul-server"] == 1


@pytest.mark.parametrize("name", ["consul-server", "consul-mesh-gateway"])
def test_pods_prefer_different_nodes_and_zones(name: str) -> None:
    """Preferred only: a one-node cluster gets its three servers too."""
    manifests = render("consul", meshkit_values("consul", servers=3, gateways=2))
    (pod,) = (spec for w, _, spec in workloads(manifests) if w.endswith(f" {name}"))

    spread = pod["affinity"]["podAntiAffinity"]

    assert list(spread) == ["preferredDuringSchedulingIgnoredDuringExecution"]
    terms = [term["podAffinityTerm"] for term in spread["preferredDuringSchedulingIgnoredDuringExecution"]]
    assert [t["topologyKey"] for t in terms] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]


def test_placement_is_text_with_the_official_chart_s_templates() -> None:
    """Affinity as people have it in their values files, templates included."""
    text = "nodeAffinity: {}\npodAntiAffinity: {note: '{{ template \"consul.name\" . }}'}\n"
    values = with_value(meshkit_values("consul"), "server.affinity", text)
    values = with_value(values, "server.tolerations", "- operator: Exists\n")
    values = with_value(values, "server.nodeSelector", "kubernetes.io/os: linux\n")

    pod = find(render("consul", values), "StatefulSet", "consul-server")["spec"]["template"]["spec"]

    assert pod["affinity"] == {"nodeAffinity": {}, "podAntiAffinity": {"note": "consul"}}
    assert pod["tolerations"] == [{"operator": "Exists"}]
    assert pod["nodeSelector"] == {"kubernetes.io/os": "linux"}


def test_only_the_mesh_reaches_the_servers_gossip_and_rpc() -> None:
    """Gateways reach the RPC port, servers each other, every pod what asks for a token; nothing else is open."""
    policy = find(render("consul", meshkit_values("consul")), "NetworkPolicy", "consul-server")["spec"]

    assert policy["policyTypes"] == ["Ingress"]
    assert {_who(rule): sorted({p["port"] for p in rule["ports"]}) for rule in policy["ingress"]} == {
        "mesh-gateway": [8300],
        "server": [8300, 8301, 8302],
        "every pod": [8501, 8503, 8600],
    }


def test_the_world_reaches_the_gateway_s_one_port() -> None:
    policy = find(render("consul", meshkit_values("consul")), "NetworkPolicy", "consul-mesh-gateway")["spec"]

    assert policy["ingress"] == [{"ports": [{"port": 8443, "protocol": "TCP"}]}]


def test_only_the_api_server_speaks_with_the_probe_s_identity() -> None:
    """Upstream ports are open to kube-system, to what is named and to the probe's own jobs; else the sidecar's is."""
    values = with_value(meshkit_values("mesh-probe"), "networkPolicies.apiServerCIDRs", ["10.0.0.0/16"])

    own, upstream, jobs, monitoring = find(render("mesh-probe", values), "NetworkPolicy", "mesh-probe")["spec"][
        "ingress"
    ]

    assert own == {"ports": [{"port": 20000, "protocol": "TCP"}]}
    assert upstream["ports"] == [{"port": 9102, "protocol": "TCP"}, {"port": 9100, "protocol": "TCP"}]
    system = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
    assert upstream["from"] == [system, {"ipBlock": {"cidr": "10.0.0.0/16"}}]
    assert jobs == {
        "from": [{"podSelector": {"matchLabels": {"app": "mesh-probe", "component": "job"}}}],
        "ports": [{"port": 9102, "protocol": "TCP"}],
    }
    assert monitoring["ports"] == [{"port": 9100, "protocol": "TCP"}]
    (namespaces,) = monitoring["from"]
    assert namespaces["namespaceSelector"]["matchExpressions"][0]["values"] == ["monitoring"]


@pytest.mark.parametrize("chart", NAMES)
def test_port_names_are_ones_that_kubernetes_takes(chart: str) -> None:
    """At most 15 characters and unique in their container, also for datacenters with long, similar names."""
    values = meshkit_values(chart)
    if chart == "mesh-probe":
        similar = [{"service": "p", "datacenter": f"europe-west-{n}", "port": 9100 + n} for n in (1, 2, 3)]
        values = with_value(values, "upstreams", similar)

    for name, container in containers(render(chart, values)):
        ports = [port["name"] for port in container.get("ports", ())]
        assert len(set(ports)) == len(ports), name
        assert max(map(len, ports), default=0) <= 15, name


def test_the_only_server_keeps_its_address_among_datacenters() -> None:
    """Of one server, the Service's address; of several, each its own."""
    for servers, stable in ((1, True), (3, False)):
        pod = find(render("consul", meshkit_values("consul", servers=servers)), "StatefulSet", "consul-server")
        container = pod["spec"]["template"]["spec"]["containers"][0]
        assert ("-advertise-wan=$(CONSUL_SERVER_API_SERVICE_HOST)" in container["args"]) is stable


def _budgets(manifests: list[dict[str, Any]]) -> dict[str, int]:
    found = (m for m in manifests if m["kind"] == "PodDisruptionBudget")
    return {m["metadata"]["name"]: m["spec"]["maxUnavailable"] for m in found}


def _who(rule: dict[str, Any]) -> str:
    (peer,) = rule["from"]
    if peer == {"namespaceSelector": {}}:
        return "every pod"
    component: str = peer["podSelector"]["matchLabels"]["component"]
    return component
