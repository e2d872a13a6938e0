"""The workloads of a datacenter, and waiting until they are ready."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from meshkit.backends.base import Ref
from meshkit.consul import names
from meshkit.federation import pods
from meshkit.federation.change import Change
from meshkit.federation.context import Context
from meshkit.model import Datacenter


@dataclass(frozen=True)
class Workload:
    """Kind and name, what it is called on the screen, and its pods' labels."""

    kind: str
    name: str
    title: str
    selector: str
    aside: str = ""
    """A container that is not waited for."""


SERVERS = Workload("StatefulSet", names.SERVERS, "server", names.SERVER_SELECTOR)
GATEWAYS = Workload("Deployment", names.GATEWAY, "mesh gateway", names.GATEWAY_SELECTOR)
INJECTOR = Workload("Deployment", names.INJECTOR, "injector", "app=consul,component=connect-injector")
PROBES = Workload("Deployment", names.PROBE, "mesh probe", names.PROBE_SELECTOR, names.AGENT_CONTAINER)
ALL = (SERVERS, GATEWAYS, PROBES)
"""In the order in which they become ready."""


def of(context: Context) -> tuple[Workload, ...]:
    """Every workload of a datacenter; the official chart has one more."""
    return (SERVERS, INJECTOR, GATEWAYS, PROBES) if context.federation.official else ALL


def awaited(context: Context, datacenter: Datacenter, *workloads: Workload) -> tuple[Change, ...]:
    """The workloads that are not ready, each with what is lacking."""
    pending = ((workload, _pending(context, datacenter, workload)) for workload in workloads)
    return tuple(Change("await", workload.title, datacenter.name, reason) for workload, reason in pending if reason)


def wait(context: Context, task: str, datacenter: Datacenter, *workloads: Workload) -> None:
    """Return when all are ready; an error shows the pod that is not, its events and last log lines."""
    for workload in workloads:
        pending = partial(_pending, context, datacenter, workload)
        pods.wait_ready(context, task, datacenter, workload.selector, pending, aside=workload.aside)


def _pending(context: Context, datacenter: Datacenter, workload: Workload) -> str:
    kube = context.kube[datacenter.name]
    found = kube.get(Ref(workload.kind, workload.name, datacenter.namespace))
    reason = pods.not_ready(found, workload.title)
    if reason and found and workload.aside:
        ready = pods.ready_without(kube, datacenter.namespace, workload.selector, workload.aside)
        return pods.not_ready(found, workload.title, ready)
    return reason
