"""Wiring: contexts are checked together, and Consul is opened once, through a server that is ready."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from fakes.federation import FakeFederation
from meshkit.backends.base import Ref
from meshkit.cli import wiring
from meshkit.errors import MeshkitError, UnreachableError, UsageError
from meshkit.federation import runner
from meshkit.federation.state import State
from meshkit.federation.steps import datacenters, gateways, trust
from meshkit.model import Datacenter

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://192.0.2.1:6443"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: aks, context: {cluster: c, user: u}}]
"""


class FakeClient:
    """Notes how it was made and whether it was closed; ``answers`` are what its servers say of their leader."""

    made: list[tuple[Any, ...]]
    answers: list[str | MeshkitError]
    closed: int

    def __init__(self, *arguments: Any) -> None:
        type(self).made.append(arguments)

    def leader(self) -> str:
        answer = self.answers.pop(0)
        if isinstance(answer, MeshkitError):
            raise answer
        return answer

    def close(self) -> None:
        type(self).closed += 1


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> type[FakeClient]:
    """In place of Consul's client."""
    monkeypatch.setattr(FakeClient, "made", [], raising=False)
    monkeypatch.setattr(FakeClient, "closed", 0, raising=False)
    monkeypatch.setattr(FakeClient, "answers", ["10.42.0.9:8300"], raising=False)
    monkeypatch.setattr(wiring, "ConsulClient", FakeClient)
    return FakeClient


def test_every_unknown_context_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two contexts that do not exist are two lines of one error."""
    (tmp_path / "config").write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    datacenters = tuple(Datacenter(name, name) for name in ("aks", "eks", "gke"))
    with pytest.raises(UsageError, match="2 contexts can't be used") as raised:
        wiring.open_clusters(datacenters)
    assert "eks" in raised.value.detail.splitlines()[0]
    assert "gke" in raised.value.detail.splitlines()[1]


def test_consul_through_a_ready_server(clients: type[FakeClient]) -> None:
    """The client gets the forwarded port, the management token and a file with the CA; all end with the run."""
    mesh = FakeFederation()
    runner.run(mesh.context())
    with ExitStack() as stack:
        wiring._ConsulConnections(mesh.federation, mesh.state, mesh.clusters, stack).open("eks")
        name, port, token, ca_file = clients.made[0]
        held, authority = mesh.state.secrets(), mesh.state.authority()
        assert held
        assert authority
        assert (name, port, token) == ("eks", 18501, held.tokens["bootstrap"].reveal())
        assert Path(ca_file).read_text() == authority.certificate_pem
    assert clients.closed == 1
    assert not Path(ca_file).exists()


def _started() -> FakeFederation:
    """Two servers run in each datacenter."""
    mesh = FakeFederation(servers=2)
    for step in (trust, gateways, datacenters):
        step.act(mesh.context())
    for cluster in mesh.clusters.values():
        for _ in range(3):  # looks until the pods run
            cluster.get(Ref("StatefulSet", "consul-server", "consul"))
    return mesh


@pytest.mark.parametrize(
    ("answers", "closed"),
    [
        pytest.param(["", "10.42.0.9:8300"], 1, id="the first knows no leader"),
        pytest.param([UnreachableError("eks: refused"), "10.42.0.9:8300"], 1, id="the first does not answer"),
        pytest.param(["10.42.0.9:8300"], 0, id="the first will do"),
    ],
)
def test_another_server_is_asked(clients: type[FakeClient], answers: list[str | MeshkitError], closed: int) -> None:
    """One server that is of no use does not keep the others from being asked, and its connection is closed."""
    mesh = _started()
    clients.answers = answers
    with ExitStack() as stack:
        wiring._ConsulConnections(mesh.federation, mesh.state, mesh.clusters, stack).open("aks")
        assert clients.closed == closed


@pytest.mark.parametrize("answers", [pytest.param([""], id="no leader"), pytest.param([], id="no server")])
def test_no_leader(clients: type[FakeClient], answers: list[str | MeshkitError]) -> None:
    """Without a leader there is nobody to speak to, which may pass; nothing stays open."""
    mesh = FakeFederation()
    runner.run(mesh.context())
    clients.answers = answers
    if not answers:
        mesh.clusters["eks"].remove(Ref("StatefulSet", "consul-server", "consul"))
    with ExitStack() as stack, pytest.raises(UnreachableError, match="eks: no Consul server has a leader yet"):
        wiring._ConsulConnections(mesh.federation, mesh.state, mesh.clusters, stack).open("eks")
    assert clients.closed == len(clients.made)


def test_a_token_that_can_not_be_read_is_no_servers_fault(clients: type[FakeClient]) -> None:
    """It is in the primary's cluster, which is away: that is told, and asked once and not for each server."""
    mesh = _started()
    away = mesh.clusters["aks"].faults
    away.unreachable, away.calls = True, 0
    with ExitStack() as stack, pytest.raises(UnreachableError, match="aks: the API server cannot be reached") as raised:
        wiring._ConsulConnections(mesh.federation, State("elsewhere"), mesh.clusters, stack).open("eks")
    assert "the management token is in the primary's cluster" in raised.value.hint
    assert (away.calls, clients.made) == (1, [])


def test_who_waits_for_a_failure_has_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """One attempt at what hangs is enough for all who asked meanwhile."""
    asked, barrier, made = threading.Semaphore(0), threading.Barrier(4), []
    failures: list[str] = []

    class Watched(Future[str]):
        def result(self, timeout: float | None = None) -> str:
            asked.release()
            return super().result(timeout)

    def make(name: str) -> str:
        made.append(name)
        for _ in range(3):
            assert asked.acquire(timeout=10)
        raise UnreachableError(f"{name}: hangs")

    monkeypatch.setattr(wiring, "Future", Watched)
    once = wiring._Once(make)

    def ask() -> None:
        barrier.wait()
        with pytest.raises(UnreachableError) as raised:
            once("aks")
        failures.append(raised.value.message)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (made, failures) == (["aks"], ["aks: hangs"] * 4)


def test_opened_once_by_many_threads() -> None:
    """Threads that ask at the same time get the same thing."""
    made: list[str] = []
    barrier = threading.Barrier(4)
    once = wiring._Once(lambda name: made.append(name) or name)

    def ask() -> None:
        barrier.wait()
        assert once("aks") == "aks"

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["aks"]


def test_a_failure_to_open_is_not_remembered() -> None:
    """What could not be opened is tried again at the next look."""
    answers = [MeshkitError("not yet"), None]

    def make(name: str) -> str:
        answer = answers.pop(0)
        if answer:
            raise answer
        return name

    once = wiring._Once(make)
    with pytest.raises(MeshkitError, match="not yet"):
        once("aks")
    assert once("aks") == "aks"
