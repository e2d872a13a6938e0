"""A forward whose API server is away or hangs closes the caller's connection and leaves nothing behind."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes.clock import FakeClock
from fakes.servers import CertificateFiles, api_server, kubeconfig, pod_server, raw_server, status
from meshkit.backends import channel, loopback
from meshkit.backends.base import Reply
from meshkit.backends.kube import KubeClient
from meshkit.errors import ForbiddenError, MeshkitError, UnreachableError

PATH = "/api/v1/namespaces/consul/pods/pod/portforward"


def closed(port: int) -> bool:
    """Whether a connection to the local port is taken and ends without a byte."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        try:
            return connection.recv(1) == b""
        except ConnectionResetError:
            return True


@pytest.fixture
def authority(tmp_path: Path) -> CertificateFiles:
    return CertificateFiles(tmp_path)


def client(tmp_path: Path, url: str, authority: CertificateFiles) -> KubeClient:
    return KubeClient("aks", kubeconfig(tmp_path / "kubeconfig", url, authority.certificate, token="t"))


def send(kube: KubeClient) -> Reply:
    """What a port of the pod answers."""
    return kube.loopback_send("pod", "consul", 9000, b"hello", 5.0)


def get(kube: KubeClient) -> list[str]:
    """A page of the pod's."""
    return list(kube.loopback_get("pod", "consul", 19000, ("/stats",)))


def test_hanging_server(tmp_path: Path, authority: CertificateFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes the connection and says nothing is left after the deadline."""
    monkeypatch.setattr(channel, "CONNECT_S", 0.05)
    with raw_server(b"") as url, client(tmp_path, url, authority).forward("pod", "consul", 8501) as port:
        assert closed(port)


def test_refusing_server(tmp_path: Path, authority: CertificateFiles) -> None:
    """A server that answers with an error instead of a tunnel."""
    with (
        api_server(authority.issue("server"), {PATH: status(403, "no")}) as url,
        client(tmp_path, url, authority).forward("pod", "consul", 8501) as port,
    ):
        assert closed(port)
        assert closed(port)


def test_untrusted_server(tmp_path: Path, authority: CertificateFiles) -> None:
    """The tunnel trusts the kubeconfig's CA and no other."""
    (tmp_path / "other").mkdir()
    other = CertificateFiles(tmp_path / "other", "other")
    with (
        api_server(other.issue("server"), {}) as url,
        client(tmp_path, url, authority).forward("pod", "consul", 8501) as port,
    ):
        assert closed(port)


def test_ended(tmp_path: Path, authority: CertificateFiles) -> None:
    """Nothing listens once the forward has ended."""
    with raw_server(b"x") as url:
        forward = client(tmp_path, url, authority).forward("pod", "consul", 8501)
    with forward as port:
        assert closed(port)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=10)


@pytest.mark.parametrize("look", [send, get])
@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        pytest.param(403, "cannot create resource pods/portforward", ForbiddenError, id="no leave"),
        pytest.param(502, "error dialing backend: connection refused", UnreachableError, id="no kubelet"),
    ],
)
def test_no_way_to_the_pod_is_no_answer_of_it(  # noqa: PLR0913, PLR0917 - a table
    tmp_path: Path,
    authority: CertificateFiles,
    code: int,
    message: str,
    kind: type[MeshkitError],
    look: Callable[[KubeClient], object],
) -> None:
    """The API server says why, and that is told: nobody has closed a connection."""
    with (
        api_server(authority.issue("server"), {PATH: status(code, message)}) as url,
        pytest.raises(kind, match=message),
    ):
        look(client(tmp_path, url, authority))


@pytest.mark.parametrize("look", [send, get])
def test_a_way_that_hangs_is_no_answer_of_the_pod(
    tmp_path: Path, authority: CertificateFiles, monkeypatch: pytest.MonkeyPatch, look: Callable[[KubeClient], object]
) -> None:
    """It is left after its deadline, which is not the one for the answer."""
    monkeypatch.setattr(loopback, "OPEN_S", 0.05)
    with raw_server(b"") as url, pytest.raises(UnreachableError, match="aks: no connection to pod pod"):
        look(client(tmp_path, url, authority))


def test_the_time_begins_with_the_way(
    tmp_path: Path, authority: CertificateFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An API server far away makes no pod slow, and takes nothing of its time to answer."""
    clock = FakeClock()
    monkeypatch.setattr(loopback, "monotonic", clock.monotonic)

    def answer(piece: bytes) -> bytes:
        clock.advance(0.25)
        return piece.upper()

    with pod_server(authority.issue("server"), answer, opening=lambda: clock.advance(2.5)) as url:
        assert send(client(tmp_path, url, authority)) == Reply(b"HELLO", ended=False, took_s=0.25)


def test_a_pod_that_closes(tmp_path: Path, authority: CertificateFiles) -> None:
    """Once there was a way to it, an end is its own."""
    with pod_server(authority.issue("server"), lambda _: b"") as url:
        reply = send(client(tmp_path, url, authority))

    assert (reply.data, reply.ended) == (b"", True)


def test_a_pods_pages(tmp_path: Path, authority: CertificateFiles) -> None:
    """Several over one connection, which is opened once."""
    opened: list[int] = []
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    with pod_server(authority.issue("server"), lambda _: page, opening=lambda: opened.append(1)) as url:
        assert client(tmp_path, url, authority).loopback_get("pod", "consul", 19000, ("/a", "/b")) == ["ok", "ok"]

    assert opened == [1]
