"""The Consul API of one datacenter in a ``FakeWan``."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime

from fakes.wan import FakeWan, Store
from fakes.workloads import SERVER_ADDRESS
from meshkit.backends.base import Manifest, Member
from meshkit.consul import config_entries
from meshkit.errors import MeshkitError, UnreachableError

GATEWAY_PORT = 443
TRUST_DOMAIN = "11111111-2222-3333-4444-555555555555.consul"


class FakeConsul:
    """``base.Consul`` with ``token`` as the caller's; it answers when the datacenter's servers are ready."""

    def __init__(self, wan: FakeWan, datacenter: str, token: str) -> None:
        self._wan = wan
        self._datacenter = datacenter
        self._token = token

    def leader(self) -> str:
        self._require_servers()
        return f"{SERVER_ADDRESS}:8300"

    def wan_members(self) -> Sequence[Member]:
        store = self._authorised()
        return [
            Member(f"consul-server-0.{other}", other, "alive" if self._two_way(other) else "failed", SERVER_ADDRESS)
            for other in sorted(store.met | {self._datacenter})
        ]

    def node_checks(self, node: str, datacenter: str) -> Sequence[Manifest]:
        self._authorised()
        self._require(datacenter)
        if not node.startswith("consul-server-"):
            return []
        return [{"Node": node, "CheckID": "serfHealth", "Name": "Serf Health Status", "Status": "passing"}]

    def services(self, datacenter: str) -> Mapping[str, Sequence[str]]:
        self._authorised()
        self._require(datacenter)
        probe = self._wan.helms[datacenter].values("mesh-probe", self._wan.namespace).get("service")
        names = ["consul"]
        if self._wan.gateway(datacenter):
            names.append("mesh-gateway")
        if probe:
            names += [probe, f"{probe}-sidecar-proxy"]
        names += [name for name, proxies in self._wan.store(datacenter).health if not proxies and name not in names]
        return {name: [] for name in names}

    def instances(self, service: str, datacenter: str) -> Sequence[Manifest]:
        if service not in self.services(datacenter):
            return []
        node = "consul-server-0" if service == "consul" else service
        entry = {"Node": node, "Address": SERVER_ADDRESS, "Datacenter": datacenter, "ServiceName": service}
        return [entry | {"ServiceID": service, "ServiceAddress": SERVER_ADDRESS, "ServicePort": 8300}]

    def health(self, service: str, datacenter: str, *, proxies: bool = False, matching: str = "") -> Sequence[Manifest]:
        self._authorised()
        self._require(datacenter)
        known = self._wan.store(datacenter).health.get((service, proxies))
        if known is None and service == "consul" and not proxies:
            known = [{"Node": {"Node": "consul-server-0"}, "Service": {"ID": "consul"}, "Checks": []}]
        return [] if matching else deepcopy(known or [])

    def discovery_chain(self, service: str, datacenter: str) -> Manifest:
        self._authorised()
        target = {"Service": service, "Datacenter": datacenter}
        return {"Chain": {"Protocol": "tcp", "Default": True, "Targets": {f"{service}.{datacenter}": target}}}

    def allowed(self, source: str, destination: str) -> bool:
        rule = config_entries.decide(
            config_entries.intentions(self.config_entries(config_entries.INTENTIONS)), source, destination
        )
        return rule is not None and rule.action == "allow"

    def config_entries(self, kind: str) -> Sequence[Manifest]:
        entries = self._authorised().entries
        return [deepcopy(entry) for (found, _), entry in sorted(entries.items()) if found == kind]

    def write_config_entry(self, entry: Manifest, *, cas: int | None = None) -> bool:
        store = self._writable()
        if not entry.get("Kind") or not entry.get("Name"):
            raise MeshkitError(f"{self._datacenter}: consul: Request decoding failed: Kind and Name are needed")
        with self._wan.lock:
            current = cas in (None, _modified(store, entry["Kind"], entry["Name"]))
            if current:
                store.put(entry)
        return current

    def delete_config_entry(self, kind: str, name: str, *, cas: int | None = None) -> bool:
        store = self._writable()
        with self._wan.lock:
            current = cas is None or (kind, name) not in store.entries or cas == _modified(store, kind, name)
            if current:
                store.entries.pop((kind, name), None)
        return current

    def policies(self) -> Mapping[str, Manifest]:
        found = self._authorised().policies
        return {name: {k: v for k, v in policy.items() if k != "Rules"} for name, policy in found.items()}

    def policy_rules(self, names: Collection[str]) -> Mapping[str, str]:
        found = self._authorised().policies
        return {name: policy["Rules"] for name, policy in found.items() if name in names}

    def write_policy(self, name: str, rules: str, description: str) -> None:
        policies = self._writable().policies
        known = policies.get(name, {"ID": str(uuid.uuid4())})
        policies[name] = known | {"Name": name, "Rules": rules, "Description": description}

    def token(self, secret: str) -> Manifest | None:
        self._require_servers()
        found = self._wan.store(self._datacenter).tokens.get(secret)
        return deepcopy(found) | {"SecretID": secret} if found else None

    def write_token(self, secret: str, accessor: str, body: Manifest) -> None:
        store = self._writable()
        for policy in body.get("Policies") or ():
            if policy["Name"] not in store.policies:
                raise MeshkitError(f"{self._datacenter}: consul: No such ACL policy with name {policy['Name']!r}")
        known = store.tokens.get(secret)
        if known is None and accessor in (token["AccessorID"] for token in store.tokens.values()):
            raise MeshkitError(f"{self._datacenter}: consul: Invalid Token: AccessorID is already in use")
        store.tokens[secret] = {"AccessorID": known["AccessorID"] if known else accessor, **deepcopy(body)}

    def acl_replication(self) -> Manifest:
        self._authorised()
        primary = self._wan.primary(self._datacenter)
        if primary == self._datacenter:
            return {"Enabled": False, "Running": False, "SourceDatacenter": "", "ReplicationType": ""}
        running = self._wan.replicates(self._datacenter)
        stamp = datetime(2026, 1, 1, 12, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        never = "0001-01-01T00:00:00Z"
        return {
            "Enabled": True,
            "Running": running,
            "SourceDatacenter": primary,
            "ReplicationType": "tokens",
            "ReplicatedIndex": 10 if running else 0,
            "ReplicatedTokenIndex": 10 if running else 0,
            "LastSuccess": stamp if running else never,
            "LastError": never if running else stamp,
        }

    def gateways(self) -> Mapping[str, Sequence[Manifest]]:
        store = self._authorised()
        known = (store.met | {self._datacenter}) - store.forgotten
        return {other: [self._gateway(other)] for other in sorted(known) if self._wan.gateway(other)}

    def ca_roots(self) -> Manifest:
        self._authorised()
        return {"TrustDomain": TRUST_DOMAIN, "Roots": [{"RootCert": "-----BEGIN CERTIFICATE-----\n"}]}

    def leaf(self, service: str) -> Manifest:
        self._authorised()
        return {"CertPEM": f"certificate of {service}", "PrivateKeyPEM": f"canary-key of {service}"}

    def force_leave(self, member: str) -> None:
        store = self._authorised()
        _, _, datacenter = member.partition(".")
        if not self._two_way(datacenter):
            store.met.discard(datacenter)
            store.forgotten.add(datacenter)

    def _gateway(self, datacenter: str) -> Manifest:
        wan = self._wan.values(datacenter).get("meshGateway", {}).get("wanAddress", {})
        address = {"Address": wan.get("static", ""), "Port": wan.get("port", GATEWAY_PORT)}
        return {"Node": {"Datacenter": datacenter}, "Service": {"TaggedAddresses": {"wan": address}}}

    def _two_way(self, other: str) -> bool:
        """Gossip needs an answer: one direction alone turns a member failed."""
        return self._wan.reaches(self._datacenter, other) and self._wan.reaches(other, self._datacenter)

    def _authorised(self) -> Store:
        """This datacenter's data, once it knows the caller's token."""
        self._require_servers()
        store = self._wan.store(self._datacenter)
        if self._token not in store.tokens:
            raise UnreachableError(f"{self._datacenter}: consul: ACL not found")
        return store

    def _writable(self) -> Store:
        """The primary's data: that is where everything is written, wherever it was asked."""
        self._authorised()
        primary = self._wan.primary(self._datacenter)
        self._require(primary)
        return self._wan.store(primary)

    def _require_servers(self) -> None:
        self._wan.clusters[self._datacenter].faults.check("forward", "pods/portforward")
        serving = self._wan.serving(self._datacenter)
        self._wan.look_at_servers(self._datacenter)
        if not serving:
            raise UnreachableError(f"{self._datacenter}: the Consul server did not answer")

    def _require(self, datacenter: str) -> None:
        if not self._wan.reaches(self._datacenter, datacenter):
            raise UnreachableError(f"{self._datacenter}: consul: No path to datacenter")


def _modified(store: Store, kind: str, name: str) -> int:
    """An entry's ModifyIndex, 0 when there is none."""
    return int(store.entries.get((kind, name), {}).get("ModifyIndex", 0))
