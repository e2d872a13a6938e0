"""Who has which name, address and folder in the lab.

Each cluster is one node in one network namespace. Its node address is the only one that other clusters can reach,
as between clouds; pod and service ranges are distinct all the same, so that a leak would be seen, not masked.
The machine itself reaches every node at once and without delay (it is the operator's laptop), so API servers answer
at full speed whatever the WAN between the clusters does.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from meshkit.errors import UsageError

MAX_NODES = 40
"""Ranges below leave room for 50; memory ends earlier."""

HOST_ADDRESS = "10.99.0.254"
"""The machine's own address on the link to every node."""

RESERVED = frozenset({"wan"})
"""The WAN's folder and process stand beside the clusters' under this name."""

_NAME = re.compile(r"[a-z]([-a-z0-9]{0,18}[a-z0-9])?")


@dataclass(frozen=True)
class Node:
    """One lab cluster: ``name`` is also its kubeconfig context, ``index`` (1 to MAX_NODES) fixes its addresses."""

    name: str
    index: int

    @property
    def namespace(self) -> str:
        """The network namespace, as ``ip netns`` names it."""
        return f"meshkit-{self.name}"

    @property
    def address(self) -> str:
        """The node's address: API server, load balancers and everything another cluster may reach."""
        return f"10.99.{self.index}.1"

    @property
    def service_prefix(self) -> str:
        """First two octets of the service range, a /16; ``.0.1`` is the API server's, ``.0.10`` DNS."""
        return f"10.{100 + self.index}"

    @property
    def service_cidr(self) -> str:
        """The service range of the cluster, a /16."""
        return f"{self.service_prefix}.0.0/16"

    @property
    def pod_cidr(self) -> str:
        """The pod range of the cluster (a /16, of which the node has the first /24)."""
        return f"10.{150 + self.index}.0.0/16"

    @property
    def folder(self) -> Path:
        """Everything of this cluster that is not cached: keys, etcd, containerd, logs."""
        return lab_folder() / self.name


def lab_folder() -> Path:
    """The lab's state, ``MESHKIT_LAB_DIR`` or /var/lib/meshkit-lab; gone after ``lab down``."""
    return Path(os.environ.get("MESHKIT_LAB_DIR") or "/var/lib/meshkit-lab")


def cache_folder() -> Path:
    """Built tools and images, kept over ``lab down``: ``MESHKIT_CACHE_DIR``, else XDG_CACHE_HOME/meshkit."""
    own = os.environ.get("MESHKIT_CACHE_DIR")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "meshkit"


def check_name(name: str) -> str:
    """The cluster name, or UsageError: it becomes a host name, a namespace and an interface name."""
    if name in RESERVED:
        raise UsageError(f"lab cluster name {name!r} is taken by the lab itself", hint="choose another name")
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"lab cluster name {name!r} is not valid",
            hint="use 1 to 20 lower-case letters, digits and dashes, a letter first: meshkit lab up aks eks",
        )
    return name
