"""The Helm releases of a datacenter as they should be, and whether those that are there match."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meshkit.backends.base import Manifest, Ref, Release
from meshkit.consul import gateway, values
from meshkit.consul.names import CONSUL_RELEASE, GATEWAY_SERVICE, PROBE_RELEASE
from meshkit.errors import MeshkitError
from meshkit.events import Progress
from meshkit.federation import agent, charts, hooks
from meshkit.federation.change import Change
from meshkit.federation.context import Context
from meshkit.federation.gitops import delivered
from meshkit.model import Datacenter
from meshkit.pki import inspect

_MARK = "meshkit "
_OTHERWISE = "its chart or values are not those described"
_ADDRESSES = (
    ("the gateway's address", "meshGateway.wanAddress.static"),
    ("the primary's gateway", "global.federation.primaryGateways"),
)


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
        return f"{_MARK}{hashlib.sha256(charts.digest(self.chart) + text).hexdigest()[:16]}"


def consul(context: Context, datacenter: Datacenter, addresses: Mapping[str, str]) -> Wanted:
    """The release of a datacenter's servers and gateways; ``addresses`` are the gateways' by datacenter."""
    server = context.state.server_certificate(datacenter.name)
    if server is None:
        raise MeshkitError(f"{datacenter.name}: there is no server certificate", hint="run meshkit federate again")
    fingerprint = inspect.inspect(server[0]).fingerprint
    federation = context.federation.seen_from(datacenter)
    rendered = values.consul_values(federation, datacenter, addresses, fingerprint)
    return Wanted(CONSUL_RELEASE, charts.consul(federation), rendered)


def probe(context: Context, datacenter: Datacenter) -> Wanted:
    """The release of a datacenter's probe."""
    rendered = values.probe_values(context.federation.seen_from(datacenter), datacenter, agent.archive_name())
    return Wanted(PROBE_RELEASE, charts.probe(), rendered)


def is_meshkits(release: Release) -> bool:
    """Whether meshkit has installed it; one that failed, or was cut short, has Helm's own description."""
    return release.description.startswith(_MARK)


def difference(context: Context, datacenter: Datacenter, wanted: Wanted) -> Change | None:
    """How a release is missing, not deployed, or made from another chart or other values; None when it is not."""
    if _is_brought(context, wanted):
        lacking = _awaited(context, datacenter, wanted)()
        return Change("await", f"{wanted.name}, by GitOps", datacenter.name, lacking) if lacking else None
    found = context.helm(datacenter.name).release(wanted.name, datacenter.namespace)
    what = f"helm release {wanted.name}"
    if found is None:
        return Change("create", what, datacenter.name)
    if found.status != "deployed":
        return Change("update", what, datacenter.name, f"it is {found.status}")
    if found.description != wanted.mark:
        return Change("update", what, datacenter.name, _moved(context, datacenter, wanted) or _OTHERWISE)
    return None


def _moved(context: Context, datacenter: Datacenter, wanted: Wanted) -> str:
    """Which gateway's address is another one than installed, if that is it: the most frequent reason by far."""
    before = context.helm(datacenter.name).values(wanted.name, datacenter.namespace)
    for what, path in _ADDRESSES:
        was, now = _shown(values.at(before, path)), _shown(values.at(wanted.values, path))
        if was and now and was != now:
            return f"{what} was {was} and is {now}"
    return ""


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value or "")


def ensure(context: Context, task: str, datacenter: Datacenter, wanted: Wanted) -> None:
    """Install or upgrade a release where it differs; pods are waited for elsewhere, hooks here."""
    try:
        begin(context, task, datacenter, wanted)
        if wanted.name == CONSUL_RELEASE and context.federation.official:
            hooks.finish(context, task, datacenter)
    except BaseException:
        context.installs.stop()
        raise


def begin(context: Context, task: str, datacenter: Datacenter, wanted: Wanted) -> None:
    """The same, but where the chart has hooks helm goes on in the background."""
    if _is_brought(context, wanted):
        lacking = _awaited(context, datacenter, wanted)
        context.wait(task, datacenter.name, lacking, hint=delivered.HINT)
        return
    if not difference(context, datacenter, wanted):
        return
    if wanted.name == CONSUL_RELEASE and context.federation.official:
        hooks.begin(context, task, datacenter, wanted)
    else:
        context.observe(Progress(task, f"helm installs {wanted.name}", datacenter.name))
        helm = context.helm(datacenter.name)
        helm.install(wanted.name, datacenter.namespace, wanted.chart, wanted.values, wanted.mark)


def _is_brought(context: Context, wanted: Wanted) -> bool:
    """Whether a release is GitOps's to install; what the agents do on a schedule is meshkit's in any case."""
    return context.federation.gitops and wanted.name in (CONSUL_RELEASE, PROBE_RELEASE)


def _awaited(context: Context, datacenter: Datacenter, wanted: Wanted) -> Callable[[], str]:
    """What is lacking of a release that GitOps brings."""
    helm = context.helm(datacenter.name)
    rendered = helm.template(wanted.name, datacenter.namespace, wanted.chart, wanted.values)
    return delivered.pending(context, datacenter, rendered)


def addresses(context: Context) -> dict[str, str] | None:
    """Every gateway's address by datacenter, None while one has none."""
    found = context.each(lambda dc: address(context, dc))
    return found if all(found.values()) else None


def address(context: Context, datacenter: Datacenter) -> str:
    """The address of a datacenter's gateway, empty while it has none."""
    return datacenter.gateway_address or gateway.address(datacenter, gateway_service(context, datacenter))


def gateway_service(context: Context, datacenter: Datacenter) -> Manifest | None:
    """The gateway's public Service as it stands, None while there is none."""
    return context.kube[datacenter.name].get(Ref("Service", GATEWAY_SERVICE, datacenter.namespace))
