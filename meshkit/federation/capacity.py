"""What a datacenter's pods ask of a cluster, and what its nodes have to give.

Requests are compared with what nodes can allocate, not with what other pods leave of it: those come and go, and reading
them needs leave to look into every namespace. So what does not fit here never fits, and what does may have to wait.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from meshkit.consul.values import at
from meshkit.kubernetes import Manifest
from meshkit.model import Datacenter, Federation
from meshkit.platforms.catalogue import catalogue

_UNITS = {
    "": 1.0,
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}
_QUANTITY = re.compile(r"([0-9.]+)(m|[kMGT]|[KMGT]i)?")
_KEEP_OUT = frozenset({"NoSchedule", "NoExecute"})

LIGHT = {"server": ("100m", "200Mi"), "meshGateway": ("100m", "128Mi")}
OFFICIAL = {
    "server": ("100m", "200Mi"),
    "meshGateway": ("100m", "100Mi"),
    "connectInject": ("50m", "200Mi"),
    "webhookCertManager": ("100m", "50Mi"),
}
"""Requests by the part of the chart's values that has them, as its defaults are (official: 1.9 and 2.0)."""

PROBE = ("60m", "160Mi")
"""Two Envoy-side containers and the agent, as charts/mesh-probe has them."""


@dataclass(frozen=True)
class Need:
    """``count`` pods that each ask for so many CPUs and bytes; ``apart``: each on a node of its own."""

    what: str
    count: int
    cpu: float
    memory: float
    apart: bool = False


@dataclass(frozen=True)
class Node:
    """What one node can allocate to pods, in CPUs and bytes."""

    name: str
    cpu: float
    memory: float


@dataclass(frozen=True)
class Capacity:
    """Nodes that take ordinary pods; ``on_demand`` where more come when pods wait, so that none of this is final."""

    nodes: tuple[Node, ...] = ()
    on_demand: bool = False

    def takes(self, need: Need) -> bool:
        """Whether some node is large enough for one such pod."""
        return any(node.cpu >= need.cpu and node.memory >= need.memory for node in self.nodes)


def capacity(nodes: Sequence[Manifest], groups: Collection[str]) -> Capacity:
    """From the nodes and the API groups of what makes more of them."""
    on_demand = any(group in groups for group in catalogue().autoscalers)
    return Capacity(tuple(_node(node) for node in nodes if _takes_pods(node)), on_demand)


def needs(federation: Federation, datacenter: Datacenter) -> tuple[Need, ...]:
    """What federate will install in a datacenter, the user's own requests included."""
    requests = OFFICIAL if federation.official else LIGHT
    counts = {"server": datacenter.servers, "meshGateway": datacenter.gateways}
    parts = [_need(part, counts.get(part, 1), usual, datacenter, federation) for part, usual in requests.items()]
    return (*parts, Need("probe", 1, amount(PROBE[0]), amount(PROBE[1])))


def amount(quantity: Any) -> float:
    """A Kubernetes quantity as a number; 0 for what is none, which API servers refuse by themselves."""
    found = _QUANTITY.fullmatch(str(quantity))
    try:
        return float(found[1]) * _UNITS[found[2] or ""] if found else 0.0
    except ValueError:
        return 0.0


def _need(part: str, count: int, usual: tuple[str, str], datacenter: Datacenter, federation: Federation) -> Need:
    asked = dict(zip(("cpu", "memory"), usual, strict=True)) | _mapping(datacenter, f"{part}.resources.requests")
    apart = federation.official and part == "server" and "affinity" not in _mapping(datacenter, part)
    return Need(part, count, amount(asked["cpu"]), amount(asked["memory"]), apart)


def _mapping(datacenter: Datacenter, path: str) -> dict[str, Any]:
    """A part of the user's values; empty for what is none, which the chart or API servers refuse."""
    found = at(datacenter.values, path)
    return dict(found) if isinstance(found, Mapping) else {}


def _node(node: Manifest) -> Node:
    given = (node.get("status") or {}).get("allocatable") or {}
    return Node(str(node["metadata"]["name"]), amount(given.get("cpu", 0)), amount(given.get("memory", 0)))


def _takes_pods(node: Manifest) -> bool:
    """A Linux node that is not cordoned and has no taint that keeps ordinary pods out."""
    spec, labels = node.get("spec") or {}, node["metadata"].get("labels") or {}
    tainted = any(taint.get("effect") in _KEEP_OUT for taint in spec.get("taints") or ())
    return not (spec.get("unschedulable") or tainted or labels.get("kubernetes.io/os", "linux") != "linux")


def totals(wanted: Sequence[Need]) -> Iterator[tuple[str, float]]:
    """The sum of all requests, by resource."""
    yield "cpu", sum(need.cpu * need.count for need in wanted)
    yield "memory", sum(need.memory * need.count for need in wanted)
