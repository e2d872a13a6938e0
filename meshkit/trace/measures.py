"""Names of what probes from inside the clusters measure; they are the keys of ``Evidence.measured``."""

from __future__ import annotations

THERE = "source to remote gateway"
BACK = "destination to source's gateway"
PATH = "routers on the way"
MTU = "largest packet on the way"
SOURCE_GATEWAY = "source to its own gateway"
DESTINATION_GATEWAY = "destination to its own gateway"
POD = ", past its Service"
"""Added to the two above for the same by the pod's address."""

DNS, CLUSTER_DNS = "look-up under .consul", "look-up of the cluster's own names"
SIDECAR = "destination's cluster to the sidecar"
OTHER = "destination's cluster to another instance at "
"""And the address of that."""

SOURCE_POD, DESTINATION_POD = "handshake at the source's gateway pod ", "handshake at the destination's gateway pod "
"""And the address of that, where a gateway has several."""

THROUGH = "handshake from end to end"
AT_REMOTE_GATEWAY = "handshake at the remote gateway"
AT_OWN_GATEWAY = "handshake at the destination's gateway from inside"
AT_SIDECAR = "handshake at the sidecar"
ORDER = (
    THERE,
    BACK,
    PATH,
    MTU,
    DNS,
    CLUSTER_DNS,
    SOURCE_GATEWAY,
    DESTINATION_GATEWAY,
    SIDECAR,
    THROUGH,
    AT_REMOTE_GATEWAY,
    AT_OWN_GATEWAY,
    AT_SIDECAR,
)
GATEWAY_POD_PORT = 8443
"""Where the charts let a gateway's Envoy listen."""
HANDSHAKES = (AT_SIDECAR, AT_OWN_GATEWAY, AT_REMOTE_GATEWAY, THROUGH)
BOTH_WAYS = (THERE, BACK)
