"""What is known of platforms, from ``platforms.yaml``: data that changes with the clouds, not with this program.

No code here or elsewhere asks for a platform by its name: what differs between platforms is a field of the data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Literal

import yaml

FILE = "platforms.yaml"


@dataclass(frozen=True)
class Evidence:
    """What a platform is recognised by, see ``platforms.yaml``; any of it is enough."""

    groups: Sequence[str] = ()
    version: str = ""
    labels: Sequence[str] = ()
    providers: Sequence[str] = ()
    server: re.Pattern[str] | None = None
    contexts: Sequence[re.Pattern[str]] = ()
    plugins: Sequence[str] = ()


@dataclass(frozen=True)
class Platform:
    """One platform; see ``platforms.yaml`` for each field."""

    key: str
    title: str
    evidence: Evidence
    region: str
    zone: str
    balancers: Sequence[str]
    storage: str
    node: str
    chart: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    permissions: Sequence[str] = ()
    light_chart: str = ""
    no_load_balancer: str = ""


@dataclass(frozen=True)
class LoadBalancer:
    """Who answers a Service of type LoadBalancer; ``internal`` is None where there is no internal one to ask for."""

    key: str
    annotations: Mapping[str, str]
    public: Mapping[str, str]
    answers: Literal["address", "hostname"]
    internal: Mapping[str, str] | None = None
    group: str = ""
    holds_node_ports: bool = False


@dataclass(frozen=True)
class Plugin:
    """A program that logs in: how to get it, and how to log in with it."""

    platform: str
    install: str
    login: str


@dataclass(frozen=True)
class Catalogue:
    """The whole file; ``providers`` are login entries that clients no longer take, with what replaces them."""

    platforms: Mapping[str, Platform]
    load_balancers: Mapping[str, LoadBalancer]
    plugins: Mapping[str, Plugin]
    providers: Mapping[str, str]
    autoscalers: Sequence[str]


@cache
def catalogue() -> Catalogue:
    """The file, read once."""
    content: dict[str, Any] = yaml.safe_load(resources.files(__package__).joinpath(FILE).read_text(encoding="utf-8"))
    return Catalogue(
        platforms={key: _platform(key, entry) for key, entry in content["platforms"].items()},
        load_balancers={key: LoadBalancer(key, **entry) for key, entry in content["load_balancers"].items()},
        plugins={key: Plugin(**entry) for key, entry in content["plugins"].items()},
        providers=content["providers"],
        autoscalers=content["autoscalers"],
    )


def platform(key: str) -> Platform | None:
    """A platform by its key, None for one that is not known."""
    return catalogue().platforms.get(key)


def title(key: str) -> str:
    """What people call a platform; Kubernetes where it is not known."""
    found = platform(key)
    return found.title if found else "Kubernetes"


def _platform(key: str, entry: dict[str, Any]) -> Platform:
    seen = dict(entry.pop("recognise"))
    server = re.compile(seen.pop("server")) if "server" in seen else None
    contexts = tuple(re.compile(form) for form in seen.pop("contexts", ()))
    return Platform(key=key, evidence=Evidence(server=server, contexts=contexts, **seen), **entry)
