"""Config entries: what is set is set, what others wrote stays."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.consul.config_entries import (
    ANY,
    DEFAULT_DENY,
    OWNED,
    Intention,
    decide,
    gateway_mode,
    intentions,
    permitted,
    proxy_defaults,
    with_intention,
    without_intention,
    writable,
)

FOREIGN: dict[str, Any] = {
    "Kind": "service-intentions",
    "Name": "db",
    "Meta": {"team": "storage"},
    "JWT": {"Providers": [{"Name": "okta"}]},
    "CreateIndex": 12,
    "ModifyIndex": 34,
    "Hash": 56,
    "Sources": [
        {"Name": "web", "Action": "deny", "Type": "consul", "Description": "theirs", "Precedence": 9, "LegacyID": "x"},
        {"Name": "web", "Peer": "other-cloud", "Action": "allow", "Precedence": 9},
        {"Name": "api", "Permissions": [{"Action": "allow", "HTTP": {"PathPrefix": "/v1"}}], "Precedence": 9},
        {"Name": "*", "Action": "deny", "Precedence": 8},
    ],
}
COMPUTED = {"CreateIndex", "ModifyIndex", "Hash"}


def sources(entry: dict[str, Any] | None, name: str) -> list[dict[str, Any]]:
    assert entry is not None
    return [source for source in entry["Sources"] if source["Name"] == name]


def test_a_new_entry_is_meshkits_own() -> None:
    """One source, and Meta says who made it."""
    assert with_intention(None, Intention("web", "db", "allow")) == {
        "Kind": "service-intentions",
        "Name": "db",
        "Sources": [{"Name": "web", "Action": "allow"}],
        "Meta": OWNED,
    }


def test_setting_one_source_keeps_all_else_of_the_entry() -> None:
    """Other sources, Meta and JWT are somebody's work; so is the source's description."""
    changed = with_intention(FOREIGN, Intention("web", "db", "allow"))
    assert (changed["Meta"], changed["JWT"]) == (FOREIGN["Meta"], FOREIGN["JWT"])
    assert {"Name": "web", "Action": "allow", "Type": "consul", "Description": "theirs"} in changed["Sources"]
    assert sources(changed, "api")[0]["Permissions"] == FOREIGN["Sources"][2]["Permissions"]
    assert sources(changed, "*") == [{"Name": "*", "Action": "deny"}]


def test_a_peers_service_of_the_same_name_is_another_source() -> None:
    """Allowing web here says nothing about the web of a peered cluster, and removing it neither."""
    peer = {"Name": "web", "Peer": "other-cloud", "Action": "allow"}
    assert peer in with_intention(FOREIGN, Intention("web", "db", "deny"))["Sources"]
    assert sources(without_intention(FOREIGN, "web"), "web") == [peer]


def test_an_action_takes_the_place_of_http_permissions() -> None:
    """Consul refuses an entry with both."""
    assert sources(with_intention(FOREIGN, Intention("api", "db", "deny")), "api") == [
        {"Name": "api", "Action": "deny"}
    ]


def test_a_description_is_set_when_given() -> None:
    """It takes the place of the one before."""
    changed = with_intention(FOREIGN, Intention("web", "db", "allow"), "by meshkit verify")
    assert [s["Description"] for s in sources(changed, "web") if "Peer" not in s] == ["by meshkit verify"]


def test_an_empty_description_takes_the_one_before_away() -> None:
    """For who says that an intention is no longer what it was made for."""
    changed = with_intention(FOREIGN, Intention("web", "db", "allow"), "")
    assert {"Name": "web", "Action": "allow", "Type": "consul"} in changed["Sources"]


def test_setting_twice_is_setting_once() -> None:
    """Also on what was read back."""
    once = with_intention(FOREIGN, Intention("web", "db", "allow"))
    assert with_intention(once, Intention("web", "db", "allow")) == once


def test_removing_one_source_keeps_the_others() -> None:
    """And removing what is not there changes nothing."""
    changed = without_intention(FOREIGN, "*")
    assert changed is not None
    assert [s["Name"] for s in changed["Sources"]] == ["web", "web", "api"]
    assert without_intention(FOREIGN, "nobody") == writable(FOREIGN)


def test_removing_the_last_source_removes_the_entry() -> None:
    """Consul refuses an entry without sources."""
    assert without_intention(with_intention(None, Intention("web", "db", "allow")), "web") is None
    assert without_intention({"Kind": "service-intentions", "Name": "db", "Sources": None}, "web") is None


def test_an_entry_without_sources_takes_one() -> None:
    """Consul answers null for an empty list."""
    entry = {"Kind": "service-intentions", "Name": "db", "Sources": None}
    assert with_intention(entry, Intention("web", "db", "allow"))["Sources"] == [{"Name": "web", "Action": "allow"}]


def test_what_consul_computes_is_not_written_back() -> None:
    """Indices, hashes, precedence and what is left of the old intentions."""
    changed = with_intention(FOREIGN, Intention("new", "db", "allow"))
    assert not COMPUTED & set(changed)
    assert not any(key == "Precedence" or key.startswith("Legacy") for s in changed["Sources"] for key in s)


def test_entries_as_read_are_not_changed() -> None:
    """They are values: a caller may compare before and after."""
    before = copy.deepcopy(FOREIGN)
    with_intention(FOREIGN, Intention("web", "db", "allow"))
    without_intention(FOREIGN, "web")
    assert before == FOREIGN


def test_intentions_are_those_with_one_action_in_this_federation() -> None:
    """HTTP permissions have none, peers are not in it."""
    assert intentions([FOREIGN]) == (Intention("web", "db", "deny"), Intention("*", "db", "deny"))
    assert permitted([FOREIGN]) == (("api", "db"),)


PRECEDENCE = {
    "an exact pair before all": ("web", "db", 0),
    "the destination for any source before a source for any destination": ("api", "db", 1),
    "a source for any destination before the default": ("web", "cache", 2),
    "the default for the rest": ("api", "cache", 3),
}
RULES = (
    Intention("web", "db", "allow"),
    Intention(ANY, "db", "deny"),
    Intention("web", ANY, "allow"),
    DEFAULT_DENY,
)


@pytest.mark.parametrize(("source", "destination", "winner"), PRECEDENCE.values(), ids=PRECEDENCE.keys())
def test_precedence_is_consuls(source: str, destination: str, winner: int) -> None:
    """The order in which the rules are given does not matter."""
    for rules in (RULES, RULES[::-1]):
        assert decide(rules, source, destination) == RULES[winner]


def test_nothing_decides_without_a_matching_rule() -> None:
    """Then the ACL default does."""
    assert decide(RULES[:1], "api", "db") is None
    assert decide((), "api", "db") is None


NAMES = st.sampled_from(["a", "b", ANY])
RULE = st.builds(Intention, NAMES, NAMES, st.sampled_from(["allow", "deny"]))


@given(st.lists(RULE, max_size=6), NAMES, NAMES)
def test_what_was_set_last_is_what_holds(rules: list[Intention], source: str, destination: str) -> None:
    """Writing rules one after the other into entries, and reading them back, gives the last of each pair."""
    entries: dict[str, dict[str, Any]] = {}
    for rule in rules:
        entries[rule.destination] = with_intention(entries.get(rule.destination), rule)
    last = {(rule.source, rule.destination): rule for rule in rules}
    found = intentions(tuple(entries.values()))
    assert set(found) == set(last.values())
    assert decide(found, source, destination) == decide(tuple(last.values()), source, destination)


def test_proxy_defaults_set_the_mode_and_keep_the_rest() -> None:
    """A protocol that someone set stays, whoever made the entry keeps it."""
    theirs = {
        "Kind": "proxy-defaults",
        "Name": "global",
        "Config": {"protocol": "http"},
        "MeshGateway": {"Mode": "remote"},
        "Meta": {"team": "net"},
        "ModifyIndex": 7,
    }
    changed = proxy_defaults([theirs])
    assert gateway_mode([changed]) == "local"
    assert (changed["Config"], changed["Meta"]) == ({"protocol": "http"}, {"team": "net"})
    assert "ModifyIndex" not in changed
    assert proxy_defaults() == {
        "Kind": "proxy-defaults",
        "Name": "global",
        "MeshGateway": {"Mode": "local"},
        "Meta": OWNED,
    }


@pytest.mark.parametrize(
    "entries", [[], [{"Name": "global"}], [{"Name": "global", "MeshGateway": {}}], [{"Name": "x"}]]
)
def test_no_gateway_mode_is_the_empty_text(entries: list[dict[str, Any]]) -> None:
    """Consul leaves out what was not set."""
    assert gateway_mode(entries) == ""
