"""A second container in the servers' pods, which keeps the pod's network for a while after its server has ended.

Other datacenters' servers gossip over connections that go by the mesh gateways and are used for as long as they can be
written to (https://github.com/hashicorp/consul/blob/v1.22.7/agent/consul/wanfed). When a server ends, Envoy passes on
that it sends no more, and leaves the other way open. If the pod's network is gone by the next message, nobody resets
that connection: it is written to until TCP gives up after a quarter of an hour, in which gossip calls the new server
failed again and again. As long as the network is there, the kernel answers with a reset.

The light chart has the same container in its template.
"""

from __future__ import annotations

from typing import Any

LINGER_S = 7
"""Gossip between datacenters is sent every five seconds."""

NAME = "linger"
_SCRIPT = f"trap 'sleep {LINGER_S}; exit 0' TERM; while :; do sleep 3600 & wait $!; done"


def container(image: str, *, user: int | None) -> dict[str, Any]:
    """The container; ``user`` is None where the platform chooses one."""
    security: dict[str, Any] = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return {
        "name": NAME,
        "image": image,
        "command": ["/bin/sh", "-c", _SCRIPT],
        "resources": {"requests": {"cpu": "1m", "memory": "4Mi"}, "limits": {"memory": "32Mi"}},
        "securityContext": security | ({} if user is None else {"runAsUser": user}),
    }
