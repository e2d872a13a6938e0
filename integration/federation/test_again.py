"""Destroyed without a trace, then made anew by runs that are killed at every boundary and inside steps.

It is one story, told once: each killed run takes up where the one before stopped, which is what an operator with bad
luck would see, and costs one federation instead of one per kill. The tests look at what was noted on the way.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from clusters import Lab, service
from federation.mesh import INTERRUPTED, NAMESPACE, VERIFYING, Mesh

from meshkit.lab import register

pytestmark = [pytest.mark.lab, pytest.mark.slow]

KILLS = (
    "[✔=] gateways",
    "helm installs consul",
    "[✔=] datacenters",
    "servers? (is )?ready|leader yet|no Consul server|✔ settings",
    "[✔=] settings",
    "helm installs mesh-probe",
    "mesh (gateways|probes) ready",
    "[✔=] proxies",
    VERIFYING,
)
"""What is on the screen when the run is killed: boundaries, and moments inside of steps (patterns)."""


@dataclass
class Story:
    """What was seen: identities (see ``Mesh.identity``), leftovers, and how runs that could not succeed ended."""

    old: dict[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    state_left: bool = True
    no_address: tuple[int, str] = (0, "")
    interrupted: tuple[int, str] = (0, "")
    identities: list[dict[str, str]] = field(default_factory=list)


@pytest.fixture(scope="module")
def story(federated: Mesh) -> Story:
    """All of it, ending with a healthy federation."""
    mesh, told = federated, Story(old=federated.identity())
    mesh.meshkit("destroy", "--yes")
    told.left = [thing for context in mesh.names for thing in leftovers(mesh.lab, context)]
    told.state_left = mesh.folder.exists()
    mesh.kill_at("✔ trust")
    told.no_address = _without_address(mesh)
    for pattern in KILLS:
        mesh.kill_at(pattern)
        told.identities.append(mesh.identity())
    told.interrupted = mesh.stop_at(VERIFYING, signal.SIGINT, "federate", *mesh.names)
    mesh.federate()
    told.identities.append(mesh.identity())
    return told


def test_destroy_leaves_nothing(story: Story) -> None:
    """No namespace, volume, folder of a volume, or object with meshkit's label; no state on this machine."""
    assert story.left == []
    assert not story.state_left


def test_a_new_federation_has_a_new_ca_and_new_secrets(story: Story) -> None:
    """Nothing of the old one is used again."""
    assert set(story.old) == set(story.identities[-1])
    assert all(story.old[name] != story.identities[-1][name] for name in story.old)


def test_a_gateway_without_an_address_is_named_within_the_timeout(story: Story) -> None:
    """One line with the cluster and what is missing, and a hint with the command that shows why."""
    code, said = story.no_address
    assert code == 1
    assert "not after 3 s: the load balancer has no address yet" in said
    assert "describe service meshkit-mesh-gateway" in said


def test_killed_anywhere_it_goes_on_with_the_same_ca_and_keys(story: Story) -> None:
    """After each kill, and at the end."""
    assert len(story.identities) == len(KILLS) + 1
    assert all(identity == story.identities[0] for identity in story.identities)


def test_ctrl_c_says_how_to_go_on(story: Story) -> None:
    """Exit code 130, one line and a hint."""
    code, said = story.interrupted
    assert code == INTERRUPTED
    assert "meshkit: error: interrupted" in said
    assert "meshkit: hint: run the same command again" in said


def test_no_temporary_intention_is_left(story: Story, federated: Mesh) -> None:
    """A run killed while requests were tried left its intentions; the last one took them away."""
    assert len(story.identities) == len(KILLS) + 1
    assert federated.intentions() == [("*", "*", "deny")]


def test_one_release_of_each_chart_is_deployed(story: Story, federated: Mesh) -> None:
    """Whatever a killed helm left behind is gone or done."""
    del story
    for context in federated.names:
        listed = federated.lab.get(context, "-n", NAMESPACE, "secrets", "-l", "owner=helm")["items"]
        newest = {s["metadata"]["labels"]["name"]: s["metadata"]["labels"]["status"] for s in listed}
        assert newest == {"consul": "deployed", "mesh-probe": "deployed"}
        assert not [s for s in listed if s["metadata"]["labels"]["status"].startswith("pending")]


def leftovers(lab: Lab, context: str) -> list[str]:
    """All that could be left of a federation in a cluster, with the folders of its volumes."""
    labelled = "secrets,configmaps,services,persistentvolumeclaims,pods"
    found = lab.kubectl(context, "get", labelled, "-A", "-l", "app.kubernetes.io/managed-by=meshkit", "-o", "name")
    names = lab.kubectl(context, "get", "namespaces", "-o", "name").split()
    volumes = lab.kubectl(context, "get", "persistentvolumes", "-o", "name").split()
    folder = register.find(context).folder / "volumes"
    folders = [str(path) for path in folder.iterdir()] if folder.exists() else []
    return found.split() + [n for n in names if n == f"namespace/{NAMESPACE}"] + volumes + _real(folders)


def _real(folders: list[str]) -> list[str]:
    return [folder for folder in folders if any(Path(folder).iterdir())]


def _without_address(mesh: Mesh) -> tuple[int, str]:
    """Another Service has the gateway's port in one cluster: how federate ends."""
    second = mesh.names[1]
    mesh.lab.apply(second, "default", service("greedy", "LoadBalancer", 443))
    address = "jsonpath={.status.loadBalancer.ingress[0].ip}"
    mesh.lab.kubectl(second, "wait", "service/greedy", f"--for={address}", "--timeout=30s")
    try:
        done = mesh.meshkit("federate", *mesh.names, "--timeout", "3", check=False)
    finally:
        mesh.lab.kubectl(second, "delete", "service", "greedy")
    return done.returncode, done.stderr
