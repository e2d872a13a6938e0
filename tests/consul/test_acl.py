"""ACLs: the least that each part needs, and nobody's extra."""

from __future__ import annotations

from typing import Any

import pytest

from meshkit.consul import acl, names
from meshkit.consul.acl import POLICIES, TokenSpec, tokens

SPEC = TokenSpec("probe", ("meshkit-probe",), ("mesh-probe-aks", "mesh-probe-eks"))


def held(**changes: Any) -> dict[str, Any]:
    """A token as Consul gives it back."""
    read = SPEC.body() | {
        "AccessorID": "x",
        "Policies": [{"ID": "1", "Name": "meshkit-probe"}],
        "CreateIndex": 5,
        "Hash": "y",
    }
    return read | changes


def test_there_is_a_token_for_every_secret_but_the_management_token() -> None:
    """The primary's servers make that one of their own configuration."""
    assert {spec.name for spec in tokens(["aks", "eks"])} == set(names.TOKENS) - {"bootstrap"}


def test_the_official_chart_makes_all_but_the_probes() -> None:
    """Its job makes the others, and two hands on one token would undo each other's work."""
    assert [token.name for token in acl.tokens(["aks"], official=True)] == ["probe"]
    assert list(acl.policies(official=True)) == ["meshkit-probe"]
    assert acl.policies(official=False) == acl.POLICIES


def test_every_policy_is_used_and_every_used_policy_exists() -> None:
    """A misspelt name would only show as a token without rights."""
    assert {name for spec in tokens(["aks"]) for name in spec.policies} == set(POLICIES)


def test_only_replication_may_write_acls() -> None:
    """Who can write ACLs can do everything."""
    assert [name for name, rules in POLICIES.items() if 'acl = "write"' in rules] == ["meshkit-replication"]


def test_dns_only_reads() -> None:
    """It is what a question without a token may see."""
    assert '"write"' not in POLICIES["meshkit-dns"]


def test_the_probe_is_each_datacenters_own_service() -> None:
    """Intentions go by name and proofs by direction."""
    probe = next(spec for spec in tokens(["aks", "eks"]) if spec.name == "probe")
    assert probe.services == ("mesh-probe-aks", "mesh-probe-eks")


def test_a_token_as_written_matches_when_read_back() -> None:
    """Consul adds ids, hashes and empty lists."""
    assert SPEC.matches(held())
    assert SPEC.matches(held(Roles=None, NodeIdentities=[], TemplatedPolicies=None))
    assert TokenSpec("agent", ("a",)).matches({"Policies": [{"Name": "a"}], "ServiceIdentities": None})


DIFFERENT: dict[str, dict[str, Any]] = {
    "no policy": {"Policies": None},
    "another policy": {"Policies": [{"Name": "other"}]},
    "one policy more": {"Policies": [{"Name": "meshkit-probe"}, {"Name": "global-management"}]},
    "a service less": {"ServiceIdentities": [{"ServiceName": "mesh-probe-aks"}]},
    "a service more": {"ServiceIdentities": [*SPEC.body()["ServiceIdentities"], {"ServiceName": "web"}]},
    "a service in one datacenter only": {
        "ServiceIdentities": [
            {"ServiceName": "mesh-probe-aks"},
            {"ServiceName": "mesh-probe-eks", "Datacenters": ["aks"]},
        ]
    },
    "a role": {"Roles": [{"Name": "admin"}]},
    "a node identity": {"NodeIdentities": [{"NodeName": "n", "Datacenter": "aks"}]},
    "a templated policy": {"TemplatedPolicies": [{"TemplateName": "builtin/service"}]},
}


@pytest.mark.parametrize("changes", DIFFERENT.values(), ids=DIFFERENT.keys())
def test_a_token_with_less_or_more_does_not_match(changes: dict[str, Any]) -> None:
    """It is written again."""
    assert not SPEC.matches(held(**changes))


def test_a_body_carries_no_secret() -> None:
    """Ids are given apart, so that a body can be shown."""
    assert not {"SecretID", "AccessorID"} & set(SPEC.body())
