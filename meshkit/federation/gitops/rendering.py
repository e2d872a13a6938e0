"""What a datacenter consists of, gathered and touched by nobody: releases with their values, objects, Secrets.

Values name Secrets and hold none. What meshkit itself owns (Secrets, the marker, the gateway's Service with its
address) is made by ``meshkit federate --gitops``; it is rendered to be seen, and for those who bring it another way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from meshkit.backends.base import Manifest
from meshkit.consul import config_entries, gateway, official, resources, values
from meshkit.consul.config_entries import DEFAULT_DENY
from meshkit.consul.names import CONSUL_RELEASE, PROBE_RELEASE
from meshkit.consul.values import Values
from meshkit.errors import UsageError
from meshkit.federation import agent, charts, objects, releases
from meshkit.federation.context import Context
from meshkit.federation.state import TOKEN_NAMES, FederationSecrets, State
from meshkit.model import Datacenter, Federation
from meshkit.pki import inspect
from meshkit.pki.material import GossipKey, PrivateKey, Token

PENDING = "not-made-yet"
"""In the place of ids and fingerprints that the first ``meshkit federate`` will make."""

CHARTS = "charts"
"""The folder of a tree for charts that come from no repository."""


@dataclass(frozen=True)
class Source:
    """Where a chart comes from: a ``repository`` in a ``version``, or a folder or archive of this machine."""

    name: str
    repository: str = ""
    version: str = ""
    local: Path | None = None

    @property
    def path(self) -> str:
        """A local chart's place in a tree."""
        return f"{CHARTS}/{self.name}"


@dataclass(frozen=True)
class Delivery:
    """One Helm release; ``official``: its chart is Consul's official one."""

    release: str
    source: Source
    values: Values
    official: bool = False


@dataclass(frozen=True)
class Rendering:
    """One datacenter. ``objects`` are meshkit's own; ``resources`` are Consul's settings with the official chart.

    ``secrets`` are the Secrets themselves, or None as long as they have not been made; ``keys`` are their names and
    keys in any case.
    """

    datacenter: Datacenter
    deliveries: tuple[Delivery, ...]
    objects: tuple[Manifest, ...]
    resources: tuple[Manifest, ...]
    keys: Mapping[str, tuple[str, ...]]
    secrets: tuple[Manifest, ...] | None


def gather(context: Context, given: Mapping[str, str]) -> tuple[Rendering, ...]:
    """Every datacenter; ``given`` are gateways' addresses by datacenter, the others are asked of the clusters."""
    asked = [dc for dc in context.federation.datacenters if dc.name not in given]
    services = context.each(lambda dc: releases.gateway_service(context, dc), asked)
    addresses = _addresses(context, given, services)
    return tuple(_datacenter(context, dc, addresses, services.get(dc.name)) for dc in context.federation.datacenters)


def _datacenter(
    context: Context, datacenter: Datacenter, addresses: Mapping[str, str], service: Manifest | None
) -> Rendering:
    """One datacenter; ``service`` is its gateway's, whose load balancer stays what it is."""
    federation, state = context.federation.seen_from(datacenter), context.state
    server, certificate, identity = state.server_certificate(datacenter.name), state.ca_certificate(), state.identity()
    fingerprint = inspect.inspect(server[0]).fingerprint if server else PENDING
    consul = Delivery(
        CONSUL_RELEASE,
        consul_source(federation),
        values.consul_values(federation, datacenter, addresses, fingerprint),
        official=federation.official,
    )
    probe = Delivery(
        PROBE_RELEASE,
        Source(PROBE_RELEASE, local=charts.probe()),
        values.probe_values(federation, datacenter, agent.archive_name()),
    )
    ca = inspect.inspect(certificate).fingerprint if certificate else PENDING
    own = [
        objects.namespace(datacenter.namespace),
        objects.marker(context.federation, datacenter, identity.id if identity else PENDING, ca),
        objects.gateway_service(datacenter, service),
    ]
    if federation.official:
        own += [objects.server_service(datacenter), objects.server_settings(datacenter, None)]
    settings = _settings(datacenter) if federation.official and datacenter.primary else ()
    return Rendering(
        datacenter,
        (consul, probe),
        tuple(own),
        settings,
        _keys(federation, datacenter),
        secrets(state, federation, datacenter),
    )


def consul_source(federation: Federation) -> Source:
    """The Consul chart: from its repository, or from where it lies here."""
    if federation.official and not federation.chart_path:
        return Source(
            CONSUL_RELEASE,
            federation.chart_repo or official.repository(),
            federation.chart_version or official.default(),
        )
    return Source(CONSUL_RELEASE, local=charts.consul(federation))


def secrets(state: State, federation: Federation, datacenter: Datacenter) -> tuple[Manifest, ...] | None:
    """A datacenter's Secrets, None as long as this machine has not made them all."""
    certificate, held = state.ca_certificate(), state.secrets()
    server = state.server_certificate(datacenter.name)
    if certificate is None or held is None or server is None:
        return None
    return objects.secrets(datacenter, certificate, server, held, official=federation.official)


def _addresses(context: Context, given: Mapping[str, str], services: Mapping[str, Manifest | None]) -> dict[str, str]:
    """Every gateway's address; UsageError for those that nobody knows."""
    described = [dc.name for dc in context.federation.datacenters]
    for name in given:
        if name not in described:
            raise UsageError(f"no datacenter {name} in this federation", hint=f"there are: {', '.join(described)}")
    found = {dc.name: gateway.address(dc, services.get(dc.name)) for dc in context.federation.datacenters} | dict(given)
    unknown = [name for name in described if not found[name]]
    if unknown:
        raise UsageError(
            f"the mesh gateway's address is not known yet: {', '.join(unknown)}",
            hint=f"meshkit federate --gitops makes it; or give it: --gateway-address {unknown[0]}=ADDRESS",
        )
    return {name: found[name] for name in described}


def _keys(federation: Federation, datacenter: Datacenter) -> dict[str, tuple[str, ...]]:
    """Names and keys of a datacenter's Secrets, by making them of nothing."""
    nothing = FederationSecrets(GossipKey(""), {name: Token("") for name in TOKEN_NAMES})
    made = objects.secrets(datacenter, "", ("", PrivateKey("")), nothing, official=federation.official)
    return {secret["metadata"]["name"]: tuple(sorted(secret["data"])) for secret in made}


def _settings(datacenter: Datacenter) -> tuple[Manifest, ...]:
    """Proxy defaults and default deny as custom resources."""
    metadata = {"name": resources.GLOBAL, "namespace": datacenter.namespace, "labels": dict(objects.MANAGED)}
    defaults = {
        "apiVersion": resources.API_VERSION,
        "kind": resources.PROXY_DEFAULTS_KIND,
        "metadata": metadata,
        "spec": {"meshGateway": {"mode": config_entries.GATEWAY_MODE}},
    }
    deny = config_entries.with_intention(None, DEFAULT_DENY)
    return defaults, resources.service_intentions(deny, datacenter.namespace, objects.MANAGED)
