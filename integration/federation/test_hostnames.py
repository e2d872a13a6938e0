"""Gateways known by a name alone, as on EKS: Consul and Envoy resolve it, and follow it when it leads elsewhere.

The names are in the clusters' own DNS and nowhere else, so that nothing but a pod can resolve them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import pytest
import yaml
from clusters import Lab
from federation.mesh import Mesh, settles

from meshkit.lab import register

pytestmark = [pytest.mark.lab, pytest.mark.slow]

NOWHERE = "192.0.2.1"
"""TEST-NET-1 of RFC 5737: nobody answers there."""


@pytest.fixture(scope="module")
def named(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """A federation whose gateways have names, on clusters that have none before and after."""
    mesh = Mesh(lab)
    if mesh.folder.exists():
        mesh.meshkit("destroy", "--yes")
    corefiles = {name: lab.get(name, "-n", "kube-system", "configmap", "coredns") for name in mesh.names}
    resolve(mesh, {host(name): register.find(name).address for name in mesh.names})
    datacenters = {name: {"context": name, "gatewayAddress": host(name)} for name in mesh.names}
    path = tmp_path_factory.mktemp("named") / "mesh.yaml"
    path.write_text(yaml.safe_dump({"federation": "mesh", "datacenters": datacenters}))
    mesh.meshkit("federate", "-f", str(path))
    yield mesh
    mesh.meshkit("destroy", "--yes")
    for name, before in corefiles.items():
        _serve(mesh, name, before["data"]["Corefile"])


def host(datacenter: str) -> str:
    """The name of a datacenter's gateway."""
    return f"{datacenter}.mesh.example"


def resolve(mesh: Mesh, hosts: Mapping[str, str]) -> None:
    """Let names lead to addresses, in the DNS of every cluster; what was there before is replaced."""
    lines = "".join(f"       {address} {name}\n" for name, address in hosts.items())
    block = f"    hosts {{\n{lines}       ttl 1\n       fallthrough\n    }}\n    ready\n"
    for name in mesh.names:
        corefile = mesh.lab.get(name, "-n", "kube-system", "configmap", "coredns")["data"]["Corefile"]
        head, _, rest = corefile.partition("    ready\n")
        _serve(mesh, name, head.partition("    hosts {")[0] + block + rest)


def _serve(mesh: Mesh, name: str, corefile: str) -> None:
    """Put a Corefile into the cluster's DNS; new pods, since a kubelet takes up to a minute to change a file."""
    patch = json.dumps({"data": {"Corefile": corefile}})
    system = ("-n", "kube-system")
    mesh.lab.kubectl(name, *system, "patch", "configmap", "coredns", "--type=merge", "-p", patch)
    mesh.lab.kubectl(name, *system, "rollout", "restart", "deployment", "coredns")
    mesh.lab.kubectl(name, *system, "rollout", "status", "deployment", "coredns", "--timeout=60s")


def test_the_names_are_all_that_consul_is_given(named: Mesh) -> None:
    """Every gateway is known by its name, and all is well but that this machine can't resolve it."""
    settles(lambda: bool(named.status()["healthy"]), "a healthy status")
    first, second = named.names
    assert [dc["gateway"]["address"] for dc in named.status()["datacenters"]] == [host(first), host(second)]
    unwell = {check["check"]: check["verdict"] for check in named.checks() if check["verdict"] != "pass"}
    assert unwell == {"names of mesh gateways resolve": "warn"}


def test_a_name_that_leads_elsewhere_is_followed(named: Mesh) -> None:
    """Without anybody's doing: requests end when the name leads nowhere, and come back with it."""
    first, second = named.names
    named.meshkit("allow", f"mesh-probe-{first}", f"mesh-probe-{second}")
    there = {host(name): register.find(name).address for name in named.names}
    settles(lambda: named.request(first, second) == second, "a request across")
    resolve(named, there | {host(second): NOWHERE})
    settles(lambda: named.request(first, second) == "", "requests that end when the name leads nowhere")
    resolve(named, there)
    settles(lambda: named.request(first, second) == second, "requests that come back with the name")
    settles(lambda: bool(named.status()["healthy"]), "a healthy status")
