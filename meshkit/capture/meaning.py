"""What a connection through a mesh gateway is for, by the name and the protocol in its TLS hello.

Consul makes the names, https://github.com/hashicorp/consul/blob/v1.22.7/agent/connect/sni.go for the mesh and
``ServerSNI`` of tlsutil/config.go for servers; the protocols are those of agent/pool/conn.go. A gateway routes by
them, and they say the same on each leg of a path, since it never opens the TLS inside.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from meshkit.capture.hello import CUT, NOT_TLS, Hello

WAN_GOSSIP = ("consul/wan-gossip/packet", "consul/wan-gossip/stream")
RPC = "consul/"
DEFAULT = "default"

_DOMAIN = r"(?P<domain>.+)"
_NAME = r"[^.]+"
_FORMS = (
    ("service", rf"(?:(?P<subset>{_NAME})\.)?(?P<service>{_NAME})\.(?P<namespace>{_NAME})\.(?P<dc>{_NAME})\.internal"),
    (
        "service",
        rf"(?:(?P<subset>{_NAME})\.)?(?P<service>{_NAME})\.(?P<namespace>{_NAME})\.(?P<partition>{_NAME})\.(?P<dc>{_NAME})\.internal-v1",
    ),
    ("peer", rf"(?P<service>{_NAME})\.(?P<namespace>{_NAME})\.(?P<partition>{_NAME})\.(?P<dc>{_NAME})\.external"),
    ("query", rf"(?P<service>{_NAME})\.(?P<namespace>default)\.(?P<dc>{_NAME})\.query"),
    ("gateway", rf"(?P<dc>{_NAME})\.internal"),
    ("gateway", rf"(?P<partition>{_NAME})\.(?P<dc>{_NAME})\.internal-v1"),
    ("peering", rf"server\.(?P<dc>{_NAME})\.peering"),
    ("server", rf"(?:(?P<node>{_NAME})\.)?server\.(?P<dc>{_NAME})"),
)
FORMS = tuple((kind, re.compile(rf"{form}\.{_DOMAIN}", re.IGNORECASE)) for kind, form in _FORMS)

Kind = Literal[
    "wan gossip",
    "server rpc",
    "server",
    "service",
    "query",
    "peer",
    "peering",
    "gateway",
    "other",
    "no name",
    "not tls",
    "cut",
    "silent",
    "open before",
    "rest",
]


@dataclass(frozen=True)
class Meaning:
    """Parts that the kind does not have are empty; ``datacenter`` is a peer's name for the kind ``peer``."""

    kind: Kind
    datacenter: str = ""
    service: str = ""
    namespace: str = ""
    partition: str = ""
    subset: str = ""
    name: str = ""

    @property
    def label(self) -> str:
        """As people say it: ``service backend in aks``, ``WAN gossip to aks``."""
        return SAID[self.kind].format(dc=self.datacenter, service=self._qualified, name=self.name)

    @property
    def _qualified(self) -> str:
        """The service with what is not as by default: subset, namespace, partition."""
        parts = [self.service]
        if self.namespace != DEFAULT or self.partition not in ("", DEFAULT):
            parts.append(self.namespace)
        if self.partition not in ("", DEFAULT):
            parts.append(self.partition)
        return ".".join(parts) + (f" (subset {self.subset})" if self.subset else "")


SAID: dict[Kind, str] = {
    "wan gossip": "WAN gossip to {dc}",
    "server rpc": "server RPC in {dc}",
    "server": "servers of {dc}, no Consul protocol",
    "service": "service {service} in {dc}",
    "query": "query {service} in {dc}",
    "peer": "service {service} of peer {dc}",
    "peering": "peering with {dc}",
    "gateway": "gateway of {dc}",
    "other": "name {name}",
    "no name": "TLS without a name",
    "not tls": "not TLS",
    "cut": "hello not captured whole",
    "silent": "no hello",
    "open before": "open before the capture",
    "rest": "all others",
}


@lru_cache(4096)
def of_hello(hello: Hello) -> Meaning:
    """By its name and protocols."""
    if not hello.server_name:
        return Meaning("no name")
    for kind, form in FORMS:
        found = form.fullmatch(hello.server_name)
        if found:
            return _of_form(kind, found.groupdict(default=""), hello)
    return Meaning("other", name=hello.server_name)


def of_state(state: str, *, from_begin: bool) -> Meaning:
    """Of a connection whose hello is not known."""
    if state == NOT_TLS:
        return Meaning("not tls")
    if not from_begin:
        return Meaning("open before")
    return Meaning("cut" if state == CUT else "silent")


def _of_form(kind: str, parts: dict[str, str], hello: Hello) -> Meaning:
    if kind != "server":
        known = {name: parts.get(name, "") for name in ("service", "namespace", "partition", "subset")}
        return Meaning(kind, parts["dc"], **known)  # type: ignore[arg-type] # of FORMS
    if any(protocol in WAN_GOSSIP for protocol in hello.protocols):
        return Meaning("wan gossip", parts["dc"])
    rpc = any(protocol.startswith(RPC) for protocol in hello.protocols)
    return Meaning("server rpc" if rpc else "server", parts["dc"])
