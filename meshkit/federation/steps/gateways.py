"""Gateways: meshkit's own load balancer Service per cluster, and its address.

The address is known before Consul is installed, so every datacenter can be installed at the same time, and it stays
the same through upgrades and reinstalls of the chart.
"""

from __future__ import annotations

from meshkit.backends.base import Kube, Ref
from meshkit.consul.names import GATEWAY_SERVICE
from meshkit.federation import objects
from meshkit.federation.change import Change
from meshkit.federation.context import Context
from meshkit.kubernetes import load_balancer_address
from meshkit.model import Datacenter

TASK = "gateways"
ADDRESS_TIMEOUT_S = 300.0
"""Cloud load balancers take 1 to 3 minutes; one that has none after five is not coming."""


def plan(context: Context) -> tuple[Change, ...]:
    """Services that are missing, different or without an address."""
    found = context.each(lambda dc: difference(context, dc))
    return tuple(change for change in found.values() if change)


def act(context: Context) -> None:
    """Apply the Services and wait until each has an address."""
    context.each(lambda dc: _ensure(context, dc))


def difference(context: Context, datacenter: Datacenter) -> Change | None:
    """How a datacenter's Service differs, None when it is as it should be and has an address."""
    found = context.kube[datacenter.name].get(_ref(datacenter))
    if objects.data_differs(objects.gateway_service(datacenter), found):
        what = f"service {GATEWAY_SERVICE}, port {datacenter.gateway_port}"
        return Change("update" if found else "create", what, datacenter.name)
    if found and not load_balancer_address(found):
        return Change("await", "address of the mesh gateway", datacenter.name)
    return None


def _ensure(context: Context, datacenter: Datacenter) -> None:
    kube, wanted = context.kube[datacenter.name], objects.gateway_service(datacenter)
    if objects.data_differs(wanted, kube.get(_ref(datacenter))):
        kube.apply(wanted)
    context.wait(
        TASK,
        datacenter.name,
        lambda: "" if _address(kube, datacenter) else "the load balancer has no address yet",
        timeout_s=min(context.timeout_s, ADDRESS_TIMEOUT_S),
        hint=f"kubectl --context {datacenter.context} -n {datacenter.namespace} describe service "
        f"{GATEWAY_SERVICE}; a cluster without a cloud provider needs one such as MetalLB",
    )


def _address(kube: Kube, datacenter: Datacenter) -> str:
    found = kube.get(_ref(datacenter))
    return load_balancer_address(found) if found else ""


def _ref(datacenter: Datacenter) -> Ref:
    return Ref("Service", GATEWAY_SERVICE, datacenter.namespace)
