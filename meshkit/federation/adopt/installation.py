"""An installation of Consul as it is found: what Helm knows of it, and what its Secrets hold.

Secrets are read where the chart puts them, or where its values say that they are. They are compared and taken over,
and never shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from meshkit.backends.base import Helm, InstalledChart, Kube, Manifest, Ref
from meshkit.consul import image
from meshkit.consul.names import SERVER_SELECTOR
from meshkit.consul.values import at
from meshkit.errors import MeshkitError
from meshkit.federation import facts
from meshkit.federation.custom_resources import RELEASE_NAME
from meshkit.federation.facts import Marker
from meshkit.kubernetes import secret_text
from meshkit.pki import inspect
from meshkit.pki.material import GossipKey, PrivateKey, Secret, Token

CHART_DEFAULT_DATACENTER = "dc1"
S = TypeVar("S", bound=Secret)


@dataclass(frozen=True)
class Trust:
    """What the cluster's Secrets hold, None or empty for what is not there; ``*_from`` say where it was found."""

    ca: str = ""
    ca_from: str = ""
    key: PrivateKey | None = None
    key_from: str = ""
    gossip: GossipKey | None = None
    bootstrap: Token | None = None
    replication: Token | None = None

    @property
    def fingerprint(self) -> str:
        """The CA certificate's, empty when there is none that can be read."""
        try:
            return inspect.inspect(self.ca).fingerprint if self.ca else ""
        except MeshkitError:
            return ""


@dataclass(frozen=True)
class Installation:
    """One cluster's Consul. ``prefix`` begins every object's name; ``chart`` is None when Helm knows no release."""

    context: str
    namespace: str
    release: str
    prefix: str
    version: str
    servers: int
    values: Mapping[str, Any]
    trust: Trust
    chart: InstalledChart | None = None
    marker: Marker | None = None

    @property
    def datacenter(self) -> str:
        """Its name in Consul."""
        return str(at(self.values, "global.datacenter") or CHART_DEFAULT_DATACENTER)

    @property
    def is_federated(self) -> bool:
        """Whether its release was made to be part of a federation."""
        return bool(at(self.values, "global.federation.enabled"))

    @property
    def primary_datacenter(self) -> str:
        """The primary that it follows, empty when it follows none."""
        return str(at(self.values, "global.federation.primaryDatacenter") or "") if self.is_federated else ""

    def has(self, path: str) -> bool:
        """Whether a value is switched on."""
        return bool(at(self.values, path))


def find(kube: Kube, helm: Helm) -> Installation:
    """The one installation of a cluster; MeshkitError when there is none, or more than one."""
    found = kube.list("StatefulSet", selector=SERVER_SELECTOR)
    if len(found) != 1:
        listed = ", ".join(f"{s['metadata']['namespace']}/{s['metadata']['name']}" for s in found)
        raise MeshkitError(
            f"{kube.context}: there are {len(found)} installations of Consul: {listed}"
            if found
            else f"{kube.context}: there is no Consul to adopt",
            hint="meshkit adopts one per cluster" if found else "meshkit federate installs one",
        )
    return _read(kube, helm, found[0])


def _read(kube: Kube, helm: Helm, servers: Manifest) -> Installation:
    meta, namespace = servers["metadata"], str(servers["metadata"]["namespace"])
    labels, annotations = meta.get("labels") or {}, meta.get("annotations") or {}
    release = str(annotations.get(RELEASE_NAME) or labels.get("release") or "")
    chart = helm.chart(release, namespace) if release else None
    values = helm.values(release, namespace) if chart else {}
    prefix = str(meta["name"]).removesuffix("-server")
    version = image.version(str(servers["spec"]["template"]["spec"]["containers"][0].get("image", "")))
    return Installation(
        context=kube.context,
        namespace=namespace,
        release=release,
        prefix=prefix,
        version=version or (chart.app_version if chart else ""),
        servers=int(servers["spec"]["replicas"]),
        values=values,
        trust=_trust(kube, namespace, prefix, values),
        chart=chart,
        marker=facts.read_marker(kube, namespace),
    )


def _trust(kube: Kube, namespace: str, prefix: str, values: Mapping[str, Any]) -> Trust:
    def read(path: str, name: str, key: str) -> tuple[str, str]:
        """The text that a reference of the values, or the chart's own Secret, leads to; and where that is."""
        secret = str(at(values, f"{path}.secretName") or f"{prefix}-{name}")
        inside = str(at(values, f"{path}.secretKey") or key)
        text = secret_text(kube.get(Ref("Secret", secret, namespace)), inside)
        return text.strip() if path != "global.tls.caCert" else text, f"secret {secret}"

    ca, ca_from = read("global.tls.caCert", "ca-cert", "tls.crt")
    key, key_from = read("global.tls.caKey", "ca-key", "tls.key")
    gossip, _ = read("global.gossipEncryption", "gossip-encryption-key", "key")
    bootstrap, _ = read("global.acls.bootstrapToken", "bootstrap-acl-token", "token")
    replication, _ = read("global.acls.replicationToken", "acl-replication-acl-token", "token")
    return Trust(
        ca=ca,
        ca_from=ca_from if ca else "",
        key=PrivateKey(key) if key else None,
        key_from=key_from if key else "",
        gossip=_parsed(GossipKey, gossip),
        bootstrap=_parsed(Token, bootstrap),
        replication=_parsed(Token, replication),
    )


def _parsed(kind: type[S], text: str) -> S | None:
    """A secret in its form; None for what is not there, or is none."""
    try:
        return kind.parse(text) if text and issubclass(kind, GossipKey | Token) else None
    except MeshkitError:
        return None
