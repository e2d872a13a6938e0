"""The Helm releases of a datacenter as they should be, and whether those that are there match."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meshkit.backends.base import Ref
from meshkit.consul import values
from meshkit.consul.names import CONSUL_RELEASE, GATEWAY_SERVICE, PROBE_RELEASE
from meshkit.errors import MeshkitError
from meshkit.federation import charts
from meshkit.federation.change import Change
from meshkit.federation.context import Context
from meshkit.kubernetes import load_balancer_address
from meshkit.model import Datacenter
from meshkit.pki import inspect

NAMES = (CONSUL_RELEASE, PROBE_RELEASE)


@dataclass(frozen=True)
class Wanted:
    """One release as it should be; ``mark`` names chart and values, and stands in the release's description."""

    name: str
    chart: Path
    values: Mapping[str, Any]

    @property
    def mark(self) -> str:
        """Changes when anything of the chart's files or of the values does."""
        text = json.dumps(self.values, sort_keys=True).encode()
        return f"meshkit {hashlib.sha256(charts.digest(self.chart) + text).hexdigest()[:16]}"


def wanted(context: Context, datacenter: Datacenter, addresses: Mapping[str, str]) -> tuple[Wanted, ...]:
    """The releases of a datacenter; ``addresses`` are the gateways' by datacenter."""
    federation = context.federation
    server = context.state.server_certificate(datacenter.name)
    if server is None:
        raise MeshkitError(f"{datacenter.name}: there is no server certificate", hint="run meshkit federate again")
    fingerprint = inspect.inspect(server[0]).fingerprint
    return (
        Wanted(
            CONSUL_RELEASE,
            charts.consul(federation),
            values.consul_values(federation, datacenter, addresses, fingerprint),
        ),
        Wanted(PROBE_RELEASE, charts.probe(), values.probe_values(federation, datacenter)),
    )


def differences(context: Context, datacenter: Datacenter, addresses: Mapping[str, str]) -> Iterator[Change]:
    """Releases that are missing, not deployed, or made from another chart or other values."""
    for release in wanted(context, datacenter, addresses):
        found = context.helm(datacenter.name).release(release.name, datacenter.namespace)
        what = f"helm release {release.name}"
        if found is None:
            yield Change("create", what, datacenter.name)
        elif found.status != "deployed":
            yield Change("update", what, datacenter.name, f"it is {found.status}")
        elif found.description != release.mark:
            yield Change("update", what, datacenter.name, "its chart or values are not those described")


def addresses(context: Context) -> dict[str, str] | None:
    """Every gateway's address by datacenter, None while one has none."""
    found = context.each(lambda dc: _address(context, dc))
    return found if all(found.values()) else None


def _address(context: Context, datacenter: Datacenter) -> str:
    service = context.kube[datacenter.name].get(Ref("Service", GATEWAY_SERVICE, datacenter.namespace))
    return load_balancer_address(service) if service else ""
