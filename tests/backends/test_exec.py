"""Exec against servers that refuse, hang or are not to be trusted: an error in words, and nothing left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.servers import CertificateFiles, api_server, kubeconfig, raw_server, status
from meshkit.backends import channel
from meshkit.backends.kube import KubeClient
from meshkit.errors import ForbiddenError, MeshkitError, NotFoundError, UnreachableError

EXEC = "/api/v1/namespaces/consul/pods/pod/exec"


@pytest.fixture
def authority(tmp_path: Path) -> CertificateFiles:
    return CertificateFiles(tmp_path)


def start(tmp_path: Path, url: str, authority: CertificateFiles) -> None:
    """Run a command there, and end it at once."""
    client = KubeClient("aks", kubeconfig(tmp_path / "kubeconfig", url, authority.certificate, token="t"))
    with client.exec("pod", "consul", "agent", ("python3", "run")):
        pass


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (403, "pods is forbidden: cannot create resource pods/exec", ForbiddenError),
        (404, 'pods "pod" not found', NotFoundError),
        (500, "container not found", MeshkitError),
        (503, "apiserver is shutting down", UnreachableError),
    ],
)
def test_a_refusal_is_in_the_servers_words(
    tmp_path: Path, authority: CertificateFiles, code: int, message: str, kind: type[MeshkitError]
) -> None:
    with (
        api_server(authority.issue("server"), {EXEC: status(code, message)}) as url,
        pytest.raises(kind, match="aks: ") as caught,
    ):
        start(tmp_path, url, authority)
    assert message in caught.value.message


def test_a_server_that_hangs(tmp_path: Path, authority: CertificateFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "CONNECT_S", 0.05)
    with raw_server(b"") as url, pytest.raises(UnreachableError, match="no connection to pod pod"):
        start(tmp_path, url, authority)


def test_a_server_of_another_authority(tmp_path: Path, authority: CertificateFiles) -> None:
    (tmp_path / "other").mkdir()
    other = CertificateFiles(tmp_path / "other", "other")
    with api_server(other.issue("server"), {}) as url, pytest.raises(UnreachableError, match="no connection"):
        start(tmp_path, url, authority)
