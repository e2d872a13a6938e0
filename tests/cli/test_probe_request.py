"""Words on the command line to what is wanted: places in every notation, mechanisms' fields, and how often."""

from __future__ import annotations

from typing import Any

import pytest

from meshkit.cli.probe import place, request
from meshkit.cli.probe.place import Address, Place
from meshkit.cli.probe.request import Pace, Words
from meshkit.errors import UsageError
from meshkit.probes.ladder import RUNGS
from meshkit.probes.wanted import Wanted

DATACENTERS = ("aks", "eks", "prod-eu")
TIMING = Pace(0.2, 3.0, count=20)


def wanted(**words: Any) -> Wanted:
    return request.wanted(Words(**words), DATACENTERS, TIMING)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("aks", Place("aks")),
        ("eks/backend", Place("eks", "backend")),
        ("backend.eks", Place("eks", "backend")),
        ("backend.prod-eu", Place("prod-eu", "backend")),
        ("db.example:5432", Address(fields={"host": "db.example", "port": 5432})),
        ("db:5432", Address(fields={"host": "db", "port": 5432})),
        ("[2001:db8::1]:443", Address(fields={"host": "2001:db8::1", "port": 443})),
        ("10.1.2.3", Address(fields={"host": "10.1.2.3"})),
        ("2001:db8::1", Address(fields={"host": "2001:db8::1"})),
        ("db.example", Address(fields={"host": "db.example"})),
        ("https://shop.example/health?x=1", Address("http", {"url": "https://shop.example/health?x=1"})),
        ("tls://db.example:5432", Address("tls", {"host": "db.example", "port": 5432})),
        ("grpcs://api.example:443", Address("grpc", {"host": "api.example", "port": 443, "tls": True})),
    ],
)
def test_a_destination(text: str, expected: Place | Address) -> None:
    """In every notation that is natural for it."""
    assert place.destination(text, DATACENTERS) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ekz", "ekz: no such datacenter, did you mean eks?"),
        ("local", "local is this machine"),
        ("ekz/backend", "ekz/backend: no such datacenter, did you mean eks?"),
        ("eks/", "eks/: the service is missing"),
        (".eks", ".eks: the service is missing"),
        ("ftp://a/", "ftp: no such scheme, did you mean"),
        ("tcp://db.example", "tcp needs a host and a port"),
        ("", ": no such datacenter, expected one of aks, eks, prod-eu"),
        ("a b:1", "no such datacenter"),
    ],
)
def test_a_destination_that_is_none(text: str, words: str) -> None:
    """What may have been meant, and which forms there are."""
    with pytest.raises(UsageError) as caught:
        place.destination(text, DATACENTERS)
    assert words in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "expected"), [("local", Place("local")), ("aks", Place("aks")), ("frontend.aks", Place("aks", "frontend"))]
)
def test_a_source(text: str, expected: Place) -> None:
    """Datacenters, services in them, this machine."""
    assert place.source(text, DATACENTERS) == expected


@pytest.mark.parametrize("text", ["db.example:5432", "loacl", "https://a/", ""])
def test_a_source_that_is_none(text: str) -> None:
    """Nothing outside the federation can be told to probe."""
    with pytest.raises(UsageError, match="no such datacenter") as caught:
        place.source(text, DATACENTERS)
    assert "local for this machine" in caught.value.hint


def test_no_words_are_the_ladder_everywhere() -> None:
    """At the pace that was asked for."""
    assert wanted() == Wanted("ladder", "ladder", every_s=0.2, timeout_s=3.0)


WORDS: dict[str, tuple[dict[str, Any], tuple[str, Any, Any, Any]]] = {
    "a pair": ({"source": "aks", "destination": "eks"}, ("ladder", ("aks",), ("eks",), {})),
    "from and to": ({"sources": ["aks", "local"], "destinations": ["eks"]}, ("ladder", ("aks", "local"), ("eks",), {})),
    "a service": (
        {"source": "aks", "destination": "eks/backend"},
        ("service", ("aks",), ("eks",), {"service": "backend"}),
    ),
    "a service as another": (
        {"source": "aks/frontend", "destination": "backend.eks"},
        ("service", ("aks",), ("eks",), {"service": "backend", "as": "frontend"}),
    ),
    "--as": (
        {"destination": "eks/backend", "service": "frontend"},
        ("service", (), ("eks",), {"service": "backend", "as": "frontend"}),
    ),
    "host and port": (
        {"source": "aks", "destination": "db.example:5432"},
        ("tcp", ("aks",), (), {"host": "db.example", "port": 5432}),
    ),
    "a URL": ({"destination": "https://a.example/x"}, ("http", (), (), {"url": "https://a.example/x"})),
    "a mechanism for an address": (
        {"destination": "a.example:443", "mechanism": "tls"},
        ("tls", (), (), {"host": "a.example", "port": 443}),
    ),
    "http for an address": (
        {"destination": "a.example:8080", "mechanism": "http"},
        ("http", (), (), {"url": "http://a.example:8080/"}),
    ),
    "http for port 443": (
        {"destination": "[2001:db8::1]:443", "mechanism": "http"},
        ("http", (), (), {"url": "https://[2001:db8::1]:443/"}),
    ),
    "fields in words": (
        {
            "mechanism": "http",
            "target": ["url=https://a/", "statuses=200", "statuses=404", "redirects=2", "headers=Accept: a=b"],
        },
        ("http", (), (), {"url": "https://a/", "statuses": [200, 404], "redirects": 2, "headers": ["Accept: a=b"]}),
    ),
    "a switch and a number": (
        {"mechanism": "grpc", "target": ["host=a", "port=1", "tls=yes"]},
        ("grpc", (), (), {"host": "a", "port": 1, "tls": True}),
    ),
    "a label of where it is": (
        {"mechanism": "tcp", "destinations": ["eks"], "target": ["host=a", "port=1"]},
        ("tcp", (), ("eks",), {"host": "a", "port": 1}),
    ),
    "names in DNS": (
        {"source": "aks", "mechanism": "dns", "target": ["name=backend.service.consul", "type=SRV"]},
        ("dns", ("aks",), (), {"name": "backend.service.consul", "type": "SRV"}),
    ),
    "a name in DNS as destination": (
        {"source": "aks", "destination": "a.example", "mechanism": "dns"},
        ("dns", ("aks",), (), {"name": "a.example"}),
    ),
    "ping": ({"destination": "10.1.2.3", "mechanism": "icmp"}, ("icmp", (), (), {"host": "10.1.2.3"})),
}


@pytest.mark.parametrize(("words", "expected"), WORDS.values(), ids=WORDS.keys())
def test_words(words: dict[str, Any], expected: tuple[Any, ...]) -> None:
    """What is probed, where from, where to, and with what."""
    found = wanted(**words)
    assert (found.kind, found.sources, found.destinations, dict(found.target)) == expected


def test_rungs_and_expectations() -> None:
    """Rungs in the ladder's order; expectations one by one."""
    found = wanted(rungs=["mesh", "network"], expect=["p99<1s, loss<1%", "reachable"])
    assert found.rungs == ("network", "mesh")
    assert found.expect == ("p99<1s", "loss<1%", "reachable")
    assert wanted().rungs == tuple(RUNGS)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "SRC and --from": ({"source": "aks", "sources": ["eks"]}, "SRC and --from say the same thing"),
    "DST and --to": ({"destination": "aks", "destinations": ["eks"]}, "DST and --to say the same thing"),
    "a host alone": ({"destination": "a.example"}, "a.example: how is it to be probed?"),
    "an unknown mechanism": (
        {"destination": "a:1", "mechanism": "htttp"},
        "htttp: no such mechanism, did you mean http?",
    ),
    "echo": ({"destination": "a:1", "mechanism": "echo"}, "echo: no such mechanism"),
    "a mechanism against the URL": (
        {"destination": "https://a/", "mechanism": "tcp"},
        "--mechanism tcp and a URL for http",
    ),
    "a service by a mechanism": (
        {"destination": "eks/backend", "mechanism": "tcp"},
        "a service is reached through the mesh",
    ),
    "a port of a name": ({"destination": "a.example:53", "mechanism": "dns"}, "a dns probe is about a name"),
    "a mechanism between datacenters": (
        {"source": "aks", "destination": "eks", "mechanism": "icmp"},
        "icmp is sent to an address, and a datacenter has many",
    ),
    "two services": ({"destinations": ["eks/a", "aks/b"]}, "one service at a time"),
    "two addresses": ({"destinations": ["a:1", "b:1"]}, "one address at a time"),
    "--as without a service": ({"destination": "eks", "service": "web"}, "only a service is probed as another service"),
    "a target without a mechanism": ({"target": ["host=a"]}, "--target needs a mechanism"),
    "a target without a value": ({"mechanism": "tcp", "target": ["host"]}, "--target is written KEY=VALUE"),
    "an unknown field": (
        {"mechanism": "tcp", "target": ["prot=1"]},
        "--target prot: no such field, did you mean port?",
    ),
    "a field given twice": ({"mechanism": "tcp", "target": ["port=1", "port=2"]}, "--target port is given twice"),
    "a port that is a word": ({"mechanism": "tcp", "target": ["port=https"]}, "--target port: expected a whole number"),
    "a switch that is none": ({"mechanism": "grpc", "target": ["tls=on?"]}, "--target tls: expected true or false"),
    "a port beyond the last": ({"destination": "a:70000"}, "--target port: expected a port from 1 to 65535, not 70000"),
    "a missing port": ({"destination": "10.1.2.3", "mechanism": "tcp"}, "--target port: missing, expected a port"),
    "a rung of a mechanism": ({"destination": "a:1", "rungs": ["mesh"]}, "rungs are the ladder's"),
    "an unknown rung": ({"rungs": ["msh"]}, '--ladder: "msh": no such rung, did you mean mesh?'),
    "a secret": (
        {"mechanism": "http", "target": ["url=https://a/", "headers=Authorization: Bearer x"]},
        "--target headers: this looks like a secret",
    ),
    "an expectation that is none": ({"expect": ["p98<1s"]}, "--expect: p98 is not measured"),
    "a pair of one": ({"source": "aks", "destination": "aks"}, "--to: the ladder needs two datacenters"),
}


@pytest.mark.parametrize(("words", "expected"), WRONG.values(), ids=WRONG.keys())
def test_wrong_words(words: dict[str, Any], expected: str) -> None:
    """One line that names the option, and a hint."""
    with pytest.raises(UsageError) as caught:
        wanted(**words)
    assert expected in caught.value.message
    assert caught.value.hint
    assert caught.value.exit_code == 2


def test_a_pace_by_default() -> None:
    """Twenty probes, five a second."""
    assert request.pace(None, "", "", None, "") == Pace(0.2, 3.0, count=20)
    assert request.pace(None, "1s", "1m", None, "500ms") == Pace(1.0, 0.5, for_s=60.0)
    assert request.pace(None, "", "", None, "", mechanism="path") == Pace(10.0, 15.0, count=1)
    assert request.pace(3, "", "", 50, "") == Pace(0.02, 3.0, count=3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param((5, "", "1m", None, ""), "--count and --for both say when to end", id="two ends"),
        pytest.param((None, "1s", "", 2.0, ""), "--interval and --rate both say how often", id="two paces"),
        pytest.param((0, "", "", None, ""), "--count: 0 is out of bounds", id="no probe"),
        pytest.param((2_000_000, "", "", None, ""), "--count: 2000000 is out of bounds", id="too many probes"),
        pytest.param((None, "0s", "", None, ""), "--interval: 0s is out of bounds", id="no interval"),
        pytest.param((None, "5", "", None, ""), "--interval: '5' is not a time", id="no unit"),
        pytest.param((None, "", "", 0.0, ""), "--rate: 0 is out of bounds", id="no rate"),
        pytest.param((None, "", "", float("nan"), ""), "--rate: nan is out of bounds", id="a rate that is no number"),
        pytest.param((None, "", "", float("inf"), ""), "--rate: inf is out of bounds", id="an infinite rate"),
        pytest.param((None, "", "25h", None, ""), "--for: 25h is out of bounds", id="too long"),
        pytest.param((None, "", "", None, "1h"), "--timeout: 1h is out of bounds", id="a timeout too long"),
    ],
)
def test_a_pace_that_is_none(arguments: tuple[Any, ...], words: str) -> None:
    """Each option by its name."""
    with pytest.raises(UsageError, match=words) as caught:
        request.pace(*arguments)
    assert caught.value.hint


def test_too_many_probes_a_second() -> None:
    """What a run asks of one datacenter is bounded as a schedule is."""
    with pytest.raises(UsageError, match="probes a second from aks, and 1000 are allowed"):
        request.wanted(Words(source="aks"), DATACENTERS, Pace(0.001, 3.0, count=1))
