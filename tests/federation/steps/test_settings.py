"""Settings: written once in the primary, and what a user had set there before stays."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.consul import FakeConsul
from fakes.federation import FakeFederation
from meshkit.consul import acl
from meshkit.errors import DeadlineError, MeshkitError
from meshkit.federation.steps import datacenters, gateways, settings, trust

DENY = {"Name": "*", "Action": "deny"}


@pytest.fixture
def world() -> FakeFederation:
    """Two clusters with Consul, and nothing written to it yet."""
    made = FakeFederation()
    for step in (trust, gateways, datacenters):
        step.act(made.context())
    return made


def primary(world: FakeFederation) -> FakeConsul:
    return world.context().consul("aks")


def entry(world: FakeFederation, kind: str, name: str) -> dict[str, Any]:
    """A config entry of the primary without what Consul adds."""
    (found,) = [e for e in primary(world).config_entries(kind) if e["Name"] == name]
    found = {key: value for key, value in found.items() if not key.endswith("Index")}
    for source in found.get("Sources") or ():
        del source["Type"], source["Precedence"]
    return found


def test_everything_is_written_once(world: FakeFederation) -> None:
    """Policies, tokens, proxy defaults and default deny; a second look finds nothing lacking."""
    lacking = [change.what for change in settings.plan(world.context())]
    assert lacking == [
        *(f"ACL policy {name}" for name in acl.POLICIES),
        *(f"ACL token {name}" for name in ("replication", "agent", "dns", "mesh-gateway", "probe")),
        "proxy-defaults with gateway mode local",
        "default-deny intention",
    ]
    settings.act(world.context())
    assert settings.plan(world.context()) == ()
    assert entry(world, "proxy-defaults", "global")["MeshGateway"] == {"Mode": "local"}
    assert entry(world, "service-intentions", "*")["Sources"] == [DENY]


def test_plan_without_servers() -> None:
    """Where no server answers, the plan lists the whole."""
    changes = settings.plan(FakeFederation().context())
    assert [(c.action, c.datacenter) for c in changes] == [("create", "aks")] * 3


@pytest.mark.parametrize(
    "mode",
    [
        pytest.param({}, id="without a gateway mode"),
        pytest.param({"MeshGateway": {}}, id="with an empty gateway mode"),
        pytest.param({"MeshGateway": {"Mode": "remote"}}, id="with another gateway mode"),
    ],
)
def test_proxy_defaults_keep_their_other_fields(world: FakeFederation, mode: dict[str, Any]) -> None:
    """What a user has set in proxy-defaults stays; only the gateway mode becomes local."""
    theirs = {"Kind": "proxy-defaults", "Name": "global", "Config": {"protocol": "http"}, "Meta": {"owner": "sre"}}
    primary(world).write_config_entry(theirs | mode)
    settings.act(world.context())
    assert entry(world, "proxy-defaults", "global") == theirs | {"MeshGateway": {"Mode": "local"}}


def test_proxy_defaults_that_are_right_are_not_written(world: FakeFederation) -> None:
    """A run that has nothing to change leaves the entry's index alone."""
    settings.act(world.context())
    before = primary(world).config_entries("proxy-defaults")
    settings.act(world.context())
    assert primary(world).config_entries("proxy-defaults") == before


def test_default_deny_beside_sources_of_the_user(world: FakeFederation) -> None:
    """The wildcard entry may have sources already; they stay, and the denial comes beside them."""
    theirs = {"Name": "monitoring", "Action": "allow", "Description": "scrapes everything"}
    primary(world).write_config_entry({"Kind": "service-intentions", "Name": "*", "Sources": [theirs]})
    settings.act(world.context())
    assert entry(world, "service-intentions", "*")["Sources"] == [theirs, DENY]


def test_wildcard_allow_is_turned_into_deny(world: FakeFederation) -> None:
    """An intention that allows everything would make every other one meaningless; it becomes the denial."""
    everything = {"Name": "*", "Action": "allow", "Description": "for now"}
    primary(world).write_config_entry({"Kind": "service-intentions", "Name": "*", "Sources": [everything]})
    settings.act(world.context())
    assert [s["Action"] for s in entry(world, "service-intentions", "*")["Sources"]] == ["deny"]


def test_token_with_other_rights_is_set_right(world: FakeFederation) -> None:
    """A token that lacks a policy, or has one too many, is written again with the same secret and accessor."""
    settings.act(world.context())
    held = world.state.secrets()
    assert held
    secret = held.tokens["agent"].reveal()
    consul = primary(world)
    before = consul.token(secret)
    assert before
    consul.write_token(secret, before["AccessorID"], {"Policies": []})
    assert [c.what for c in settings.plan(world.context())] == ["ACL token agent"]
    settings.act(world.context())
    after = consul.token(secret)
    assert after
    assert after["AccessorID"] == before["AccessorID"]
    assert [p["Name"] for p in after["Policies"]] == ["meshkit-agent"]


def test_no_leader(world: FakeFederation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a leader nothing can be written, and the error says what was awaited and where."""
    monkeypatch.setattr(FakeConsul, "leader", lambda _: "")
    with pytest.raises(DeadlineError, match=r"^aks: not after 60 s: no leader yet$"):
        settings.act(world.context())


def test_state_without_tokens(world: FakeFederation) -> None:
    """Tokens that are in the clusters but no longer in the state directory are not made anew."""
    context = world.context()
    consul = context.consul("aks")
    (world.state.path / "secrets.json").unlink()
    with pytest.raises(MeshkitError, match="holds no tokens") as raised:
        settings._write_acls(context, consul)
    assert raised.value.hint == "restore it from a backup"
