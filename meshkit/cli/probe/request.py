"""From words on the command line to what is wanted and how often; all of it is checked before any work.

The words become an entry as probes.yaml has them, so that one form and one set of rules decide for both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from meshkit.cli.probe import place, plan
from meshkit.cli.probe.place import Address, Place
from meshkit.config import duration, probe_fields, probes
from meshkit.config.forms import unknown
from meshkit.config.probe_schema import MECHANISMS
from meshkit.errors import UsageError
from meshkit.probes.wanted import LADDER, SERVICE, Wanted

HELP = "meshkit probe run --help"
MOST_PROBES = 1_000_000
SHORTEST_INTERVAL_S, LONGEST_INTERVAL_S = 0.001, 3600.0
SHORTEST_RUN_S, LONGEST_RUN_S = 0.1, 86400.0
SHORTEST_TIMEOUT_S, LONGEST_TIMEOUT_S = 0.01, 60.0
DEFAULTS = {"": (20, "200ms", "3s"), "path": (1, "10s", "15s")}
"""Count, interval and timeout; a trace is dozens of packets, and routers answer only so many a second."""

HTTPS_PORT = 443
NAMES_OF_HOSTS = {"dns": "name"}
"""What a mechanism calls the host that it is about."""


@dataclass(frozen=True)
class Pace:
    """How often and how long; one of ``count`` and ``for_s`` is None."""

    interval_s: float
    timeout_s: float
    count: int | None = None
    for_s: float | None = None


@dataclass(frozen=True)
class Words:
    """What stands on the command line; empty where nothing does."""

    source: str = ""
    destination: str = ""
    sources: Sequence[str] = ()
    destinations: Sequence[str] = ()
    mechanism: str = ""
    rungs: Sequence[str] = ()
    target: Sequence[str] = ()
    service: str = ""
    expect: Sequence[str] = ()


def pace(  # noqa: PLR0913 - one parameter per option
    count: int | None, interval: str, for_: str, rate: float | None, timeout: str, *, mechanism: str = ""
) -> Pace:
    """Options as numbers; UsageError when they contradict each other or are out of bounds."""
    usual_count, usual_interval, usual_timeout = DEFAULTS.get(mechanism, DEFAULTS[""])
    if count is not None and for_:
        raise UsageError("--count and --for both say when to end", hint="give one of them")
    if interval and rate is not None:
        raise UsageError("--interval and --rate both say how often", hint="give one of them")
    if count is not None and not 1 <= count <= MOST_PROBES:
        raise UsageError(f"--count: {count} is out of bounds", hint=f"from 1 to {MOST_PROBES:,}")
    interval_s = duration.option("--interval", interval or usual_interval, SHORTEST_INTERVAL_S, LONGEST_INTERVAL_S)
    if rate is not None:
        fastest, slowest = 1 / SHORTEST_INTERVAL_S, 1 / LONGEST_INTERVAL_S
        if not slowest <= rate <= fastest:
            raise UsageError(f"--rate: {rate:g} is out of bounds", hint=f"probes a second, at most {fastest:g}")
        interval_s = 1 / rate
    for_s = duration.option("--for", for_, SHORTEST_RUN_S, LONGEST_RUN_S) if for_ else None
    timeout_s = duration.option("--timeout", timeout or usual_timeout, SHORTEST_TIMEOUT_S, LONGEST_TIMEOUT_S)
    return Pace(interval_s, timeout_s, None if for_s else count or usual_count, for_s)


def wanted(words: Words, datacenters: Sequence[str], timing: Pace) -> Wanted:
    """What the words ask for; UsageError lists everything that is wrong."""
    sources = [place.source(text, datacenters) for text in _either(words.source, words.sources, "SRC", "--from")]
    given = _either(words.destination, words.destinations, "DST", "--to")
    destinations = [place.destination(text, datacenters) for text in given]
    entry = _entry(words, destinations, {s.service for s in sources if s.service})
    places = [d.datacenter for d in destinations if isinstance(d, Place)]
    entry |= {key: value for key, value in (("from", [s.datacenter for s in sources]), ("to", places)) if value}
    if words.expect:
        entry["expect"] = list(words.expect)
    found = probes.from_arguments(entry, datacenters, timing.interval_s, timing.timeout_s, HELP)
    return replace(found, name=plan.subject(found.target)) if found.kind in MECHANISMS else found


def _either(argument: str, option: Sequence[str], name: str, flag: str) -> Sequence[str]:
    if argument and option:
        raise UsageError(f"{name} and {flag} say the same thing", hint="give one of them")
    return (argument,) if argument else option


def _entry(words: Words, destinations: Sequence[Place | Address], identities: set[str]) -> dict[str, Any]:
    """What is probed: an address by a mechanism, a service through the mesh, or the ladder."""
    addresses = [d for d in destinations if isinstance(d, Address)]
    services = {d.service for d in destinations if isinstance(d, Place) and d.service}
    as_ = {*identities, *([words.service] if words.service else [])}
    for what, found in (("address", addresses), ("service", services), ("service to probe as", as_)):
        if len(found) > 1:
            raise UsageError(f"one {what} at a time", hint=HELP)
    if services and not addresses and not words.mechanism:
        return {"name": SERVICE, SERVICE: services.pop()} | ({"as": as_.pop()} if as_ else {})
    if as_:
        raise UsageError(
            "only a service is probed as another service", hint="meshkit probe run aks/frontend eks/backend"
        )
    if services:
        raise UsageError(
            "a service is reached through the mesh", hint="leave out --mechanism, or give host:port or a URL"
        )
    if addresses or words.mechanism:
        return _mechanism(words, addresses[0] if addresses else Address())
    if words.target:
        raise UsageError("--target needs a mechanism", hint=f"--mechanism, one of {', '.join(MECHANISMS)}")
    return {"name": LADDER, LADDER: list(words.rungs) or "all"}


def _mechanism(words: Words, address: Address) -> dict[str, Any]:
    name = words.mechanism or address.mechanism
    if not name and "port" not in address.fields:
        host = address.fields["host"]
        raise UsageError(f"{host}: how is it to be probed?", hint=f"{host}:443, https://{host}/, or --mechanism icmp")
    name = name or "tcp"
    if name not in MECHANISMS:
        raise UsageError(f"{name}: {unknown(name, MECHANISMS, 'mechanism')}", hint=HELP)
    if address.mechanism and name != address.mechanism:
        raise UsageError(f"--mechanism {name} and a URL for {address.mechanism}", hint="leave out one of them")
    if name == "dns" and "port" in address.fields:
        raise UsageError(
            "a dns probe is about a name", hint="--target server=10.0.0.10 --target port=53 says who is asked"
        )
    told = address.fields or any(text.startswith("host=") for text in words.target)
    if "host" in probe_fields.types(name) and not told and (words.destination or words.destinations):
        raise UsageError(
            f"{name} is sent to an address, and a datacenter has many",
            hint=f"that of its gateway is in meshkit status: meshkit probe run aks 203.0.113.7 --mechanism {name}",
        )
    if words.rungs:
        raise UsageError("rungs are the ladder's", hint="leave out --rung, or the mechanism")
    return {"name": name, name: {**_fields(name, address.fields), **_target(name, words.target)}}


def _fields(mechanism: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """An address in the mechanism's own fields."""
    if mechanism == "http" and "host" in given:
        host = f"[{given['host']}]" if ":" in given["host"] else given["host"]
        scheme = "https" if given.get("port") == HTTPS_PORT else "http"
        return {"url": f"{scheme}://{host}:{given['port']}/" if "port" in given else f"{scheme}://{host}/"}
    return {NAMES_OF_HOSTS.get(mechanism, key) if key == "host" else key: value for key, value in given.items()}


def _target(mechanism: str, given: Sequence[str]) -> dict[str, Any]:
    """``key=value`` words as the types that the mechanism's fields have; a list's field may be given several times."""
    types = probe_fields.types(mechanism)
    found: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError("--target is written KEY=VALUE", hint=f"{mechanism} has {', '.join(types)}")
        if key not in types:
            raise UsageError(f"--target {key}: {unknown(key, list(types), 'field')}", hint=f"fields of {mechanism}")
        kind = types[key]
        if kind in _LISTS:
            found.setdefault(key, []).append(_read(key, value, _LISTS[kind]))
        elif key in found:
            raise UsageError(f"--target {key} is given twice", hint=HELP)
        else:
            found[key] = _read(key, value, kind)
    return found


_LISTS: dict[Any, Any] = {tuple[str, ...]: str, tuple[int, ...]: int}
_SWITCHES = {"true": True, "yes": True, "false": False, "no": False}
_READERS: dict[Any, tuple[Callable[[str], Any], str]] = {
    int: (int, "a whole number"),
    float: (float, "a number"),
    bool: (lambda text: _SWITCHES[text], "true or false"),
    str: (str, "a text"),
}


def _read(key: str, value: str, kind: Any) -> Any:
    read, what = _READERS[kind]
    try:
        return read(value)
    except (ValueError, KeyError):
        raise UsageError(
            f"--target {key}: expected {what}", hint=f"for example {key}={'true' if kind is bool else 1}"
        ) from None
