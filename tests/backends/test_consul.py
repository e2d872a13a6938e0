"""Consul's servers as they may answer: not yet, not this token, not at all, or not Consul."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fakes.servers import CertificateFiles, api_server, raw_server
from meshkit.backends import consul as consul_module
from meshkit.backends.consul import ConsulClient
from meshkit.errors import ForbiddenError, MeshkitError, UnreachableError

TOKEN = "canary-of-a-token"
POLICIES = "/v1/acl/policies"
SELF = "/v1/acl/token/self"


@contextmanager
def serving(tmp_path: Path, answers: dict[str, tuple[int, str]]) -> Iterator[ConsulClient]:
    """A client of a server with fixed answers."""
    authority = CertificateFiles(tmp_path)
    with api_server(authority.issue("server"), answers) as url:
        client = ConsulClient("aks", urlsplit(url).port or 0, TOKEN, str(authority.certificate))
        yield client
        client.close()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param((403, "ACL not found"), UnreachableError, id="a token that replication has not brought yet"),
        pytest.param((403, "Permission denied"), ForbiddenError, id="a token that may not"),
        pytest.param((500, "No cluster leader"), UnreachableError, id="an election"),
        pytest.param((500, "rpc error getting client"), UnreachableError, id="a datacenter that is away"),
        pytest.param((500, "boom"), MeshkitError, id="an internal error"),
        pytest.param((200, "<html>"), MeshkitError, id="something that is not Consul"),
    ],
)
def test_failure(tmp_path: Path, answer: tuple[int, str], kind: type[MeshkitError]) -> None:
    """Every failure names the datacenter, keeps the token to itself, and is of the kind that callers branch on."""
    with serving(tmp_path, {POLICIES: answer}) as consul, pytest.raises(MeshkitError) as caught:
        consul.policies()
    error = caught.value
    assert error.message.startswith("aks: ")
    assert TOKEN not in f"{error.message}{error.hint}{error.detail}"
    assert isinstance(error, kind)
    assert kind is not MeshkitError or type(error) is MeshkitError


@pytest.mark.parametrize("answer", [(403, "ACL not found"), (403, "Permission denied"), (404, "")])
def test_unknown_token(tmp_path: Path, answer: tuple[int, str]) -> None:
    """However a server says that it does not know a token, it is None."""
    with serving(tmp_path, {SELF: answer}) as consul:
        assert consul.token("other") is None


def test_another_authority(tmp_path: Path) -> None:
    """The token is not sent to a server that our own CA did not sign."""
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
    ours, theirs = CertificateFiles(tmp_path / "ours"), CertificateFiles(tmp_path / "theirs")
    with api_server(theirs.issue("server"), {POLICIES: (200, "[]")}) as url:
        consul = ConsulClient("aks", urlsplit(url).port or 0, TOKEN, str(ours.certificate))
        with pytest.raises(UnreachableError):
            consul.policies()
        consul.close()


def test_silent_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that says nothing is left after the deadline."""
    monkeypatch.setattr(consul_module, "TIMEOUT_S", (0.05, 0.05))
    authority = CertificateFiles(tmp_path)
    with raw_server(b"") as url:
        consul = ConsulClient("aks", urlsplit(url).port or 0, TOKEN, str(authority.certificate))
        with pytest.raises(UnreachableError, match="did not answer"):
            consul.leader()
        consul.close()


@pytest.mark.parametrize("address", ["consul.example.com", "https://consul.example.com:8501", "127.0.0.1:1"])
def test_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """A user's own CONSUL_HTTP settings, in whatever form, do not lead meshkit elsewhere."""
    monkeypatch.setenv("CONSUL_HTTP_ADDR", address)
    monkeypatch.setenv("CONSUL_HTTP_TOKEN", "other")
    monkeypatch.setenv("CONSUL_HTTP_SSL_VERIFY", "false")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    with serving(tmp_path, {"/v1/status/leader": (200, '"10.0.0.1:8300"')}) as consul:
        assert consul.leader() == "10.0.0.1:8300"


@pytest.mark.parametrize(
    ("answer", "done"),
    [
        pytest.param("true", True, id="written"),
        pytest.param("{}", True, id="deleted without check-and-set"),
        pytest.param("false", False, id="a lost race"),
    ],
)
def test_check_and_set(tmp_path: Path, answer: str, done: bool) -> None:  # noqa: FBT001 - a row
    """A lost race is a 200 too; only the body says so."""
    with serving(tmp_path, {"/v1/config": (200, answer), "/v1/config/service-intentions/api": (200, answer)}) as consul:
        assert consul.write_config_entry({"Kind": "service-intentions", "Name": "api"}, cas=7) is done
        assert consul.delete_config_entry("service-intentions", "api", cas=7) is done


def test_policy_rules(tmp_path: Path) -> None:
    """Only policies that were asked for are read, by id."""
    policies = '[{"ID": "1", "Name": "ours"}, {"ID": "2", "Name": "theirs"}]'
    rules = '{"ID": "1", "Name": "ours", "Rules": "acl = \\"read\\"\\n"}'
    with serving(tmp_path, {POLICIES: (200, policies), "/v1/acl/policy/1": (200, rules)}) as consul:
        assert consul.policy_rules({"ours", "missing"}) == {"ours": 'acl = "read"\n'}
