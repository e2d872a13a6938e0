"""What one Kubernetes cluster says of a path: its time, its mesh gateway, and the pod behind a catalog entry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import monotonic

from meshkit.backends.base import Kube, Manifest, Ref
from meshkit.consul import gateway
from meshkit.consul.names import GATEWAY, GATEWAY_SELECTOR, GATEWAY_SERVICE
from meshkit.errors import MeshkitError
from meshkit.federation.context import Context
from meshkit.federation.pods import waiting
from meshkit.kubernetes import is_ready
from meshkit.model import Datacenter
from meshkit.trace.evidence import Pod, Side

TABLES = ("cat", "/proc/net/tcp", "/proc/net/tcp6")
LISTEN, SYN_RECEIVED = "0A", "03"
"""States of include/net/tcp_states.h."""

COLUMNS = 7
"""Up to the last that is read: sl, local, remote, state, queues, timer, retransmissions."""

RESENT = 2
"""Answers sent again to an attempt of the last 7 s; older ones are kept for a minute, and tell of the past."""

READ_S = 6.0
"""It takes milliseconds; an exec on a busy node takes seconds."""


def look(context: Context, dc: Datacenter) -> Side:
    """The side without its Consul and Envoys."""
    kube = context.kube[dc.name]
    skew = kube.clock() - context.clock.now()
    public = kube.get(Ref("Service", GATEWAY_SERVICE, dc.namespace))
    inside = kube.get(Ref("Service", GATEWAY, dc.namespace))
    workload = kube.get(Ref("Deployment", GATEWAY, dc.namespace))
    pods = kube.list("Pod", dc.namespace, selector=GATEWAY_SELECTOR)
    services = {GATEWAY_SERVICE: public, GATEWAY: inside}
    address = gateway.address(dc, public)
    return Side(
        dc.name,
        dc.context,
        dc.namespace,
        dc.primary,
        skew_s=skew.total_seconds(),
        gateway_desired=workload["spec"].get("replicas", 0) if workload else 0,
        gateway_ready=workload.get("status", {}).get("readyReplicas", 0) if workload else 0,
        gateway_pods=tuple(sorted((pod(found) for found in pods), key=lambda found: not found.ready)),
        gateway_address=(address, dc.gateway_port) if address else None,
        gateway_service=_inside(inside),
        gateway_unaddressed=not address,
        gateway_trouble=_trouble(workload),
        deselected=tuple(name for name, found in services.items() if found and _deselects(found, pods)),
    )


def _deselects(service: Manifest, pods: Sequence[Manifest]) -> bool:
    """Whether a Service's selector fits none of these pods."""
    selector = (service["spec"].get("selector") or {}).items()
    return bool(pods) and bool(selector) and not any(selector <= _labels(found).items() for found in pods)


def _labels(found: Manifest) -> dict[str, str]:
    return dict(found["metadata"].get("labels") or {})


def _trouble(workload: Manifest | None) -> str:
    """Why a Deployment can't make its pods: a quota, an admission webhook, a service account that is gone."""
    conditions = workload.get("status", {}).get("conditions") or () if workload else ()
    failures = (entry for entry in conditions if entry["type"] == "ReplicaFailure" and entry["status"] == "True")
    return next((str(entry.get("message", "")) for entry in failures), "")


def _inside(service: Manifest | None) -> tuple[str, int] | None:
    if service is None:
        return None
    address = str(service["spec"].get("clusterIP") or "").removeprefix("None")
    ports = service["spec"].get("ports") or ()
    return (address, int(ports[0]["port"])) if address and ports else None


def pod(found: Manifest) -> Pod:
    """A pod as the path needs it."""
    status, spec = found.get("status", {}), found.get("spec", {})
    ports = (port["containerPort"] for part in spec.get("containers", ()) for port in part.get("ports") or ())
    return Pod(
        str(found["metadata"]["name"]),
        str(found["metadata"]["namespace"]),
        str(status.get("podIP", "")),
        is_ready(found) and not found["metadata"].get("deletionTimestamp"),
        str(status.get("phase", "")),
        (*_unscheduled(found), *(f"{container}: {reason}" for container, reason in waiting(found))),
        tuple(sorted(int(port) for port in ports)),
        tuple(str(part["name"]) for part in spec.get("containers", ())),
    )


def _unscheduled(found: Manifest) -> Iterator[str]:
    """Why no node takes it."""
    for entry in found.get("status", {}).get("conditions") or ():
        if entry["type"] == "PodScheduled" and entry["status"] == "False":
            yield f"not scheduled: {entry.get('message', '')}"


def behind(kube: Kube, address: str) -> Pod | None:
    """The pod that has an address; None when no pod of the cluster has it."""
    for found in kube.list("Pod", fields=f"status.podIP={address}"):
        if found.get("status", {}).get("phase") in ("Running", "Pending") and not found["spec"].get("hostNetwork"):
            return pod(found)
    return None


def sockets(kube: Kube, where: Pod) -> tuple[frozenset[tuple[str, int]], int]:
    """Where the pod listens, and how many connections to it were begun just now and not completed.

    All containers of a pod share its network, so the first in which there is a ``cat`` will do.
    """
    refusal = MeshkitError(f"pod {where.name} has no container to look from")
    for container in where.containers:
        try:
            with kube.exec(where.name, where.namespace, container, TABLES) as execution:
                lines = [line.decode(errors="replace") for line in execution.lines(monotonic() + READ_S, lambda: False)]
        except MeshkitError as error:
            refusal = error
            lines = []
        if lines:
            return parsed(lines)
    raise refusal


def parsed(lines: list[str]) -> tuple[frozenset[tuple[str, int]], int]:
    """Rows of /proc/net/tcp: listening addresses, and the number of fresh ones in SYN_RECV."""
    rows = [row for line in lines if len(row := line.split()) >= COLUMNS and row[0].endswith(":")]
    listening = frozenset(_endpoint(row[1]) for row in rows if row[3] == LISTEN)
    return listening, sum(row[3] == SYN_RECEIVED and int(row[6], 16) <= RESENT for row in rows)


def _endpoint(text: str) -> tuple[str, int]:
    """``0100007F:1F90``: the address in words of the machine's byte order, the port as it is read."""
    address, _, port = text.partition(":")
    words = [address[at : at + 8] for at in range(0, len(address), 8)]
    parts = [part for word in words for part in _octets(word)]
    if len(words) == 1 or parts[:12] in ([0] * 10 + [255, 255], [0] * 12):
        last = parts[-4:]
        if len(words) > 1 and parts == [0] * 15 + [1]:
            return "127.0.0.1", int(port, 16)
        return ".".join(map(str, last)), int(port, 16)
    pairs = (f"{parts[at] << 8 | parts[at + 1]:x}" for at in range(0, 16, 2))
    return ":".join(pairs), int(port, 16)


def _octets(word: str) -> Iterator[int]:
    yield from reversed(bytes.fromhex(word))
