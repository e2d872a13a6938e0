"""probes.yaml to what is wanted: whatever is wrong in it has a line, a key and a hint, and nonsense is never taken."""

from __future__ import annotations

import io
import json
import math
import re
import sys
import traceback
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshkit.config import probe_fields, probe_schema, probes
from meshkit.config.probe_budget import MOST_PER_SECOND, MOST_SERIES, series_of
from meshkit.config.probe_schema import KINDS, MECHANISMS, MOST_ENTRIES
from meshkit.consul.names import LEGAL_NAME
from meshkit.errors import UsageError
from meshkit.probes import expect, mechanisms
from meshkit.probes.ladder import RUNGS
from meshkit.probes.wanted import Wanted

DATACENTERS = ("aks", "eks", "gke")
CANARY = "hunter2canary"
FULL = """\
probes:
  - name: clouds
    ladder: [network, gateway, rpc, mesh]
    from: [aks]
    to: [eks]
    every: 10s
    timeout: 3s
    expect: p99<120ms, loss<0.1%
  - name: backend
    service: backend
    expect: reachable
  - name: database
    tcp: {host: db.internal.example, port: 5432}
    from: [eks]
    every: 5m
  - name: shop
    http:
      url: https://shop.example/health
      headers: ["Accept: text/plain"]
      statuses: [200, 204]
      version: 2
    expect: [reachable, certificate > 33%]
"""
ENTRY = "probes:\n  - name: x\n"
TCP = ENTRY + "    tcp: {host: a, port: 1}\n"
HTTP = ENTRY + "    http: {url: https://a/}\n"
BOMB = "a: &a0 [x]\n" + "".join(f"b{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a test puts its probes.yaml."""
    monkeypatch.chdir(tmp_path)
    return Path("probes.yaml")


def loaded(path: Path, text: str | bytes, datacenters: Sequence[str] = DATACENTERS) -> tuple[Wanted, ...]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode(errors="surrogatepass"))
    return probes.load(path, datacenters)


def refused(path: Path, text: str | bytes, datacenters: Sequence[str] = DATACENTERS) -> UsageError:
    with pytest.raises(UsageError) as caught:
        loaded(path, text, datacenters)
    return caught.value


def test_a_full_file_is_what_is_wanted(file: Path) -> None:
    """Every key finds its place, and what is left out has its default."""
    clouds, backend, database, shop = loaded(file, FULL)
    assert clouds == Wanted(
        "clouds", "ladder", ("aks",), ("eks",), tuple(RUNGS), {}, 10.0, 3.0, ("p99<120ms", "loss<0.1%")
    )
    assert (backend.kind, backend.target) == ("service", {"service": "backend"})
    assert (backend.sources, backend.destinations, backend.every_s) == ((), (), 10.0)
    assert (database.kind, database.target) == ("tcp", {"host": "db.internal.example", "port": 5432})
    assert (database.every_s, database.expect) == (300.0, ())
    assert shop.target["version"] == "2"
    assert shop.expect == ("reachable", "certificate > 33%")


def test_short_forms(file: Path) -> None:
    """One datacenter or rung needs no list; ``all`` is every rung, and rungs come in the ladder's order."""
    whole = loaded(file, ENTRY + "    ladder: all\n    from: aks\n")[0]
    assert (whole.rungs, whole.sources) == (tuple(RUNGS), ("aks",))
    assert loaded(file, ENTRY + "    ladder: mesh\n")[0].rungs == ("mesh",)
    assert loaded(file, ENTRY + "    ladder: [mesh, network]\n")[0].rungs == ("network", "mesh")


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dash reads it, and errors call it by name."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"probes: 1\n")))
    with pytest.raises(UsageError, match=r"^standard input:1: probes: expected a list"):
        probes.load("-", DATACENTERS)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_every_field_of_every_mechanism_has_a_rule(mechanism: str) -> None:
    """A new field of a mechanism must not come without one."""
    form = probe_fields.form(mechanism)
    assert set(form.model_fields) == {field.name for field in fields(mechanisms.kind(mechanism))}
    assert all(field.description for field in form.model_fields.values())


WRONG = {
    "no name": ("probes:\n  - tcp: {host: a, port: 1}\n", "2: probes.0.name: missing, expected a name"),
    "a name that is no label": (TCP.replace("x", "My_Probe"), "2: probes.0.name: expected a name of lower-case"),
    "a name too long": (TCP.replace("name: x", f"name: {'x' * 41}"), "2: probes.0.name: expected a name"),
    "a name that is a number": (TCP.replace("name: x", "name: 1"), "expected a name of lower-case letters"),
    "a name given twice": (TCP + "  - name: x\n    ladder: all\n", "4: probes.1.name: entry 0 has this name already"),
    "a rung's name": (TCP.replace("x", "mesh"), "2: probes.0.name: mesh is a rung of the ladder"),
    "nothing to probe": (ENTRY, "2: probes.0: it does not say what to probe: one of ladder, service, tcp"),
    "two things to probe": (TCP + "    service: y\n", "it has service already, and an entry probes one thing"),
    "an unknown key": (TCP + "    tiemout: 1s\n", "4: probes.0.tiemout: no such key, did you mean timeout?"),
    "Python's spelling of a key": (TCP + "    from_: aks\n", "4: probes.0.from_: no such key, did you mean from?"),
    "an unknown key at the top": ("probs: []\n", "1: probs: no such key, did you mean probes?"),
    "an unknown field": (
        ENTRY + "    tcp: {host: a, prot: 1}\n",
        "3: probes.0.tcp.prot: no such key, did you mean port?",
    ),
    "a missing field": (ENTRY + "    tcp: {host: a}\n", "3: probes.0.tcp.port: missing, expected a port"),
    "port 0": (TCP.replace("port: 1", "port: 0"), "3: probes.0.tcp.port: expected a port from 1 to 65535, not 0"),
    "port 70000": (TCP.replace("port: 1", "port: 70000"), "expected a port from 1 to 65535, not 70000"),
    "a port that is a text": (TCP.replace("port: 1", 'port: "1"'), 'expected a port from 1 to 65535, not "1"'),
    "a port that is true": (TCP.replace("port: 1", "port: yes"), "expected a port from 1 to 65535, not true"),
    "a host with a port": (TCP.replace("host: a", 'host: "a:1"'), "3: probes.0.tcp.host: expected a host name"),
    "a host that is a URL": (TCP.replace("host: a", 'host: "http://a"'), "3: probes.0.tcp.host: expected a host name"),
    "a mechanism that is a text": (ENTRY + "    tcp: a:1\n", "3: probes.0.tcp: expected a mapping with host and port"),
    "a URL of another scheme": (HTTP.replace("https", "ftp"), "3: probes.0.http.url: expected a URL with http://"),
    "a URL without a host": (HTTP.replace("https://a/", "https:///a"), "3: probes.0.http: no host in 'https:///a'"),
    "an unknown verification": (
        ENTRY + "    tls: {host: a, port: 1, verify: maybe}\n",
        "3: probes.0.tls: verify is system or mesh or none, not 'maybe'",
    ),
    "a status that is none": (
        ENTRY + "    http: {url: https://a/, statuses: [99]}\n",
        "3: probes.0.http.statuses.0: expected a list of HTTP statuses, from 100 to 599, not 99",
    ),
    "an unknown rung": (ENTRY + "    ladder: [gatway]\n", '3: probes.0.ladder: "gatway": no such rung, did you mean'),
    "no rung": (ENTRY + "    ladder: []\n", "3: probes.0.ladder: expected all or a list of rungs"),
    "a ladder of nothing": (ENTRY + "    ladder:\n", "3: probes.0.ladder: expected all or a list of rungs"),
    "a rung given twice": (ENTRY + "    ladder: [rpc, rpc]\n", "3: probes.0.ladder: rpc is given twice"),
    "a service that is no label": (ENTRY + "    service: a.b\n", "3: probes.0.service: expected a service's name"),
    "as without a service": (TCP + "    as: y\n", "4: probes.0.as: only the probe of a service"),
    "as another service on a schedule": (
        ENTRY + "    service: y\n    as: z\n",
        "4: probes.0.as: an agent keeps no certificate of another service",
    ),
    "an unknown datacenter": (TCP + "    to: [esk]\n", '4: probes.0.to: "esk": no such datacenter, did you mean eks?'),
    "no datacenter": (TCP + "    from: []\n", "4: probes.0.from: expected a list of datacenters, not a list"),
    "a datacenter given twice": (TCP + "    from: [aks, aks]\n", "4: probes.0.from: aks is given twice"),
    "this machine on a schedule": (TCP + "    from: local\n", "4: probes.0.from: local is not allowed on a schedule"),
    "this machine as a destination": (TCP + "    to: local\n", '4: probes.0.to: "local": no such datacenter'),
    "a target in two places": (TCP + "    to: [aks, eks]\n", "4: probes.0.to: a target is in one place"),
    "the ladder to oneself": (
        ENTRY + "    ladder: all\n    from: aks\n    to: aks\n",
        "5: probes.0.to: the ladder needs two datacenters",
    ),
    "a rung of a pair in two entries": (
        ENTRY + "    ladder: all\n  - name: y\n    ladder: mesh\n    from: gke\n",
        "5: probes.1.ladder: the mesh rung from gke to aks is part of x already",
    ),
    "an interval without a unit": (TCP + "    every: 10\n", "4: probes.0.every: expected a time such as 200ms, 10s"),
    "a negative interval": (TCP + "    every: -10s\n", "4: probes.0.every: expected a time such as"),
    "an interval of nothing": (TCP + "    every: 0s\n", "4: probes.0.every: expected a time"),
    "an infinite interval": (TCP + "    every: .inf\n", "4: probes.0.every: a number beyond"),
    "an interval that is no number": (TCP + "    every: .nan\n", "4: probes.0.every: a number beyond"),
    "an interval too short": (TCP + "    every: 99ms\n", 'from 100ms to 24h, not "99ms"'),
    "an interval too long": (TCP + "    every: 25h\n", 'from 100ms to 24h, not "25h"'),
    "an interval that cron can't keep": (TCP + "    every: 7m\n", "4: probes.0.every: from 5m on it is a CronJob"),
    "an interval of half a minute more": (TCP + "    every: 5m30s\n", "4: probes.0.every: from 5m on it is a CronJob"),
    "a timeout above the interval": (
        TCP + "    every: 10s\n    timeout: 11s\n",
        "5: probes.0.timeout: longer than from one probe to the next, expected 10s at most",
    ),
    "a timeout above the default of short intervals": (
        TCP + "    every: 1s\n    timeout: 4s\n",
        "5: probes.0.timeout: longer than from one probe to the next, expected 3s at most",
    ),
    "a path too often": (
        ENTRY + "    path: {host: a}\n",
        "2: probes.0.every: a trace sends dozens of packets, expected 30s",
    ),
    "a record type that is none": (
        ENTRY + "    dns: {name: a, type: srv}\n",
        "3: probes.0.dns.type: expected a record type",
    ),
    "a record type that nobody knows": (
        ENTRY + "    dns: {name: a, type: XYZ}\n",
        "3: probes.0.dns: dns: 'XYZ' is not a",
    ),
    "a packet too large": (ENTRY + "    icmp: {host: a, size: 70000}\n", "3: probes.0.icmp: icmp: size is 70000"),
    "an expectation that is none": (TCP + "    expect: fast\n", "4: probes.0.expect: 'fast' is not an expectation"),
    "an expectation of a number": (TCP + "    expect: 3\n", "4: probes.0.expect: expected expectations such as"),
    "an empty expectation": (TCP + '    expect: ""\n', "4: probes.0.expect: '' is not an expectation"),
    "an endless expectation": (
        TCP + f"    expect: p99<{'9' * 400}ms\n",
        "4: probes.0.expect: an expectation has at most 200 characters",
    ),
    "too many expectations": (
        TCP + f"    expect: {', '.join(['reachable'] * 21)}\n",
        "4: probes.0.expect: 21 expectations, at most 20 are possible",
    ),
    "an answer expected of TCP": (TCP + "    expect: resolves to a\n", "4: probes.0.expect: only a dns probe resolves"),
    "a certificate expected of TCP": (
        TCP + "    expect: certificate>33%\n",
        "4: probes.0.expect: a tcp probe sees no certificate",
    ),
    "an empty list": ("probes: []\n", "1: probes: expected a list of 1 to 200 entries"),
    "no list": ("probes:\n", "1: probes: expected a list of 1 to 200 entries, each with a name and what to probe"),
    "a list at the top": ("- name: x\n", "1: expected the key probes with a list, not a list"),
    "a text at the top": ("hello\n", '1: expected the key probes with a list, not "hello"'),
    "an entry that is a text": (
        "probes: [x]\n",
        '1: probes.0: expected a mapping with a name and what to probe, not "x"',
    ),
    "a huge list": (
        "probes:\n" + "".join(f"- {{name: a{n}, ladder: all}}\n" for n in range(201)),
        "1: probes: expected",
    ),
    "a key given twice": (TCP + "    name: y\n", "4: probes.0.name: given twice, first in line 2"),
    "a tab": (TCP + "\tevery: 1s\n", "4: a tab where YAML wants spaces"),
    "a second document": (TCP + "---\n" + TCP, "4: a second document begins"),
    "aliases that unfold without end": (BOMB, "aliases that unfold without end"),
    "an alias of itself": ("probes: &x [*x]\n", "1: aliases that unfold without end"),
    "a merge key": (TCP + "    <<: {}\n", "4: probes.0: merge keys (<<) are not supported"),
    "a tag": (TCP + "    every: !!binary aGk=\n", "4: probes.0.every: tags such as !!binary"),
    "a null byte": (TCP + "\x00", "4: a character that YAML does not allow"),
    "no UTF-8": (TCP.encode() + b"\xff\xfe", "4: not a text in UTF-8"),
    "empty": (b"", "the file is empty"),
    "only comments": (b"# nothing\n", "the file is empty"),
    "too large": (b"#" * 300_000, "larger than 256 KiB"),
}


@pytest.mark.parametrize(("text", "expected"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_file_is_one_line_with_its_place(file: Path, text: str | bytes, expected: str) -> None:
    """File, line, key and what is expected; exit code 2 and a hint."""
    error = refused(file, text)
    lines = [error.message, *error.detail.splitlines()]
    assert any(expected in line for line in lines), lines
    assert error.message.startswith("probes.yaml")
    assert error.hint
    assert error.exit_code == 2


def test_several_problems_are_listed_in_the_order_of_the_file(file: Path) -> None:
    """The message counts them."""
    error = refused(file, TCP + "    to: x\n    every: 1\n    evry: 1s\n")
    assert error.message == "probes.yaml: 3 problems"
    assert [line.split(": ")[0] for line in error.detail.splitlines()] == [f"probes.yaml:{n}" for n in (4, 5, 6)]


def test_a_missing_file_says_so(file: Path) -> None:
    """And where an example is."""
    with pytest.raises(UsageError, match=r"probes\.yaml: there is no such file") as caught:
        probes.load(file, DATACENTERS)
    assert caught.value.hint == "meshkit probe schedule --help has an example"


@pytest.mark.parametrize("every", ["5m", "10m", "15m", "20m", "30m", "1h", "2h", "12h", "24h", "299s", "4m59s", "1.5s"])
def test_intervals_that_can_be_kept(file: Path, every: str) -> None:
    """Anything below 5 minutes, and then what cron can say."""
    assert loaded(file, TCP + f"    every: {every}\n")[0].every_s > 1


@pytest.mark.parametrize(
    ("every", "timeout"), [("10s", "10s"), ("100ms", "3s"), ("1s", "10ms"), ("1h", "60s")], ids=lambda value: value
)
def test_timeouts_that_can_be_kept(file: Path, every: str, timeout: str) -> None:
    """Up to the interval, and up to 3 s however short the interval is."""
    assert loaded(file, TCP + f"    every: {every}\n    timeout: {timeout}\n")[0].timeout_s <= 60


SECRETS = {
    "a header": f'{{url: https://a/, headers: ["Authorization: {CANARY}"]}}',
    "a header in lower case": f'{{url: https://a/, headers: ["x-api-key: {CANARY}"]}}',
    "a cookie": f'{{url: https://a/, headers: ["Cookie: a={CANARY}"]}}',
    "a bearer in any header": f'{{url: https://a/, headers: ["X-Any: Bearer {CANARY}"]}}',
    "a password in a URL": f"{{url: 'https://user:{CANARY}@a/'}}",
    "a user alone in a URL": f"{{url: 'https://{CANARY}@a/'}}",
    "a token in a query": f"{{url: 'https://a/?x=1&access_token={CANARY}'}}",
    "a private key": f'{{url: https://a/, body: "-----BEGIN EC PRIVATE KEY----- {CANARY}"}}',
    "a URL with a password in a body": f"{{url: https://a/, body: 'postgres://u:{CANARY}@db/'}}",
    "headers as a text": f'{{url: https://a/, headers: "Authorization: {CANARY}"}}',
    "headers as a mapping": f"{{url: https://a/, headers: {{Authorization: {CANARY}}}}}",
    "an unknown key": f"{{url: https://a/, password: {CANARY}}}",
    "a text in place of the mapping": f"https://user:{CANARY}@a/",
    "a key beside a broken value": f"{{url: https://a/, body: !!int {CANARY}}}",
}


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS.keys())
def test_secrets_are_refused_and_not_repeated(file: Path, text: str) -> None:
    """Not in the message, nor in the traceback that -v prints."""
    error = refused(file, f"{ENTRY}    http: {text}\n")
    shown = "".join(traceback.format_exception(error)) + error.message + error.hint + error.detail
    assert CANARY not in shown
    assert error.exit_code == 2


def test_what_only_looks_a_little_like_a_secret_is_taken(file: Path) -> None:
    """Names of hosts and paths are not secrets, nor is an ordinary header."""
    target = '{url: "https://token.example/session?page=2", headers: ["Accept: text/html", "Host: auth.example"]}'
    assert loaded(file, f"{ENTRY}    http: {target}\n")[0].target["headers"] == [
        "Accept: text/html",
        "Host: auth.example",
    ]


def test_the_budget_of_series(file: Path) -> None:
    """So many series from one datacenter are too many, and the datacenter is named."""
    many = tuple(f"dc{n}" for n in range(MOST_SERIES // len(RUNGS) + 2))
    error = refused(file, ENTRY + "    ladder: all\n", many)
    assert re.match(r"probes.yaml: \d+ problems", error.message)
    assert f"{(len(many) - 1) * len(RUNGS)} series from dc0, and an agent keeps {MOST_SERIES}" in error.detail


def test_the_budget_of_probes_a_second(file: Path) -> None:
    """As for the rate, over all entries."""
    entries = "".join(f"  - {{name: a{n}, tcp: {{host: a, port: 1}}, from: gke, every: 100ms}}\n" for n in range(101))
    error = refused(file, "probes:\n" + entries)
    assert (
        error.message == f"probes.yaml:1: probes: 1010 probes a second from gke, and {MOST_PER_SECOND:.0f} are allowed"
    )
    assert error.hint == "probe less often, or fewer pairs"
    assert len(loaded(file, "probes:\n" + entries.rpartition("  - ")[0])) == 100


# Malformed on purpose: mutations of a valid document, as a tree and as text.

TREE: dict[str, Any] = {
    "probes": [
        {
            "name": "clouds",
            "ladder": ["network", "mesh"],
            "from": ["aks"],
            "to": ["eks"],
            "every": "10s",
            "expect": "loss<1%",
        },
        {"name": "backend", "service": "backend", "timeout": "1s"},
        {"name": "database", "tcp": {"host": "db.example", "port": 5432}, "every": "5m"},
        {"name": "web", "http": {"url": "https://a.example/", "statuses": [200], "headers": ["Accept: */*"]}},
    ]
}
NEVER = (
    None, [], {}, True, -1, 1.5, 10**30, "", " ", "\t", "a b", "ö", "_", "-a", "x" * 5000, "\u202e", "$(id)", "../..",
    math.nan, math.inf, [None], {"a": 1}, [["aks"]], "-10s", "10 parsecs", "1e9 h",
)  # fmt: skip
"""Values that are wrong in any place of the tree but the free texts of http."""


def places(tree: Any, where: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a tree."""
    below = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [where, *(place for key, value in below for place in places(value, (*where, key)))]


def at(tree: Any, where: tuple[Any, ...]) -> Any:
    for key in where:
        tree = tree[key]
    return tree


def check_refusal(error: UsageError) -> None:
    """A refusal as every refusal is to be: exit code 2, one printable line, a hint, and printable lines below it."""
    assert error.exit_code == 2
    assert error.message.isprintable()
    assert error.hint
    assert all(line.isprintable() for line in error.detail.splitlines())


def check_sense(wanted: tuple[Wanted, ...]) -> None:
    """What is taken makes sense: every value is one that an agent, Kubernetes and Prometheus can take."""
    assert 0 < len(wanted) <= MOST_ENTRIES
    assert len({entry.name for entry in wanted}) == len(wanted)
    for entry in wanted:
        assert LEGAL_NAME.fullmatch(entry.name)
        assert entry.kind in KINDS
        assert {*entry.sources, *entry.destinations} <= set(DATACENTERS)
        assert set(entry.rungs) <= set(RUNGS) and entry.rungs  # noqa: PT018 - one claim
        assert 0.1 <= entry.every_s <= 86400
        assert 0 < entry.timeout_s <= max(entry.every_s, 3.0)
        assert all(expect.parse(text) for text in entry.expect)
        assert 0 <= series_of(entry, "aks", DATACENTERS) <= MOST_SERIES
        assert json.loads(json.dumps(entry.target, allow_nan=False)) == entry.target
        if "port" in entry.target:
            assert 1 <= entry.target["port"] <= 65535
        if entry.kind in MECHANISMS:
            values = {key: tuple(v) if isinstance(v, list) else v for key, v in entry.target.items()}
            assert mechanisms.kind(entry.kind)(**values).mechanism == entry.kind


UNCHECKED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
"""A machine that is busy is no fault of a strategy."""

WRONG_PLACES = [place for place in places(TREE) if place and place[3:4] != ("headers",)]


@settings(max_examples=1000, suppress_health_check=UNCHECKED)
@given(place=st.sampled_from(WRONG_PLACES), value=st.sampled_from(NEVER))
def test_a_value_that_is_wrong_anywhere_is_refused(tmp_path: Path, place: tuple[Any, ...], value: Any) -> None:
    """A thousand times one wrong value in a valid document: always a refusal."""
    tree = deepcopy(TREE)
    at(tree, place[:-1])[place[-1]] = value
    file = tmp_path / "probes.yaml"
    check_refusal(refused(file, json.dumps(tree).replace("NaN", ".nan").replace("Infinity", ".inf")))


REQUIRED = [
    ("probes",), ("probes", 0, "name"), ("probes", 0, "ladder"), ("probes", 1, "service"), ("probes", 2, "tcp"),
    ("probes", 2, "tcp", "host"), ("probes", 2, "tcp", "port"), ("probes", 3, "http", "url"),
]  # fmt: skip


@pytest.mark.parametrize("place", REQUIRED, ids=lambda place: ".".join(map(str, place)))
def test_a_key_that_is_needed_and_missing_is_refused(file: Path, place: tuple[Any, ...]) -> None:
    """Whatever is not there has no default by accident."""
    tree = deepcopy(TREE)
    del at(tree, place[:-1])[place[-1]]
    check_refusal(refused(file, json.dumps(tree)))


@settings(max_examples=300, suppress_health_check=UNCHECKED)
@given(
    place=st.sampled_from([p for p in places(TREE) if isinstance(at(TREE, p), dict)]),
    key=st.text(max_size=12).map(lambda text: f"{text}?"),
)
def test_an_unknown_key_anywhere_is_refused(tmp_path: Path, place: tuple[Any, ...], key: str) -> None:
    """No key is silently left unread."""
    tree = deepcopy(TREE)
    level = at(tree, place)
    level.setdefault(key, 1)
    check_refusal(refused(tmp_path / "probes.yaml", json.dumps(tree)))


PIECES = (
    st.sampled_from(["\t", ":", ": ", "- ", "\n", "\n  ", "{", "}", "[", "]", "'", '"', "&a ", "*a", "!!int ", "|\n"])
    | st.sampled_from(
        ["<<: ", "? ", "---\n", "null", "true", ".inf", ".nan", "-", "0", "70000", "1e99", "\x00", "\ufeff"]
    )
    | st.text(max_size=4)
)
CHANGES = st.lists(st.tuples(st.integers(0, len(FULL)), st.integers(0, 12), PIECES), min_size=1, max_size=6)


def check_outcome(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        wanted = probes.load(path, DATACENTERS)
    except UsageError as error:
        check_refusal(error)
    else:
        check_sense(wanted)


@settings(max_examples=1200, suppress_health_check=UNCHECKED)
@given(changes=CHANGES)
def test_a_damaged_file_is_refused_or_makes_sense(tmp_path: Path, changes: list[tuple[int, int, str]]) -> None:
    """Mutations of the text: never another exception, and what still loads can be run."""
    text = FULL
    for place, length, piece in changes:
        text = text[:place] + piece + text[place + length :]
    check_outcome(tmp_path / "probes.yaml", text.encode(errors="surrogatepass"))


@settings(max_examples=300, suppress_health_check=UNCHECKED)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_refused_or_make_sense(tmp_path: Path, content: bytes) -> None:
    """As above, from nothing."""
    check_outcome(tmp_path / "probes.yaml", content)


def test_the_schema_names_the_echo_to_nobody() -> None:
    """It is the mesh rung's own, and is asked for by that name."""
    assert "echo" not in probe_schema.KINDS
