"""agent.json, read strictly: what is missing, unknown or of the wrong kind is one line that names the key."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from meshkit.errors import UsageError

LEAST_SEGMENT, MOST_SEGMENT = 4096, 700_000
"""A window of one series has room; base64 of it, with its metadata, is below the 1 MiB of a ConfigMap."""

MOST_SEGMENTS = 64

SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


@dataclass(frozen=True)
class Identity:
    """Where the mesh certificate comes from (Consul's HTTPS API) and the folder it goes to."""

    server: str
    server_name: str
    ca: str
    token_file: str
    service: str
    directory: str = "/identity"


@dataclass(frozen=True)
class Kubernetes:
    """The ConfigMaps of this agent. ``server`` is empty inside a cluster, where the environment names it."""

    namespace: str
    schedule: str = "mesh-probe-schedule"
    results: str = "mesh-probe-results"
    segments: int = 8
    segment_bytes: int = 131072
    schedule_s: float = 10.0
    flush_s: float = 60.0
    server: str = ""
    service_account: str = SERVICE_ACCOUNT


@dataclass(frozen=True)
class Otlp:
    """Where metrics are pushed to; nowhere when ``endpoint`` is empty."""

    endpoint: str = ""
    interval_s: float = 60.0


@dataclass(frozen=True)
class Config:
    """All of it. ``series`` is the budget of time series that ``/metrics`` may have; ``listen`` 0 takes a free port."""

    source: str
    kubernetes: Kubernetes
    federation: str = ""
    address: str = ""
    listen: int = 9100
    identity: Identity | None = None
    peers: Mapping[str, str] = field(default_factory=dict)
    peers_s: float = 30.0
    otlp: Otlp = field(default_factory=Otlp)
    data: str = "/data"
    series: int = 50_000


@dataclass(frozen=True)
class JobConfig:
    """A CronJob's: what it probes (``Probe.as_wire``), how often in a row, and where its results go."""

    source: str
    probes: tuple[Mapping[str, Any], ...]
    count: int
    kubernetes: Kubernetes
    federation: str = ""
    identity: Identity | None = None


def load(path: Path, kind: type[Any]) -> Any:
    """Read a ``Config`` or ``JobConfig``; UsageError with one line."""
    try:
        raw = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON: {error}") from error
    try:
        config = _section(kind, raw, "")
        _check(config)
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from error
    return config


def _section(kind: type[Any], raw: Any, where: str) -> Any:
    """A dataclass of an object's values."""
    if not isinstance(raw, dict):
        raise ValueError(f"{where or 'it'} is not an object")  # noqa: TRY004, all are errors of the file
    hints = typing.get_type_hints(kind)
    known = {f.name: f for f in fields(kind)}
    prefix = f"{where}." if where else ""
    if unknown := sorted(set(raw) - set(known)):
        raise ValueError(f"{prefix}{unknown[0]} is not known; there are {', '.join(known)}")
    for name, f in known.items():
        if name not in raw and f.default is MISSING and f.default_factory is MISSING:
            raise ValueError(f"{prefix}{name} is missing")
    return kind(**{name: _value(hints[name], value, prefix + name) for name, value in raw.items()})


def _value(hint: Any, value: Any, where: str) -> Any:
    """A value of the kind that its key wants."""
    origin = typing.get_origin(hint)
    if origin is types.UnionType:
        return None if value is None else _section(typing.get_args(hint)[0], value, where)
    if is_dataclass(hint):
        return _section(typing.cast("type[Any]", hint), value, where)
    if origin is tuple:
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            raise ValueError(f"{where} is not a list of objects")
        return tuple(value)
    if origin is not None:
        if not isinstance(value, dict) or not all(isinstance(entry, str) for entry in value.values()):
            raise ValueError(f"{where} is not an object of texts")
        return value
    if hint is str and isinstance(value, str):
        return value
    if hint in (int, float) and isinstance(value, int | float) and not isinstance(value, bool):
        number = hint(value)
        if number == value:
            return number
    raise ValueError(f"{where} is not a {'text' if hint is str else 'number'}")


def _check(config: Config | JobConfig) -> None:
    """What a kind alone does not say."""
    store = config.kubernetes
    limits = [
        ("kubernetes.segments", store.segments, 1, MOST_SEGMENTS),
        ("kubernetes.segment_bytes", store.segment_bytes, LEAST_SEGMENT, MOST_SEGMENT),
        ("kubernetes.schedule_s", store.schedule_s, 0.01, 3600),
        ("kubernetes.flush_s", store.flush_s, 0.01, 86400),
    ]
    addresses = {"kubernetes.server": store.server} if store.server else {}
    if config.identity:
        addresses["identity.server"] = config.identity.server
    if isinstance(config, JobConfig):
        limits.append(("count", config.count, 1, 100_000))
    else:
        limits += [
            ("listen", config.listen, 0, 65535),
            ("series", config.series, 100, 10_000_000),
            ("peers_s", config.peers_s, 0.01, 3600),
            ("otlp.interval_s", config.otlp.interval_s, 0.01, 86400),
        ]
        addresses |= {f"peers.{name}": url for name, url in config.peers.items()}
        if config.otlp.endpoint:
            addresses["otlp.endpoint"] = config.otlp.endpoint
    for name, number, least, most in limits:
        if not least <= number <= most:
            raise ValueError(f"{name} is {number}, not between {least} and {most}")
    for name, url in addresses.items():
        if not _is_address(url):
            raise ValueError(f"{name} is not an http or https address")
    if not config.source:
        raise ValueError("source is empty")


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
