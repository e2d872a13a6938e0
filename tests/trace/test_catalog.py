"""Consul's answers become values: what decides, where it leads, who is healthy, what is replicated."""

from __future__ import annotations

from typing import Any

import pytest

from meshkit.trace import catalog
from meshkit.trace.evidence import Rule


def entry(destination: str, source: str, action: str = "allow", **more: Any) -> dict[str, Any]:
    """A service-intentions entry with one source."""
    return {"Kind": "service-intentions", "Name": destination, "Sources": [{"Name": source, "Action": action} | more]}


@pytest.mark.parametrize(
    ("entries", "allowed", "expected"),
    [
        ([entry("web", "app", "deny"), entry("*", "*", "allow")], True, Rule("deny", "app", "web")),
        ([entry("web", "*", "deny"), entry("*", "app", "allow")], True, Rule("deny", "*", "web")),
        ([entry("*", "app", "allow"), entry("*", "*", "deny")], False, Rule("allow", "app", "*")),
        ([entry("*", "*", "deny")], False, Rule("deny", "*", "*")),
        ([entry("web", "app", "allow", Peer="other")], False, Rule("deny")),
        ([entry("web", "app", "", Permissions=[{}])], False, Rule("permissions", "app", "web")),
        ([entry("web", "app") | {"JWT": {"Providers": [{}]}}], False, Rule("permissions", "app", "web")),
        ([entry("web", "app", "deny") | {"JWT": {"Providers": [{}]}}], False, Rule("deny", "app", "web")),
        ([], True, Rule("allow")),
        ([], False, Rule("deny")),
        ([], None, None),
    ],
)
def test_the_intention_that_decides(
    entries: list[dict[str, Any]],
    allowed: bool | None,  # noqa: FBT001 - a column of the table
    expected: Rule | None,
) -> None:
    """The destination's name weighs more than the source's; a peer's service of the same name is another one."""
    assert catalog.rule(entries, "app", "web", allowed=allowed) == expected


@pytest.mark.parametrize(("statuses", "unwell"), [("cc", 2), ("cp", 0), ("p", 0), ("", 0)])
def test_gateways_that_are_all_left_out(statuses: str, unwell: int) -> None:
    """One that is well is enough."""
    words = {"c": "critical", "p": "passing"}
    entries = [{"Checks": [{"Name": "answers", "Status": words[letter]}]} for letter in statuses]

    assert len(catalog.unwell(entries)) == unwell


def test_a_chain_with_failover() -> None:
    """Targets in order, those of a failover last and marked; a subset brings its filter."""
    targets = {
        "a": {"Service": "web", "Datacenter": "gcp"},
        "b": {"Service": "web", "ServiceSubset": "v2", "Datacenter": "aks", "Subset": {"Filter": "x == 1"}},
    }
    nodes = {"resolver:web": {"Resolver": {"Failover": {"Targets": ["a"]}}}}
    found = catalog.chain({"Chain": {"Protocol": "http", "Nodes": nodes, "Targets": targets}})

    assert [(t.datacenter, t.subset, t.filter, t.failover) for t in found.targets] == [
        ("aks", "v2", "x == 1", False),
        ("gcp", "", "", True),
    ]
    assert (found.protocol, found.default) == ("http", False)


def test_an_instance_takes_its_nodes_address() -> None:
    """Where the service has none of its own; critical checks of the node count too."""
    node = {"Node": "n", "Address": "10.0.0.1"}
    checks = [{"CheckID": "serfHealth", "Status": "critical", "Output": " gone \n"}, {"Name": "b", "Status": "passing"}]
    found = catalog.instances([{"Node": node, "Service": {"ID": "web", "Port": 80}, "Checks": checks}])[0]

    assert (found.address, found.port, [check.name for check in found.critical]) == ("10.0.0.1", 80, ["serfHealth"])
    assert found.critical[0].output == "gone"


def test_a_sidecar_brings_its_upstreams() -> None:
    """With the defaults that Consul leaves out."""
    upstreams = [{"DestinationName": "web", "LocalBindPort": 9000}]
    service = {"ID": "p", "Port": 20000, "Proxy": {"LocalServicePort": 8080, "Upstreams": upstreams}}
    found = catalog.instances([{"Node": {"Node": "n"}, "Service": service}])[0]

    assert found.local == ("127.0.0.1", 8080)
    assert (found.upstreams[0].address, found.upstreams[0].datacenter) == ("127.0.0.1", "")


@pytest.mark.parametrize(
    ("status", "primary", "words"),
    [
        ({"Enabled": False}, True, ""),
        ({"Enabled": False}, False, "not enabled"),
        ({"Enabled": True, "Running": False}, False, "does not run"),
        ({"Enabled": True, "Running": True, "LastSuccess": "2026-01-02", "LastError": "2026-01-01"}, False, ""),
        (
            {"Enabled": True, "Running": True, "LastSuccess": "2026-01-01", "LastError": "2026-01-02"},
            False,
            "its last try failed: no reason given",
        ),
    ],
)
def test_replication(status: dict[str, Any], primary: bool, words: str) -> None:  # noqa: FBT001 - a column of the table
    """The primary has nothing to copy; a secondary says why it does not."""
    said = catalog.replication(status, primary=primary)
    assert said == words or (words and words in said)


def test_addresses_of_gateways() -> None:
    """The tagged one, else the service's own."""
    tagged = {
        "Service": {
            "Address": "10.0.0.1",
            "Port": 8443,
            "TaggedAddresses": {"wan": {"Address": "1.2.3.4", "Port": 443}},
        }
    }
    plain = {"Service": {"Address": "10.0.0.1", "Port": 8443}}

    assert catalog.wan_addresses({"aks": [tagged, plain], "eks": []}) == {
        "aks": (("1.2.3.4", 443), ("10.0.0.1", 8443)),
        "eks": (),
    }


def test_serial_numbers_are_hexadecimal() -> None:
    """As Envoy writes them, so that the two can be compared."""
    assert catalog.serials({"Roots": [{"SerialNumber": 12}, {"SerialNumber": 255}]}) == {"c", "ff"}
