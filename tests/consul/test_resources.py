"""Config entries and custom resources: the same said in two spellings, under names that Kubernetes takes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from meshkit.consul import config_entries, resources
from meshkit.consul.config_entries import Intention
from meshkit.consul.resources import entry_of, service_intentions

HTTP = {
    "PathPrefix": "/",
    "Methods": ["GET"],
    "Header": [{"Name": "x-team", "Exact": "a", "IgnoreCase": True, "Invert": True}],
}
PERMISSIONS = {"Action": "allow", "HTTP": HTTP, "JWT": {"Providers": [{"Name": "okta"}]}}
CLAIMS = {"Name": "okta", "VerifyClaims": [{"Path": ["perms", "role"], "Value": "admin"}]}


def entry(*sources: dict[str, Any], name: str = "api", **more: Any) -> dict[str, Any]:
    """An entry as meshkit writes it."""
    return {"Kind": "service-intentions", "Name": name, "Sources": list(sources), **more}


def from_consul(written: dict[str, Any]) -> dict[str, Any]:
    """An entry as Consul gives it back."""
    added = {"Type": "consul", "Precedence": 9, "Namespace": "default", "Partition": "default", "LegacyID": ""}
    sources = [added | source for source in reversed(written["Sources"])]
    filled = {"Namespace": "default", "Partition": "default", "CreateIndex": 7, "ModifyIndex": 9, "Hash": 1}
    return written | filled | {"Sources": sources, "JWT": written.get("JWT"), "Meta": {"x": "y"}}


ENTRIES = [
    pytest.param(entry({"Name": "web", "Action": "allow"}), id="allow"),
    pytest.param(entry({"Name": "*", "Action": "deny"}, name="*"), id="default deny"),
    pytest.param(entry({"Name": "web", "Action": "allow", "Description": "meshkit run ab until x"}), id="description"),
    pytest.param(entry({"Name": "web", "Permissions": [PERMISSIONS]}), id="permissions"),
    pytest.param(entry({"Name": "web", "Peer": "p", "Action": "deny"}, {"Name": "web", "Action": "allow"}), id="peer"),
    pytest.param(entry({"Name": "web", "SamenessGroup": "g", "Action": "deny"}), id="sameness group"),
    pytest.param(entry({"Name": "web", "Action": "allow"}, JWT={"Providers": [CLAIMS]}), id="claims"),
]


@pytest.mark.parametrize("written", ENTRIES)
def test_there_and_back(written: dict[str, Any]) -> None:
    """A resource's entry is the entry it was made from, also as Consul gives that back; a resource can say it all."""
    back = entry_of(service_intentions(written, "consul", {}))
    assert back == written
    assert resources.says_the_same(back, from_consul(written))
    assert entry_of(service_intentions(from_consul(written), "consul", {})).keys() == written.keys()
    assert resources.is_expressible(from_consul(written))


def test_spelling() -> None:
    """The resource is spelled as the definition of its kind has it."""
    sources = [{"Name": "web", "Permissions": [PERMISSIONS], "Description": "d"}]
    made = service_intentions(entry(*sources, JWT={"Providers": [CLAIMS]}), "consul", {"a": "b"}, migrate=True)
    header = {"name": "x-team", "exact": "a", "ignoreCase": True, "invert": True}
    permission = {
        "action": "allow",
        "http": {"pathPrefix": "/", "methods": ["GET"], "header": [header]},
        "jwt": {"providers": [{"name": "okta"}]},
    }
    claims = {"name": "okta", "verifyClaims": [{"path": ["perms", "role"], "value": "admin"}]}
    assert made == {
        "apiVersion": "consul.hashicorp.com/v1alpha1",
        "kind": "ServiceIntentions",
        "metadata": {
            "name": "meshkit-api",
            "namespace": "consul",
            "labels": {"a": "b"},
            "annotations": {"consul.hashicorp.com/migrate-entry": "true"},
        },
        "spec": {
            "destination": {"name": "api"},
            "sources": [{"name": "web", "permissions": [permission], "description": "d"}],
            "jwt": {"providers": [claims]},
        },
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"Action": "allow"}, {"Action": "deny"}, id="action"),
        pytest.param({"Action": "allow"}, {"Action": "allow", "Description": "d"}, id="description"),
        pytest.param({"Action": "allow"}, {"Permissions": [PERMISSIONS]}, id="permissions"),
        pytest.param({"Action": "allow"}, {"Action": "allow", "Peer": "p"}, id="peer"),
    ],
)
def test_differences(one: dict[str, Any], other: dict[str, Any]) -> None:
    """What decides anything, or tells whose an intention is, makes two entries differ."""
    assert not resources.says_the_same(entry({"Name": "web", **one}), entry({"Name": "web", **other}))


def test_what_no_resource_says() -> None:
    """An entry of another partition has no resource."""
    assert not resources.is_expressible(entry({"Name": "web", "Action": "allow"}, Partition="other"))


def test_another_namespace_is_not_ours() -> None:
    """A destination in another Consul namespace is no destination of this federation; default is the one there is."""
    spec = {"destination": {"name": "api", "namespace": "other"}}
    assert resources.destination_of({"spec": spec}) == ""
    assert resources.destination_of({"spec": {"destination": {"name": "api", "namespace": "default"}}}) == "api"
    assert resources.destination_of({}) == ""
    assert resources.spec_of(entry(Namespace="other"))["destination"] == {"name": "api", "namespace": "other"}


def test_an_empty_resource() -> None:
    """A resource without sources, such as one being written by hand, is an entry without any."""
    empty = entry_of({"spec": {"destination": {"name": "api"}}})
    added = config_entries.with_intention(empty, Intention("web", "api", "allow"))
    assert added["Sources"] == [{"Name": "web", "Action": "allow"}]


NAMES = ("*", "api", "a", "any", "Api", "API", "a_b", "a.b", "a-b", "_", "é", "x" * 63, "x" * 64, "x" * 200, "-a", "a-")


def test_names() -> None:
    """Every destination has a resource name of its own that is a DNS subdomain, none the service's own."""
    made = [resources.name_of(name) for name in NAMES]
    assert len(set(made)) == len(NAMES)
    for name in made:
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", name), name
        assert len(name) <= 253
        assert name not in NAMES
    assert made[:2] == ["meshkit.any", "meshkit-api"]


def test_condition() -> None:
    """The condition Synced, as the controller writes it; nothing before it has looked."""
    condition = {"type": "Synced", "status": "False", "reason": "ConsulAgentError", "message": "m"}
    assert resources.synced({"status": {"conditions": [{"type": "Other"}, condition]}}) == condition
    assert resources.synced({"status": {}}) == {}
    assert resources.synced({}) == {}
