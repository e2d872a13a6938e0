"""A forward whose API server is away or hangs closes the caller's connection and leaves nothing behind."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from fakes.servers import CertificateFiles, api_server, kubeconfig, raw_server, status
from meshkit.backends import channel
from meshkit.backends.kube import KubeClient


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


def test_hanging_server(tmp_path: Path, authority: CertificateFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes the connection and says nothing is left after the deadline."""
    monkeypatch.setattr(channel, "CONNECT_S", 0.05)
    with raw_server(b"") as url, client(tmp_path, url, authority).forward("pod", "consul", 8501) as port:
        assert closed(port)


def test_refusing_server(tmp_path: Path, authority: CertificateFiles) -> None:
    """A server that answers with an error instead of a tunnel."""
    path = "/api/v1/namespaces/consul/pods/pod/portforward"
    with (
        api_server(authority.issue("server"), {path: status(403, "no")}) as url,
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
