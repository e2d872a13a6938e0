"""Installations of the official chart that somebody else made: what its values and jobs leave in a cluster."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from fakes.kube import FakeCluster
from meshkit.backends.base import Helm, Ref
from meshkit.consul.values import Values, merge
from meshkit.pki import profiles
from meshkit.pki.authority import Authority
from meshkit.pki.material import GossipKey, Token

CHART = Path(__file__).parents[1] / "standin" / "consul"
NAMESPACE = "consul"


@dataclass
class Made:
    """The secrets of one installation, to be compared with what was taken over."""

    authority: Authority = field(
        default_factory=lambda: Authority.create(profiles.load("ca"), "theirs", datetime(2026, 1, 1, tzinfo=UTC))
    )
    gossip: GossipKey = field(default_factory=GossipKey.create)
    bootstrap: Token = field(default_factory=Token.create)

    @property
    def key_pem(self) -> str:
        """The CA's key as the chart's job writes it."""
        encryption = serialization.NoEncryption()
        form = serialization.PrivateFormat.TraditionalOpenSSL
        return self.authority._key.private_bytes(serialization.Encoding.PEM, form, encryption).decode()


def values(datacenter: str, **more: Any) -> Values:
    """What HashiCorp's guide has its reader write for a datacenter that is alone."""
    base: Values = {
        "global": {
            "name": "consul",
            "datacenter": datacenter,
            "tls": {"enabled": True, "enableAutoEncrypt": False},
            "acls": {"manageSystemACLs": True},
            "gossipEncryption": {"autoGenerate": True},
        },
        "server": {"replicas": 1},
        "connectInject": {"enabled": True, "default": True},
    }
    return merge(base, more)


def install(cluster: FakeCluster, helm: Helm, made: Made, given: Values, *, with_key: bool = True) -> None:
    """Put an installation into a cluster: the release, and the Secrets that its jobs make."""
    cluster.put({"kind": "Namespace", "metadata": {"name": NAMESPACE}, "status": {"phase": "Active"}})
    secret(cluster, "consul-ca-cert", {"tls.crt": made.authority.certificate_pem})
    if with_key:
        secret(cluster, "consul-ca-key", {"tls.key": made.key_pem})
    secret(cluster, "consul-gossip-encryption-key", {"key": made.gossip.reveal()})
    secret(cluster, "consul-bootstrap-acl-token", {"token": made.bootstrap.reveal()})
    helm.install("consul", NAMESPACE, CHART, given, "Install complete")
    servers = cluster.find(Ref("StatefulSet", "consul-server", NAMESPACE))
    assert servers
    servers["metadata"]["annotations"] = {"meta.helm.sh/release-name": "consul"}
    cluster.put(servers)


def secret(cluster: FakeCluster, name: str, data: dict[str, str]) -> None:
    """A Secret of somebody else's."""
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
    cluster.put({"kind": "Secret", "metadata": {"name": name, "namespace": NAMESPACE}, "data": encoded})
