"""Capturing at gateways: in which pods, by which container, until when, and what is said when it fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from capture.traffic import tls
from fakes.captures import _Program, counts, packet
from fakes.federation import FakeFederation
from fakes.kube import FakeCluster
from meshkit.backends.base import Ref
from meshkit.capture import saved
from meshkit.capture.files import Writer
from meshkit.capture.pod import wire
from meshkit.capture.result import Losses, Result
from meshkit.capture.session import Session, Wanted
from meshkit.errors import ConflictError, DeadlineError, ForbiddenError, MeshkitError, NotFoundError, UsageError
from meshkit.federation.capture import container, place, tap
from meshkit.federation.capture.run import Capture

POD = "consul-mesh-gateway-6d5f8b9c4-0"
SECOND = "consul-mesh-gateway-6d5f8b9c4-1"
PACKETS = tls(out=True, server_port=443).packets
SHORT_S = 0.01


@pytest.fixture
def cluster(mesh: FakeFederation) -> FakeCluster:
    return mesh.clusters["aks"]


def found(mesh: FakeFederation, **options: Any) -> place.Place:
    return place.find(mesh.context(), mesh.federation.datacenters[0], **options)


def capture(
    mesh: FakeFederation, wanted: Wanted | None = None, writer: Writer | None = None, for_s: float | None = SHORT_S
) -> tuple[Result, list[MeshkitError]]:
    where = found(mesh)
    run = Capture(mesh.context(), where, Session("aks", wanted or Wanted(), writer, where.ports))
    return run.run(for_s, lambda _result, _seconds: None), run.failures


def containers(cluster: FakeCluster, pod: str = POD) -> list[dict[str, Any]]:
    manifest = cluster.find(Ref("Pod", pod, "consul"))
    assert manifest
    return list(manifest["spec"].get("ephemeralContainers") or ())


def two_pods(cluster: FakeCluster) -> None:
    manifest = cluster.find(Ref("Pod", POD, "consul"))
    assert manifest
    manifest["metadata"]["name"] = SECOND
    cluster.put(manifest)


class TestPlace:
    """Where."""

    def test_pods_ports_and_names(self, mesh: FakeFederation) -> None:
        """The ports are the gateway's own and the public ones; the names those of pods here and gateways there."""
        where = found(mesh)
        assert (where.pods, where.ports) == ((POD,), {8443, 443})
        assert where.names["203.0.113.2"] == "gateway of eks"
        assert "10.42.0.9" in where.names

    def test_more_ports_and_another_image(self, mesh: FakeFederation) -> None:
        where = found(mesh, ports=(20000,), image="registry.example/python:3.12")
        assert (where.ports, where.image) == ({8443, 443, 20000}, "registry.example/python:3.12")

    def test_the_image_is_the_agents(self, mesh: FakeFederation, cluster: FakeCluster) -> None:
        assert found(mesh).image == place.IMAGE
        (probe,) = cluster.list("Pod", "consul", selector="app=mesh-probe")
        probe["spec"]["containers"].append({"name": "agent", "image": "registry.example/python:3.13-slim"})
        cluster.put({"kind": "Pod", **probe})
        assert found(mesh).image == "registry.example/python:3.13-slim"

    def test_a_load_balancer_with_a_name(self, mesh: FakeFederation) -> None:
        """Packets have addresses: those behind another gateway's hostname are its own."""
        name = "mesh.elb.eu-west-1.amazonaws.com"
        mesh.names[name] = ("198.51.100.1", "198.51.100.2")
        service = mesh.clusters["eks"].find(Ref("Service", "meshkit-mesh-gateway", "consul"))
        assert service
        mesh.clusters["eks"].put(service | {"status": {"loadBalancer": {"ingress": [{"hostname": name}]}}})
        assert {found(mesh).names[address] for address in mesh.names[name]} == {"gateway of eks"}

    def test_a_port_that_the_service_names(self, mesh: FakeFederation, cluster: FakeCluster) -> None:
        """As the official chart does."""
        pod = cluster.find(Ref("Pod", POD, "consul"))
        service = cluster.find(Ref("Service", "meshkit-mesh-gateway", "consul"))
        assert pod
        assert service
        pod["spec"]["containers"][0]["ports"] = [
            {"name": "metrics", "containerPort": 9},
            {"name": "g", "containerPort": 7443},
        ]
        service["spec"]["ports"][0]["targetPort"] = "g"
        cluster.put(pod)
        cluster.put(service)
        assert found(mesh).ports == {7443, 443}

    def test_no_gateway_runs(self, mesh: FakeFederation, cluster: FakeCluster) -> None:
        cluster.remove(Ref("Pod", POD, "consul"))
        with pytest.raises(MeshkitError, match="aks: no mesh gateway runs") as caught:
            found(mesh)
        assert "get pods -l app=consul,component=mesh-gateway" in caught.value.hint

    def test_a_pod_that_ends_is_none(self, mesh: FakeFederation, cluster: FakeCluster) -> None:
        two_pods(cluster)
        manifest = cluster.find(Ref("Pod", POD, "consul"))
        assert manifest
        manifest["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        cluster.put(manifest)
        assert found(mesh).pods == (SECOND,)

    def test_one_pod_of_several(self, mesh: FakeFederation, cluster: FakeCluster) -> None:
        two_pods(cluster)
        assert found(mesh).pods == (POD, SECOND)
        assert found(mesh, pod=SECOND).pods == (SECOND,)
        with pytest.raises(UsageError, match="no gateway pod other runs") as caught:
            found(mesh, pod="other")
        assert caught.value.hint == f"there are {POD}, {SECOND}"

    def test_a_cluster_away_costs_only_a_name(self, mesh: FakeFederation) -> None:
        mesh.clusters["eks"].faults.unreachable = True
        assert "gateway of eks" not in found(mesh).names.values()


class TestContainer:
    """By which container."""

    def test_it_may_capture_and_nothing_else(self, mesh: FakeFederation, cluster: FakeCluster) -> None:
        capture(mesh)
        (made,) = containers(cluster)
        assert made["name"] == "meshkit-capture"
        security = made["securityContext"]
        assert security["capabilities"] == {"drop": ["ALL"], "add": ["NET_RAW"]}
        assert (security["readOnlyRootFilesystem"], security["allowPrivilegeEscalation"]) == (True, False)

    def test_the_one_that_is_there_is_used_again(self, mesh: FakeFederation, cluster: FakeCluster) -> None:
        for _ in range(3):
            capture(mesh)
        assert len(containers(cluster)) == 1

    def test_one_that_has_ended_gets_a_successor(self, mesh: FakeFederation, cluster: FakeCluster) -> None:
        capture(mesh)
        ended = [{"name": "meshkit-capture", "state": {"terminated": {"reason": "Completed"}}}]
        cluster.patch(
            Ref("Pod", POD, "consul"), {"status": {"ephemeralContainerStatuses": ended}}, subresource="status"
        )
        capture(mesh)
        assert [each["name"] for each in containers(cluster)] == ["meshkit-capture", "meshkit-capture-2"]

    def test_somebody_elses_container_stays(self, mesh: FakeFederation, cluster: FakeCluster) -> None:
        theirs = {"name": "debugger-x", "securityContext": {"capabilities": {"add": []}}}
        body = {"spec": {"ephemeralContainers": [theirs]}}
        cluster.patch(Ref("Pod", POD, "consul"), body, subresource="ephemeralcontainers")
        capture(mesh)
        assert [each["name"] for each in containers(cluster)] == ["debugger-x", "meshkit-capture"]

    def test_a_pod_that_changes_meanwhile_is_read_again(
        self, mesh: FakeFederation, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its status does so all the time."""
        patch, tries = cluster.patch, list[int]()

        def sometimes(*arguments: Any, **options: Any) -> Any:
            tries.append(1)
            if len(tries) < container.TRIES:
                raise ConflictError("aks: pod has been modified")
            return patch(*arguments, **options)

        monkeypatch.setattr(cluster, "patch", sometimes)
        capture(mesh)
        assert len(tries) == container.TRIES

    def test_pod_security_forbids_it(self, mesh: FakeFederation, cluster: FakeCluster) -> None:
        cluster.captures.pod_security = "baseline:latest"
        with pytest.raises(ForbiddenError, match="Pod Security does not let a container capture") as caught:
            capture(mesh)
        assert "--read" in caught.value.hint
        assert "pod-security.kubernetes.io/enforce=privileged" in caught.value.hint
        assert "baseline:latest" in caught.value.detail

    def test_a_permission_is_missing(self, mesh: FakeFederation, cluster: FakeCluster) -> None:
        cluster.faults.forbid("patch", "pods/ephemeralcontainers")
        with pytest.raises(ForbiddenError, match="pods/ephemeralcontainers") as caught:
            capture(mesh)
        assert "create pods/exec" in caught.value.hint

    @pytest.mark.parametrize(
        ("reason", "error"), [("ErrImageNeverPull", MeshkitError), ("ImagePullBackOff", DeadlineError)]
    )
    def test_it_does_not_start(
        self, mesh: FakeFederation, cluster: FakeCluster, reason: str, error: type[MeshkitError]
    ) -> None:
        """At once where time does not help."""
        cluster.captures.waiting = reason
        with pytest.raises(error, match=reason) as caught:
            capture(mesh)
        assert f"describe pod {POD}" in caught.value.hint

    def test_the_pod_goes_before_it_starts(self, mesh: FakeFederation, cluster: FakeCluster) -> None:
        where = found(mesh)
        cluster.remove(Ref("Pod", POD, "consul"))
        with pytest.raises(NotFoundError, match=f"pod {POD} is gone"):
            container.ensure(mesh.context(), where, POD)


class TestRun:
    """Until when, and what comes of it."""

    def test_packets_of_all_pods(self, mesh: FakeFederation, cluster: FakeCluster) -> None:
        two_pods(cluster)
        cluster.captures.packets = {POD: PACKETS, SECOND: tls(client_port=41000).packets}
        cluster.captures.last = counts(kernel=3, buffer=4)
        result, failures = capture(mesh, for_s=1.0)
        assert failures == []
        assert {(c.pod, c.way, c.meaning.label) for c in result.connections} == {
            (POD, "out", "service backend in aks"),
            (SECOND, "in", "service backend in aks"),
        }
        assert result.losses == Losses(kernel=6, buffer=8)
        assert sorted(cluster.captures.stopped) == sorted(cluster.captures.left) == [POD, SECOND]

    def test_what_is_asked_of_the_program(self, mesh: FakeFederation, cluster: FakeCluster) -> None:
        """The ports, and a deadline beyond which it ends by itself."""
        capture(mesh, for_s=2.0)
        assert cluster.captures.requests[POD] == {"ports": [443, 8443], "longest_s": 62.0}

    def test_enough_packets_are_an_end(self, mesh: FakeFederation, cluster: FakeCluster) -> None:
        cluster.captures.packets = {POD: PACKETS}
        result, _ = capture(mesh, Wanted(count=4), for_s=None)
        assert (result.packets, cluster.captures.stopped) == (4, [POD])

    def test_ctrl_c_is_an_end(self, mesh: FakeFederation, cluster: FakeCluster) -> None:
        """Its result is what came so far, and the program is told to stop."""
        cluster.captures.packets = {POD: PACKETS}
        where = found(mesh)

        def interrupt(result: Result, _: float) -> None:
            if result.packets == len(PACKETS):
                raise KeyboardInterrupt

        run = Capture(mesh.context(), where, Session("aks", Wanted(), None, where.ports))
        assert run.run(None, interrupt).packets == len(PACKETS)
        assert (run.failures, cluster.captures.stopped, cluster.captures.left) == ([], [POD], [POD])

    def test_a_pod_that_is_lost_does_not_end_the_others(self, mesh: FakeFederation, cluster: FakeCluster) -> None:
        two_pods(cluster)
        lost = MeshkitError("aks: the connection to the pod is lost")
        cluster.captures.raw = {POD: [counts(), packet(PACKETS[0]), lost]}
        cluster.captures.packets = {SECOND: tls(client_port=41000).packets}
        result, failures = capture(mesh, for_s=1.0)
        assert failures == [lost]
        assert result.packets == 1 + len(PACKETS)
        assert result.notes == (lost.message,)
        assert cluster.captures.stopped == [SECOND]

    def test_when_all_are_lost_it_ends(self, mesh: FakeFederation, cluster: FakeCluster) -> None:
        cluster.captures.raw = {POD: [counts(), MeshkitError("aks: lost")]}
        _, failures = capture(mesh, for_s=None)
        assert [error.message for error in failures] == ["aks: lost"]

    @pytest.mark.parametrize(
        ("said", "message", "hint"),
        [
            ([wire.message(wire.ERROR, {"errno": 1, "error": "not permitted"})], "not permitted", "no NET_RAW"),
            ([wire.message(wire.ERROR, {"errno": 97, "error": "no such family"})], "no such family", "tcpdump"),
            ([b"/bin/sh: python3: not found\n"], "is not to be understood", "Python"),
            ([wire.message(wire.COUNTS, [])], "is not to be understood", "Python"),
        ],
    )
    def test_programs_that_fail(
        self, mesh: FakeFederation, cluster: FakeCluster, said: list[bytes], message: str, hint: str
    ) -> None:
        cluster.captures.raw = {POD: said}
        _, failures = capture(mesh, for_s=None)
        assert [message in error.message and hint in error.hint for error in failures] == [True]

    def test_a_program_that_ends_by_itself_is_told(self, mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
        def ended(*_: Any) -> Iterator[bytes]:
            yield counts()

        monkeypatch.setattr(_Program, "chunks", ended)
        _, failures = capture(mesh, for_s=None)
        assert [error.message for error in failures] == [f"aks: the capture in pod {POD} has ended by itself"]

    def test_a_program_that_does_not_stop_is_left(
        self, mesh: FakeFederation, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its connection is dropped, which ends it."""

        def deaf(*_: Any) -> Iterator[bytes]:
            yield counts()
            while True:
                yield b""

        monkeypatch.setattr(tap, "LAST_WORDS_S", 0.0)
        monkeypatch.setattr(_Program, "chunks", deaf)
        _, failures = capture(mesh)
        assert (failures, cluster.captures.left) == ([], [POD])

    def test_a_heartbeat_is_sent(self, mesh: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
        sent: list[bytes] = []
        send = _Program.send
        monkeypatch.setattr(_Program, "send", lambda self, data: (sent.append(data), send(self, data)))
        monkeypatch.setattr(tap, "HEARTBEAT_S", -1.0)
        capture(mesh)
        assert wire.HEARTBEAT in sent[1:]
        assert sent[-1] == wire.STOP

    def test_the_file_can_be_read_while_it_grows(
        self, mesh: FakeFederation, cluster: FakeCluster, tmp_path: Path
    ) -> None:
        """For whoever has Wireshark follow it."""
        cluster.captures.packets = {POD: PACKETS}
        where, file, seen = found(mesh), tmp_path / "x.pcap", set[int]()

        def look(_result: Result, _seconds: float) -> None:
            if file.exists() and file.stat().st_size:
                seen.add(saved.read(file, Wanted()).packets)

        with Writer(file) as writer:
            Capture(mesh.context(), where, Session("aks", Wanted(), writer, where.ports)).run(1.2, look)
            assert len(PACKETS) in seen

    def test_a_full_disk_ends_all_pods_and_is_the_error(self, mesh: FakeFederation, cluster: FakeCluster) -> None:
        two_pods(cluster)
        cluster.captures.packets = {POD: PACKETS * 2000}
        with Writer(Path("/dev/full"), force=True) as writer:
            result, failures = capture(mesh, writer=writer, for_s=None)
        assert result.packets > 0
        assert ["No space left" in error.message for error in failures] == [True]
        assert SECOND in cluster.captures.stopped

    def test_a_cluster_away(self, mesh: FakeFederation, cluster: FakeCluster) -> None:
        cluster.faults.unreachable = True
        with pytest.raises(MeshkitError, match="aks: the API server cannot be reached"):
            capture(mesh)
