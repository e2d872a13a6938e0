"""``meshkit capture`` on the gateways of a real federation: what passes is named and counted, no payload seen."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from clusters import DELAY_S, FIRST, SECOND, WAN, Lab
from federation.mesh import NAMESPACE, PROBE, SETTLED_S, Mesh, settles

from meshkit.lab.waiting import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.slow]

REQUESTS = 8
RTT_S, SLACK_S, NEAR_S = 2 * DELAY_S, 0.02, 0.01
PATIENCE_S = "10"
"""How long a request may take, in seconds; by itself wget waits for ever."""

CANARY = "canary-5c1f0d9b"
PROGRAM = "memfd_create"
"""Stands in the arguments of the program in the pod, and nowhere else there."""


@pytest.fixture(scope="module")
def federated(lab: Lab) -> Iterator[Mesh]:
    """Both clusters as one healthy federation in which the first one's probe may call the second one's."""
    mesh = Mesh(lab)
    mesh.federate()
    names = [f"mesh-probe-{name}" for name in mesh.names]
    mesh.meshkit("allow", *names)
    settles(lambda: mesh.request(FIRST, SECOND) == SECOND, "a request through the mesh")
    yield mesh
    mesh.meshkit("intentions", "--remove", *names)


class Capture:
    """``meshkit capture`` while it runs."""

    def __init__(self, mesh: Mesh, name: str, *options: str) -> None:
        self._mesh = mesh
        self.name = name
        # A test run in the background ignores SIGINT, and its children would too.
        command = ["env", "--default-signal=INT", str(Path(sys.executable).with_name("meshkit")), "capture", name]
        self.process = subprocess.Popen(
            [*command, "-o", "json", *options],
            env=mesh.lab.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def started(self) -> None:
        """Wait until the program in the pod captures."""
        wait_until(lambda: self.programs() == 1 or self.process.poll() is not None, SETTLED_S, "the program in the pod")
        assert self.process.poll() is None, self.process.communicate()[1]

    def programs(self) -> int:
        """How many such programs run in the gateway's pod."""
        pod = gateway(self._mesh, self.name)
        there = containers(self._mesh, self.name)
        if not there:
            return 0
        script = 'for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline; echo; done'
        listed = self._mesh.execute(self.name, (pod, there[-1]), "sh", "-c", script, check=False)
        return sum(PROGRAM in line and "tr " not in line for line in listed.splitlines())

    def ended(self, number: int = signal.SIGINT) -> tuple[dict[str, Any], str]:
        """Interrupt it; its result and what it said."""
        self.process.send_signal(number)
        out, said = self.process.communicate(timeout=SETTLED_S)
        assert self.process.returncode == 0, said
        return dict(json.loads(out)), said


@contextmanager
def capturing(mesh: Mesh, name: str, *options: str) -> Iterator[Capture]:
    """A capture that has begun; killed when the test leaves it behind."""
    capture = Capture(mesh, name, *options)
    with capture.process:
        try:
            capture.started()
            yield capture
        finally:
            capture.process.kill()


def gateway(mesh: Mesh, name: str) -> str:
    pods = mesh.lab.get(name, "-n", NAMESPACE, "pods", "-l", "component=mesh-gateway")["items"]
    (pod,) = (pod for pod in pods if not pod["metadata"].get("deletionTimestamp"))
    return str(pod["metadata"]["name"])


def containers(mesh: Mesh, name: str) -> list[str]:
    """The ephemeral containers of a datacenter's gateway that run."""
    status = mesh.lab.get(name, "-n", NAMESPACE, "pod", gateway(mesh, name))["status"]
    return [c["name"] for c in status.get("ephemeralContainerStatuses", ()) if "running" in c["state"]]


def services(document: dict[str, Any], way: str, name: str) -> list[dict[str, Any]]:
    """Connections to the probe of a datacenter."""
    return [
        each
        for each in document["connections"]
        if (each["way"], each["kind"], each.get("service")) == (way, "service", f"mesh-probe-{name}")
    ]


def requests(mesh: Mesh, path: str = "/", *, check: bool = True) -> None:
    """Requests through the mesh from the first datacenter to the second, each over a connection of its own.

    Without ``check`` some may fail: on a link that loses much, one may wait for ever for what was lost at its end.
    """
    port = mesh.upstream(FIRST, SECOND)
    wget = ("busybox", "timeout", PATIENCE_S, "busybox", "wget", "-qO-")
    for _ in range(REQUESTS):
        mesh.execute(FIRST, PROBE, *wget, f"http://127.0.0.1:{port}{path}", check=check)


def test_requests_are_named_and_counted_at_both_gateways(federated: Mesh, tmp_path: Path) -> None:
    """In and out at the near one, in at the far one; each handshake has the link's round trip on the right side.

    The pcap opens in tcpdump and meshkit alike, and a canary in the requests is in neither.
    """
    near_file = tmp_path / "near.pcap"
    with capturing(federated, FIRST, "-w", str(near_file)) as near, capturing(federated, SECOND) as far:
        requests(federated, f"/{CANARY}")
        (here, said), (there, _) = near.ended(), far.ended()
    arriving, leaving = (services(here, way, SECOND) for way in ("in", "out"))
    received = services(there, "in", SECOND)
    assert [len(each) for each in (arriving, leaving, received)] == [REQUESTS] * 3, (arriving, leaving, received)
    for each in (*arriving, *leaving, *received):
        assert each["destination"] == f"service mesh-probe-{SECOND} in {SECOND}"
        assert re.fullmatch(rf"mesh-probe-{SECOND}\.default\.{SECOND}\.internal\.[-0-9a-f]+\.consul", each["sni"])
        assert (each["state"] != "refused", each["client"]["retransmissions"]) == (True, 0)
    for each in leaving:
        assert RTT_S <= each["rtt_to_server"] <= RTT_S + SLACK_S
        assert each["rtt_to_client"] < NEAR_S
    for each in received:
        assert RTT_S <= each["rtt_to_client"] <= RTT_S + SLACK_S
        assert each["rtt_to_server"] < NEAR_S
    assert here["lost"] == there["lost"] == {"kernel": 0, "buffer": 0}
    assert here["names"][federated.lab.get(SECOND, "nodes")["items"][0]["status"]["addresses"][0]["address"]]
    _check_file(federated, near_file, here)
    assert CANARY not in json.dumps(here) + json.dumps(there) + said


def _check_file(mesh: Mesh, file: Path, document: dict[str, Any]) -> None:
    shown = subprocess.run(["tcpdump", "-nr", str(file)], capture_output=True, text=True, check=True)
    assert len(shown.stdout.splitlines()) == document["packets"]
    assert CANARY.encode() not in file.read_bytes()
    again = json.loads(mesh.meshkit("capture", "--read", str(file), "-o", "json").stdout)
    assert again["packets"] == document["packets"]
    assert _kinds(again) == _kinds(document)


def _kinds(document: dict[str, Any]) -> Counter[tuple[str, str]]:
    return Counter((each["way"], each["destination"]) for each in document["connections"] if each["sni"])


def test_servers_that_come_back_are_named_by_their_protocol(federated: Mesh) -> None:
    """WAN gossip and RPC of Consul's servers, whose long connections begin anew when one restarts."""
    wanted = {f"WAN gossip to {FIRST}", f"server RPC in {FIRST}"}
    with capturing(federated, FIRST, "--sni", "*.consul") as capture:
        federated.kubectl(SECOND, "delete", "pod", "consul-server-0")
        federated.kubectl(SECOND, "rollout", "status", "statefulset/consul-server", "--timeout=120s")
        settles(lambda: federated.status()["healthy"], "both datacenters see each other")
        document, _ = capture.ended()
    assert wanted <= {each["destination"] for each in document["destinations"] if each["way"] == "in"}
    protocols = {p for each in document["connections"] for p in each["alpn"] or ()}
    assert protocols & {"consul/wan-gossip/packet", "consul/wan-gossip/stream"}
    assert "consul/rpc-multi" in protocols


def test_loss_on_the_link_is_seen_as_segments_sent_again(federated: Mesh) -> None:
    """On the leg that crosses it, and on no other."""
    lab = federated.lab
    lab.meshkit("lab", "link", FIRST, SECOND, "--delay", "35ms", "--loss", "15%")
    try:
        with capturing(federated, FIRST) as capture:
            requests(federated, check=False)
            requests(federated, check=False)
            document, _ = capture.ended()
    finally:
        lab.meshkit("lab", "link", FIRST, SECOND, *WAN)
    crossing, local = (services(document, way, SECOND) for way in ("out", "in"))
    again = sum(each[side]["retransmissions"] for each in crossing for side in ("client", "server"))
    assert again > 0
    assert sum(each[side]["retransmissions"] for each in local for side in ("client", "server")) == 0


def test_a_capture_leaves_no_process_behind_and_its_container_serves_the_next(federated: Mesh) -> None:
    """Also when meshkit is killed: the program sees that nobody reads."""
    with capturing(federated, SECOND) as capture:
        before = containers(federated, SECOND)
        capture.process.kill()
        settles(lambda: capture.programs() == 0, "the program's end")
    with capturing(federated, SECOND) as capture:
        capture.ended()
        assert capture.programs() == 0
    assert containers(federated, SECOND) == before
    assert len(before) == 1


def test_a_gateway_that_goes_meanwhile_is_told(federated: Mesh) -> None:
    """What came before is shown, and the exit code is 1."""
    with capturing(federated, SECOND) as capture:
        requests(federated)
        federated.kubectl(SECOND, "delete", "pod", gateway(federated, SECOND), "--wait=false")
        out, said = capture.process.communicate(timeout=SETTLED_S)
    assert capture.process.returncode == 1
    assert services(json.loads(out), "in", SECOND)
    assert re.search(rf"error: {SECOND}: .*consul-mesh-gateway", said)
    federated.kubectl(SECOND, "rollout", "status", "deployment/consul-mesh-gateway", "--timeout=120s")
    settles(lambda: federated.request(FIRST, SECOND) == SECOND, "a request through the new gateway")


def test_pod_security_that_forbids_it_is_one_clear_error(federated: Mesh) -> None:
    """By the real API server, on a pod that has no such container yet."""
    label = "pod-security.kubernetes.io/enforce"
    federated.kubectl(SECOND, "rollout", "restart", "deployment/consul-mesh-gateway")
    federated.kubectl(SECOND, "rollout", "status", "deployment/consul-mesh-gateway", "--timeout=120s")
    federated.lab.kubectl(SECOND, "label", "namespace", NAMESPACE, f"{label}=baseline", "--overwrite")
    try:
        settles(lambda: _one_gateway(federated), "the old gateway's end")
        refused = federated.meshkit("capture", SECOND, "--for", "1s", check=False)
    finally:
        federated.lab.kubectl(SECOND, "label", "namespace", NAMESPACE, f"{label}-")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"error: {SECOND}: Pod Security does not let a container capture packets" in refused.stderr
    assert "hint: capture on the node with tcpdump" in refused.stderr


def _one_gateway(mesh: Mesh) -> bool:
    return len(mesh.lab.get(SECOND, "-n", NAMESPACE, "pods", "-l", "component=mesh-gateway")["items"]) == 1
