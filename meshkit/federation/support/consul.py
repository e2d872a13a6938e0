"""One datacenter's Consul as a support bundle shows it: what each of its HTTP API's answers says, one file each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from meshkit.backends.base import Consul
from meshkit.errors import MeshkitError, UnreachableError
from meshkit.federation.context import Context
from meshkit.model import Datacenter
from meshkit.support.document import File, Gap

ENTRIES = (
    *("proxy-defaults", "mesh", "service-defaults", "service-resolver", "service-router", "service-splitter"),
    *("service-intentions", "exported-services", "ingress-gateway", "terminating-gateway", "api-gateway"),
)


def gather(context: Context, dc: Datacenter) -> Iterator[File | Gap]:
    """A datacenter's files; one gap in place of all when its servers don't answer."""
    place = f"consul/{dc.name}"
    try:
        consul = context.consul(dc.name)
        questions = _questions(context, dc, consul)
        for name, ask in questions.items():
            try:
                yield File(f"{place}/{name}.json", name, json.dumps(ask(), indent=1, ensure_ascii=False) + "\n")
            except UnreachableError:
                raise
            except MeshkitError as error:
                yield Gap(f"{place}/{name}.json", error.message)
    except MeshkitError as error:
        yield Gap(place, error.message)


def _questions(context: Context, dc: Datacenter, consul: Consul) -> dict[str, Callable[[], Any]]:
    """File's name to what is asked for it."""
    return {
        "leader": consul.leader,
        "wan-members": lambda: [asdict(member) for member in consul.wan_members()],
        "acl-replication": consul.acl_replication,
        "acl-policies": lambda: dict(consul.policies()),
        "ca-roots": consul.ca_roots,
        "federation-states": lambda: {name: list(found) for name, found in consul.gateways().items()},
        "services": lambda: {
            service: list(consul.instances(service, dc.name)) for service in sorted(consul.services(dc.name))
        },
        "services-elsewhere": lambda: {
            other.name: sorted(consul.services(other.name)) for other in context.federation.datacenters if other != dc
        },
        "config-entries": lambda: {kind: list(consul.config_entries(kind)) for kind in ENTRIES},
    }
