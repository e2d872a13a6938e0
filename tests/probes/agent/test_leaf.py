"""The mesh certificate from Consul: fetched by the server's name, written whole, renewed; and what can go wrong."""

from __future__ import annotations

import dataclasses
import ssl
import time
from pathlib import Path

import pytest

from meshkit.errors import ForbiddenError, MeshkitError, UnreachableError
from meshkit.probes.agent import config, leaf
from probes.agent import tls
from probes.agent.agents import Agent, until
from probes.agent.servers import CONSUL_TOKEN, FakeConsul, FakeKubernetes


@pytest.fixture
def settings(tmp_path: Path, consul: FakeConsul) -> config.Identity:
    (tmp_path / "ca.crt").write_text(tls.ca())
    (tmp_path / "consul-token").write_text(CONSUL_TOKEN + "\n")
    return config.Identity(
        consul.url,
        "server.aks.consul",
        str(tmp_path / "ca.crt"),
        str(tmp_path / "consul-token"),
        "mesh-probe-aks",
        str(tmp_path / "identity"),
    )


def test_certificate_key_and_roots_are_files_that_fit_and_only_their_owner_reads(settings: config.Identity) -> None:
    found = leaf.fetch(settings)
    folder = Path(settings.directory)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    context.load_verify_locations(folder / "roots.pem")
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
        "cert.pem": 0o600,
        "key.pem": 0o600,
        "roots.pem": 0o600,
    }
    assert found.not_before < time.time() < found.renew_at < found.not_after


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        pytest.param({"server_name": "server.eks.consul"}, UnreachableError, id="a server of another name"),
        pytest.param({"server_name": ""}, UnreachableError, id="the address's name, which the certificate lacks"),
        pytest.param({"token_file": "/nowhere"}, UnreachableError, id="no token"),
        pytest.param({"ca": "/nowhere"}, UnreachableError, id="no CA"),
        pytest.param({"server": "https://localhost:1"}, UnreachableError, id="nobody listens"),
        pytest.param({"directory": "/proc/identity"}, UnreachableError, id="a folder that can't be"),
    ],
)
def test_what_is_in_the_way_is_one_line(
    settings: config.Identity, change: dict[str, str], kind: type[MeshkitError]
) -> None:
    with pytest.raises(kind) as failed:
        leaf.fetch(dataclasses.replace(settings, **change))
    assert "\n" not in failed.value.message
    assert CONSUL_TOKEN not in failed.value.message


def test_a_token_that_has_expired_is_refused_and_a_renewed_one_is_used(
    settings: config.Identity, consul: FakeConsul
) -> None:
    consul.tokens = {"renewed"}
    with pytest.raises(ForbiddenError, match="mesh-probe-aks"):
        leaf.fetch(settings)
    Path(settings.token_file).write_text("renewed")
    assert leaf.fetch(settings).serial


@pytest.mark.parametrize("token", ["one\r\nX-Other: two", "\u2713canary"])
def test_a_token_that_can_not_be_a_header_is_in_no_error(settings: config.Identity, token: str) -> None:
    Path(settings.token_file).write_text(token, encoding="utf-8", newline="")
    with pytest.raises(UnreachableError) as failed:
        leaf.fetch(settings)
    assert "canary" not in failed.value.message
    assert "two" not in failed.value.message


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param((500, b""), id="an internal error"),
        pytest.param((200, b"<html>"), id="no JSON"),
        pytest.param((200, b"[]"), id="no object"),
        pytest.param((200, b'{"CertPEM": "x"}'), id="half of it"),
        pytest.param(
            (200, b'{"Roots": [], "CertPEM": "", "PrivateKeyPEM": "", "SerialNumber": "1", "ValidAfter": "?"}'),
            id="a date that is none",
        ),
    ],
)
def test_garbage_leaves_the_files_as_they_are(
    settings: config.Identity, consul: FakeConsul, reply: tuple[int, bytes]
) -> None:
    leaf.fetch(settings)
    before = {path: path.read_bytes() for path in Path(settings.directory).iterdir()}
    consul.fault = lambda _method, _path: reply
    with pytest.raises(UnreachableError):
        leaf.fetch(settings)
    assert {path: path.read_bytes() for path in Path(settings.directory).iterdir()} == before


def test_a_certificate_that_has_ended_is_not_taken(settings: config.Identity, consul: FakeConsul) -> None:
    consul.life_s, consul.age_s = 60.0, 3600.0
    with pytest.raises(UnreachableError, match="has ended"):
        leaf.fetch(settings)


def _total(agent: Agent, *labels: str) -> float:
    return agent.metric("meshkit_probes_total", *labels) or 0.0


def test_an_agent_without_consul_says_so_and_gets_its_identity_when_consul_is_back(
    tmp_path: Path, kubernetes: FakeKubernetes, consul: FakeConsul
) -> None:
    healthy = consul.fault
    consul.fault = lambda _method, _path: (503, b"")
    agent = Agent(tmp_path, kubernetes, consul)
    series = {"source": "aks", "destination": "eks", "service": "gateway", "probe": "gateway"}
    target = {"host": "localhost", "port": consul.port, "verify": "mesh", "identity": "mesh"}
    wire = {"id": "g", "series": series, "mechanism": "tls", "target": target}
    kubernetes.schedule([wire | {"interval_s": 0.1, "timeout_s": 1.0, "expect": []}])
    with agent.running():
        until(lambda: agent.metric("meshkit_probes_total", 'reason="no_identity"'), "probes fail for want of it")
        assert "503" in agent.ask("/health")["failures"]["identity"]
        consul.fault = healthy
        until(lambda: agent.ask("/health")["identity_not_after"], "it is fetched")
        until(lambda: _total(agent) > _total(agent, 'reason="no_identity"'), "probes present it")
        assert agent.metric("meshkit_tls_cert_not_after_timestamp_seconds", 'probe="identity"')
        assert CONSUL_TOKEN not in str(agent.events)
