"""What mesh.yaml and the command line may say about the gateways' load balancers."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshkit.config import from_arguments, load
from meshkit.errors import UsageError

GOOD = """\
gatewayInternal: true
gatewaySourceRanges: [203.0.113.0/24]
gatewayAnnotations: {example.com/team: mesh, example.com/tier: one}
datacenters:
  aks: {context: aks}
  eks:
    context: eks
    gatewayInternal: false
    gatewaySourceRanges: []
    gatewayAnnotations: {example.com/tier: two}
    gatewayAddress: mesh.example.com
"""
HEAD = "datacenters:\n  aks: {context: aks}\n  eks:\n    context: eks\n"


def test_every_key(tmp_path: Path) -> None:
    """A datacenter's own word wins; its annotations lie over those for all."""
    path = tmp_path / "mesh.yaml"
    path.write_text(GOOD)
    aks, eks = load(path).datacenters
    assert (aks.gateway_internal, aks.gateway_source_ranges, aks.gateway_address) == (True, ("203.0.113.0/24",), "")
    assert aks.gateway_annotations == {"example.com/team": "mesh", "example.com/tier": "one"}
    assert (eks.gateway_internal, eks.gateway_source_ranges) == (False, ())
    assert eks.gateway_annotations == {"example.com/team": "mesh", "example.com/tier": "two"}
    assert eks.gateway_address == "mesh.example.com"


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "mesh.example.com", "a-1.b.example."])
def test_addresses(tmp_path: Path, address: str) -> None:
    """Addresses of both kinds, and names."""
    path = tmp_path / "mesh.yaml"
    path.write_text(f'{HEAD}    gatewayAddress: "{address}"\n')
    assert load(path).datacenters[1].gateway_address == address


@pytest.mark.parametrize(
    ("line", "says"),
    [
        pytest.param("gatewayInternal: 1", "expected true or false, not 1", id="a number for a switch"),
        pytest.param("gatewaySourceRanges: 10.0.0.0/8", "expected a list of address ranges", id="one range, no list"),
        pytest.param("gatewaySourceRanges: [all]", 'such as 203.0.113.0/24, not "all"', id="a word"),
        pytest.param("gatewaySourceRanges: [5]", "such as 203.0.113.0/24, not 5", id="a number in the list"),
        pytest.param("gatewaySourceRanges: [10.1.2.3]", "no range, 10.1.2.3/32 would be", id="an address"),
        pytest.param("gatewaySourceRanges: [10.1.2.3/8]", "no range, 10.0.0.0/8 would be", id="an address in a range"),
        pytest.param("gatewayAnnotations: [a]", "expected a mapping of annotations", id="a list of annotations"),
        pytest.param("gatewayAnnotations: {a: true}", "annotations", id="an annotation that is no text"),
        pytest.param('gatewayAnnotations: {"a b": c}', '"a b" is no name of an annotation', id="a name with a blank"),
        pytest.param("gatewayAddress: https://mesh.example.com", "without a port", id="a URL"),
        pytest.param("gatewayAddress: mesh.example.com:443", "without a port", id="a port"),
        pytest.param("gatewayAddress: mesh", "a DNS name", id="a name without a domain"),
        pytest.param("gatewayAddress: 127.0.0.1", "can't be reached from other clusters", id="the loopback"),
        pytest.param("gatewayAddress: 0.0.0.0", "can't be reached from other clusters", id="no address"),
        pytest.param("gatewayAddress: 1.2.3", "a DNS name", id="half an address"),
    ],
)
def test_wrong(tmp_path: Path, line: str, says: str) -> None:
    """File, line, key and what would be right."""
    path = tmp_path / "mesh.yaml"
    path.write_text(f"{HEAD}    {line}\n")
    with pytest.raises(UsageError) as caught:
        load(path)
    assert says in caught.value.message
    assert caught.value.message.startswith(f"{path}:5: datacenters.eks.{line.partition(':')[0]}")


def test_the_address_of_all_gateways_is_no_key(tmp_path: Path) -> None:
    """Two clusters can't have one address."""
    path = tmp_path / "mesh.yaml"
    path.write_text(f"gatewayAddress: 192.0.2.1\n{HEAD}")
    with pytest.raises(UsageError, match="gatewayAddress: no such key"):
        load(path)


def test_options_hold_for_all() -> None:
    """As on the command line."""
    found = from_arguments(["aks", "eks"], gateway_internal=True, gateway_source_ranges=["203.0.113.0/24"])
    assert {dc.gateway_internal for dc in found.datacenters} == {True}
    assert {dc.gateway_source_ranges for dc in found.datacenters} == {("203.0.113.0/24",)}


def test_a_wrong_range_names_the_option() -> None:
    """The same rules, in the words of the command line."""
    with pytest.raises(UsageError, match=r"--gateway-source-range: .*10\.0\.0\.0/8 would be"):
        from_arguments(["aks", "eks"], gateway_source_ranges=["10.1.2.3/8"])
