"""No secret leaves: whatever is shown, logged, stored in the open or given to Helm is searched for every one."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from fakes.federation import FakeFederation
from meshkit.consul import names

Meshkit = Callable[..., Any]


def secrets_of(world: FakeFederation) -> dict[str, str]:
    """Every secret value of the federation by what it is."""
    held, authority = world.state.secrets(), (world.state.path / "authority.pem").read_text()
    assert held
    found = {f"token {name}": token.reveal() for name, token in held.tokens.items()}
    found["gossip key"] = held.gossip.reveal()
    found["CA key"] = _body(authority[authority.index("PRIVATE KEY") :])
    for dc in world.federation.datacenters:
        server = world.state.server_certificate(dc.name)
        assert server
        found[f"server key of {dc.name}"] = _body(server[1].reveal())
    return found


def _body(pem: str) -> str:
    """A line of a key that is the key itself: the first is the same for every key of its kind."""
    return [line for line in pem.splitlines() if "-----" not in line][1]


def leaks(texts: Iterable[str], secrets: dict[str, str]) -> set[str]:
    """Which secrets occur in which text, as they are or in base64."""
    found = set()
    for text in texts:
        for name, value in secrets.items():
            if value in text or base64.b64encode(value.encode()).decode() in text:
                found.add(name)
    return found


def in_the_open(world: FakeFederation) -> list[str]:
    """Helm's values and every object but Secrets."""
    texts = []
    for name, cluster in world.clusters.items():
        helm = world.wan.helms[name]
        for release in (names.CONSUL_RELEASE, names.PROBE_RELEASE):
            assert helm.values(release, "consul")
            texts.append(json.dumps(helm.values(release, "consul")))
            texts.append(str(helm.release(release, "consul")))
        texts += [json.dumps(m) for (kind, _, _), m in cluster._objects.items() if kind != "Secret"]
    return texts


def test_the_canary_sings() -> None:
    """The search finds what it should, or the tests below prove nothing."""
    secrets = {"a": "seCret", "b": "other"}
    assert leaks(["x seCret y"], secrets) == {"a"}
    assert leaks([base64.b64encode(b"other").decode()], secrets) == {"b"}
    assert leaks(["nothing"], secrets) == set()


def test_federate(meshkit: Meshkit, world: FakeFederation, caplog: pytest.LogCaptureFixture) -> None:
    """From plan to status no secret is printed, logged, reported as an event or kept in the open."""
    caplog.set_level(logging.DEBUG)
    texts = []
    for arguments in (
        ("federate", "aks", "eks", "--dry-run", "-o", "json"),
        ("federate", "aks", "eks", "-o", "json"),
        ("--verbose", "federate", "aks", "eks"),
        ("federate", "aks", "eks", "--dry-run"),
        ("status", "-o", "json"),
        ("status",),
        ("check", "-o", "junit"),
        ("allow", "web", "api"),
        ("intentions",),
    ):
        result = meshkit(*arguments)
        assert result.code == 0, result.err
        texts += [result.out, result.err]
    texts += [repr(event) for event in world.events]
    texts += [record.getMessage() for record in caplog.records]
    texts += [repr(world.context()), repr(world.state.secrets())]
    assert leaks(texts + in_the_open(world), secrets_of(world)) == set()


@pytest.mark.parametrize("broken", ["unreachable", "helm", "bug"])
def test_failure(meshkit: Meshkit, world: FakeFederation, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    """A run that fails, with --verbose at that, shows no secret either."""
    assert meshkit("federate", "aks", "eks").code == 0
    secrets = secrets_of(world)
    if broken == "unreachable":
        world.clusters["eks"].faults.unreachable = True
    elif broken == "helm":
        world.wan.helms["eks"].leave("consul", "consul", "failed")
        world.wan.helms["eks"].fails_with = "boom"
    else:
        monkeypatch.setattr(world.clusters["eks"], "get", lambda _: {}["nothing"])
    result = meshkit("--verbose", "federate", "aks", "eks")
    assert result.code == 1
    assert "Traceback" in result.err
    assert leaks([result.out, result.err, *map(repr, world.events)], secrets) == set()


def test_state_is_private(meshkit: Meshkit, world: FakeFederation) -> None:
    """What has the secrets is for the user's eyes only."""
    meshkit("federate", "aks", "eks")
    assert world.state.path.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in world.state.path.iterdir() if file.is_file()} == {0o600}
