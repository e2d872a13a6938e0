"""Settings: written once in the primary, and what a user had set there before stays."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.consul import FakeConsul
from fakes.federation import FakeFederation
from fakes.kube import Rollout
from meshkit.consul import acl
from meshkit.errors import DeadlineError, MeshkitError
from meshkit.events import Progress
from meshkit.federation import workloads
from meshkit.federation.change import Change
from meshkit.federation.steps import datacenters, gateways, settings, trust

SERVERS = ("StatefulSet", "consul", "consul-server")
DENY = {"Name": "*", "Action": "deny"}


@pytest.fixture
def world() -> FakeFederation:
    """Two clusters with Consul, whose primary leads, and nothing written to it yet."""
    made = FakeFederation()
    for step in (trust, gateways, datacenters):
        step.act(made.context())
    workloads.wait(made.context(), "test", made.federation.primary, workloads.SERVERS)
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


def test_policy_of_an_older_release(world: FakeFederation) -> None:
    """Rules that are no longer meshkit's are an update, and are written; the policy and the others stay as they are."""
    settings.act(world.context())
    before = primary(world).policies()
    primary(world).write_policy("meshkit-agent", 'node_prefix "" { policy = "read" }', "older")
    assert settings.plan(world.context()) == (Change("update", "ACL policy meshkit-agent", "aks", "its rules changed"),)
    settings.act(world.context())
    assert settings.plan(world.context()) == ()
    assert primary(world).policy_rules(acl.POLICIES) == acl.POLICIES
    assert primary(world).policies() == before


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


def test_what_somebody_writes_at_the_same_moment_is_not_lost(
    world: FakeFederation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxy defaults are left to them and the run ends; the intentions that they write are kept."""
    plain = FakeConsul.write_config_entry
    theirs = {
        "proxy-defaults": {"Kind": "proxy-defaults", "Name": "global", "Config": {"protocol": "http"}},
        "service-intentions": {
            "Kind": "service-intentions",
            "Name": "*",
            "Sources": [{"Name": "web", "Action": "allow"}],
        },
    }

    def overtaken(self: FakeConsul, written: dict[str, Any], **options: Any) -> bool:
        if first := theirs.pop(written["Kind"], None):
            plain(self, first)
        return plain(self, written, **options)

    monkeypatch.setattr(FakeConsul, "write_config_entry", overtaken)
    with pytest.raises(MeshkitError, match="somebody else is changing proxy-defaults") as raised:
        settings.act(world.context())
    assert raised.value.hint == "run again"
    settings.act(world.context())
    assert entry(world, "proxy-defaults", "global")["Config"] == {"protocol": "http"}
    assert {s["Name"]: s["Action"] for s in entry(world, "service-intentions", "*")["Sources"]} == {
        "web": "allow",
        "*": "deny",
    }


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


@pytest.fixture
def installed() -> FakeFederation:
    """Two clusters with what Consul's release needs."""
    made = FakeFederation()
    for step in (trust, gateways):
        step.act(made.context())
    return made


def broken(installed: FakeFederation, rollout: Rollout) -> None:
    """Let the primary's servers come up as ``rollout`` says, with an event and a log to show."""
    cluster = installed.clusters["aks"]
    plain = installed.wan.helms["aks"]._put

    def put(manifest: dict[str, Any], values: Any) -> None:
        plain(manifest, values)
        if manifest["kind"] == "StatefulSet":
            cluster.rollouts[SERVERS] = rollout

    installed.wan.helms["aks"]._put = put  # type: ignore[method-assign]
    cluster.pod_logs["consul-server-0", "server"] = "==> starting\n==> failed to load key\n"
    for number, (pod, message) in enumerate((("consul-server-0", "Back-off restarting"), ("other", "not ours"))):
        metadata = {"name": f"e{number}", "namespace": "consul"}
        about = {"kind": "Pod", "name": pod}
        cluster.put(
            {"kind": "Event", "metadata": metadata, "involvedObject": about, "reason": "BackOff", "message": message}
        )


def test_pod_that_does_not_start_in_time(installed: FakeFederation) -> None:
    """The error shows the pod, why its container waits, its events and its last log lines, and nobody else's."""
    broken(installed, Rollout(waits_for=lambda: "CrashLoopBackOff"))
    datacenters.act(installed.context())
    with pytest.raises(DeadlineError, match=r"^aks: not after 60 s: the Consul server did not answer$") as raised:
        settings.act(installed.context())
    assert raised.value.detail.splitlines() == [
        "pod consul-server-0: Pending",
        "  container server: CrashLoopBackOff",
        "  event BackOff: Back-off restarting",
        "  server | ==> starting",
        "  server | ==> failed to load key",
    ]
    assert raised.value.hint == "kubectl --context aks -n consul get pods,events"


def test_pod_that_can_never_start(installed: FakeFederation) -> None:
    """An image that is not there is not waited for, and the pod's own words are shown."""
    broken(installed, Rollout(image_missing=True))
    datacenters.act(installed.context())
    with pytest.raises(
        MeshkitError, match=r"^aks: pod consul-server-0 can't start: server: ErrImageNeverPull$"
    ) as raised:
        settings.act(installed.context())
    assert installed.clock.slept_s < 5
    assert "event BackOff: Back-off restarting" in raised.value.detail
    assert raised.value.hint == "kubectl --context aks -n consul describe pod consul-server-0"


def test_cluster_that_is_away_while_it_is_waited_for(installed: FakeFederation) -> None:
    """An API server that does not answer for a while counts as not yet."""
    faults = installed.clusters["aks"].faults
    broken(installed, Rollout(polls=30))
    installed.clock.at(installed.clock.slept_s + 2, lambda: setattr(faults, "unreachable", True))
    installed.clock.at(installed.clock.slept_s + 9, lambda: setattr(faults, "unreachable", False))
    datacenters.act(installed.context())
    settings.act(installed.context())
    assert Progress("settings", "the API server cannot be reached", "aks") in installed.events
