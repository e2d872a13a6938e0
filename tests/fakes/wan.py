"""What joins the datacenters: who reaches whom, what replicates where, and what a request through the mesh meets.

Nothing here is told to be healthy. Servers answer when their StatefulSet is ready, one datacenter reaches another when
trust, gossip key, gateways and link allow it, and a secondary knows what replication has brought: so a step that was
left out or done wrong shows as it would in real clusters.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import threading
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from fakes.helm import FakeHelm
from fakes.kube import FakeCluster
from meshkit.backends.base import Manifest, Ref
from meshkit.consul.config_entries import decide, intentions
from meshkit.consul.names import AGENT_PORT

_INDEX = itertools.count(10)
MANAGEMENT = "global-management"
REFUSED = (503, '{"kind":"Status","status":"Failure","message":"error trying to reach service: EOF","code":503}')
"""What the API server's proxy says when Envoy closes the connection, as it does on a denied or dead upstream."""


@dataclass
class Store:
    """What the servers of one datacenter keep on their volumes."""

    entries: dict[tuple[str, str], Manifest] = field(default_factory=dict)
    policies: dict[str, Manifest] = field(default_factory=dict)
    tokens: dict[str, Manifest] = field(default_factory=dict)
    health: dict[tuple[str, bool], list[Manifest]] = field(default_factory=dict)
    """Entries by service and whether its sidecars are meant."""

    met: set[str] = field(default_factory=set)
    forgotten: set[str] = field(default_factory=set)

    def put(self, entry: Manifest) -> None:
        """Keep a config entry, with the fields that Consul computes."""
        index = next(_INDEX)
        kept = deepcopy(entry) | {"CreateIndex": index, "ModifyIndex": index}
        for source in kept.get("Sources") or ():
            source.update({"Type": "consul", "Precedence": 9})
        self.entries[entry["Kind"], entry["Name"]] = kept


class FakeWan:
    """The datacenters by name, each a cluster with Helm; links between them can be cut and healed."""

    def __init__(self, namespace: str = "consul") -> None:
        self.namespace = namespace
        self.clusters: dict[str, FakeCluster] = {}
        self.helms: dict[str, FakeHelm] = {}
        self._cuts: set[frozenset[str]] = set()
        self._stores: dict[str, Store] = {}
        self.lock = threading.RLock()

    def add(self, datacenter: str, cluster: FakeCluster, *, polls: int = 0) -> FakeHelm:
        """Bring a cluster in as a datacenter's; its Helm makes workloads that wait for what real ones wait for."""
        # One lock for all: a cluster asks others while it is asked, and two locks taken in turn would deadlock.
        cluster.lock = self.lock
        self.clusters[datacenter] = cluster
        cluster.answer = lambda pod, port, path: self._answer(datacenter, pod, port, path)
        self.helms[datacenter] = FakeHelm(cluster, lambda name: self._lacks(datacenter, name), polls=polls)
        return self.helms[datacenter]

    def cut(self, one: str, other: str) -> None:
        """Let nothing pass between two datacenters."""
        self._cuts.add(frozenset((one, other)))

    def heal(self, one: str, other: str) -> None:
        self._cuts.discard(frozenset((one, other)))

    def values(self, datacenter: str) -> Mapping[str, Any]:
        """The Consul release's values, empty when it is not installed."""
        return self.helms[datacenter].values("consul", self.namespace)

    def primary(self, datacenter: str) -> str:
        """The primary, as a datacenter's own configuration names it."""
        named = self.values(datacenter).get("global", {}).get("federation", {}).get("primaryDatacenter")
        return str(named or datacenter)

    def serving(self, datacenter: str) -> bool:
        """Whether the servers are up and have a leader."""
        return self._ready(datacenter, "StatefulSet", "consul-server")

    def look_at_servers(self, datacenter: str) -> None:
        """One look at the servers, which brings them on when they are starting."""
        self.clusters[datacenter].settle("StatefulSet", self.namespace, "consul-server")

    def gateway(self, datacenter: str) -> bool:
        return self._ready(datacenter, "Deployment", "consul-mesh-gateway")

    def reaches(self, source: str, target: str) -> bool:
        """Whether servers of ``source`` get an answer from those of ``target``."""
        if source == target:
            return self.serving(source)
        if source not in self.clusters or target not in self.clusters or frozenset((source, target)) in self._cuts:
            return False
        up = self.serving(source) and self.serving(target) and self.gateway(target)
        way_out = self.gateway(source) or target == self.primary(source)
        return up and way_out and self._trust(source) == self._trust(target)

    def store(self, datacenter: str) -> Store:
        """A datacenter's data as of now: tied to its volume, and replicated if the primary can be reached."""
        with self.lock:
            own = self._own(datacenter)
            primary = self.primary(datacenter)
            if primary == datacenter:
                secret = self.token_in(datacenter, "bootstrapToken")
                own.tokens.setdefault(secret, {"AccessorID": "bootstrap", "Policies": [{"Name": MANAGEMENT}]})
                own.policies.setdefault(MANAGEMENT, {"ID": "0", "Name": MANAGEMENT, "Rules": ""})
                if self.values(datacenter).get("global", {}).get("acls", {}).get("createReplicationToken"):
                    made = {"AccessorID": "replication", "Policies": [{"Name": "acl-replication-policy"}]}
                    own.tokens.setdefault(self.token_in(datacenter, "replicationToken"), made)
            elif self.replicates(datacenter):
                copied = deepcopy(self.store(primary))
                own.entries, own.policies, own.tokens = copied.entries, copied.policies, copied.tokens
            reached = {other for other in self.clusters if self.reaches(datacenter, other)}
            own.forgotten -= {other for other in reached if self.reaches(other, datacenter)}
            own.met |= reached - own.forgotten
            return own

    def replicates(self, datacenter: str) -> bool:
        """Whether a secondary gets the primary's tokens and entries: it needs a token that the primary knows."""
        primary = self.primary(datacenter)
        token = self.token_in(datacenter, "replicationToken")
        return self.reaches(datacenter, primary) and token in self.store(primary).tokens

    def token_in(self, datacenter: str, key: str) -> str:
        """The token that the servers' configuration names, as the cluster's Secret has it."""
        return self._secret(datacenter, self.values(datacenter).get("global", {}).get("acls", {}).get(key))

    def _own(self, datacenter: str) -> Store:
        volume = f"data-{self.namespace}-consul-server-0"
        claim = self.clusters[datacenter].find(Ref("PersistentVolumeClaim", volume, self.namespace))
        return self._stores.setdefault(claim["metadata"]["uid"] if claim else datacenter, Store())

    def _lacks(self, datacenter: str, workload: str) -> str:
        """What keeps a workload from being ready; the proxies need a token that their datacenter knows."""
        if workload == "consul-server":
            return ""
        if not self.serving(datacenter):
            return "PodInitializing"
        values = self.values(datacenter).get("meshGateway", {})
        if self._is_official(datacenter) and workload != "mesh-probe":
            primary = self.primary(datacenter)
            if datacenter == primary:
                return ""
            self.clusters[primary].settle("Deployment", self.namespace, "consul-mesh-gateway")
            return "" if self.replicates(datacenter) else "PodInitializing"
        if workload == "mesh-probe":
            values = self.helms[datacenter].values("mesh-probe", self.namespace)
        token = self._secret(datacenter, values.get("aclToken"))
        return "" if token in self.store(datacenter).tokens else "PodInitializing"

    def _is_official(self, datacenter: str) -> bool:
        """Whether components log in by the cluster's API server instead of with tokens of ours."""
        return bool(self.values(datacenter).get("connectInject", {}).get("enabled"))

    def _answer(self, datacenter: str, pod: str, port: int, path: str) -> tuple[int, str]:
        """What a request to a probe's port meets: the far probe's echo, or nothing."""
        if port == AGENT_PORT:
            return self._agent(datacenter, path)
        values = self.helms[datacenter].values("mesh-probe", self.namespace)
        upstream = next((u for u in values.get("upstreams", ()) if u["port"] == port), None)
        if (
            upstream is None
            or not pod.startswith("mesh-probe")
            or not self._ready(datacenter, "Deployment", "mesh-probe")
        ):
            return REFUSED
        target, service = upstream["datacenter"], upstream["service"]
        if not self._mesh_path(datacenter, target) or not self._ready(target, "Deployment", "mesh-probe"):
            return REFUSED
        decided = decide(intentions(list(self.store(target).entries.values())), values["service"], service)
        if decided is None or decided.action != "allow":
            return REFUSED
        return 200, json.dumps({"service": service, "datacenter": target})

    def _agent(self, datacenter: str, path: str) -> tuple[int, str]:
        """The agent's pages: it reads its schedule at once, and has measured nothing."""
        if path.startswith("/results"):
            return 200, json.dumps({"source": datacenter, "windows": []})
        found = self.clusters[datacenter].find(Ref("ConfigMap", "mesh-probe-schedule", self.namespace))
        text = found["data"]["probes.json"] if found else ""
        schedule = {"digest": hashlib.sha256(text.encode()).hexdigest()[:12] if text else "", "rejected": {}}
        return 200, json.dumps({"ok": True, "schedule": schedule})

    def _mesh_path(self, source: str, target: str) -> bool:
        """Through both gateways, if proxies are told to use them; the link must carry both ways."""
        defaults = self.store(source).entries.get(("proxy-defaults", "global"), {})
        local = defaults.get("MeshGateway", {}).get("Mode") == "local"
        return local and self.gateway(source) and self.reaches(source, target)

    def _trust(self, datacenter: str) -> tuple[str, str]:
        """CA and gossip key as this datacenter has them; only equal ones join."""
        values = self.values(datacenter).get("global", {})
        authority, gossip = values.get("tls", {}).get("caCert"), values.get("gossipEncryption")
        return self._secret(datacenter, authority), self._secret(datacenter, gossip)

    def _secret(self, datacenter: str, reference: Mapping[str, str] | None) -> str:
        if not reference:
            return ""
        found = self.clusters[datacenter].find(Ref("Secret", reference["secretName"], self.namespace))
        return decoded(found["data"][reference["secretKey"]]) if found else ""

    def _ready(self, datacenter: str, kind: str, name: str) -> bool:
        found = self.clusters[datacenter].find(Ref(kind, name, self.namespace))
        return bool(found and found.get("status", {}).get("readyReplicas"))


def decoded(data: str) -> str:
    """A Secret's value as text."""
    return base64.b64decode(data).decode()
