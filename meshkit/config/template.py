"""The commented mesh.yaml that ``meshkit init`` prints: complete, so that it can be used as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import yaml

from meshkit.config.build import from_arguments
from meshkit.consul import official
from meshkit.model import Datacenter, Federation

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@/-]*")

_HEAD = """\
# A federation as meshkit sees it. Check it with: meshkit federate -f mesh.yaml --dry-run

# The federation's name; secrets and certificates are kept under it on this machine.
federation: {name}

# The datacenter that holds ACLs, intentions and defaults; the others copy them.
primary: {primary}

# The namespace of Consul, in every cluster.
namespace: {namespace}

# The Consul chart. hashicorp: the official one, the default on real clusters. light: meshkit's own small one, that
# of lab clusters. Or the folder or .tgz of either, relative to this file.
# chart: hashicorp
# chartVersion: {version}
# chartRepo: oci://registry.example.com/charts
# imageRegistry: registry.example.com

# Consul servers per datacenter: 1, 3 or 5. Three survive the loss of one.
servers: {servers}

# Mesh gateways per datacenter, 1 to 20, and the port on which the other clouds reach them.
gateways: {gateways}
gatewayPort: {port}

# The gateways' load balancers: inside the clouds' own networks (which then must be connected) or public; who may
# reach them; annotations for the cloud, beside those that meshkit knows.
# gatewayInternal: true
# gatewaySourceRanges: [203.0.113.0/24]
# gatewayAnnotations: {{service.beta.kubernetes.io/azure-load-balancer-internal-subnet: gateways}}

# Datacenters by name (lower-case letters, digits, dashes), each with its context in the kubeconfig.
# namespace, servers, gateways and what begins with gateway may stand here too, for one datacenter alone.
datacenters:
"""

_ENTRY = """\
  {name}:
    context: {context}
"""

_TAIL = """\
    # servers: 3
    # Where the others reach this one's gateways, if not at the load balancer's own address.
    # gatewayAddress: mesh.example.com
    # Helm values, laid over meshkit's own. Nothing secret belongs here.
    # values:
    #   server:
    #     storage: 20Gi
    # Helm values of the mesh probe, in the same way.
    # probe:
    #   monitoring: {prometheusRule: {enabled: true}}
"""


def template(clusters: Sequence[str]) -> str:
    """mesh.yaml for clusters given as ``CONTEXT`` or ``NAME=CONTEXT``; UsageError as ``from_arguments``."""
    federation = from_arguments(clusters)
    return _head(federation) + "".join(map(_entry, federation.datacenters)) + _TAIL


def _head(federation: Federation) -> str:
    primary = federation.primary
    return _HEAD.format(
        name=_scalar(federation.name),
        primary=_scalar(primary.name),
        namespace=_scalar(primary.namespace),
        version=official.default(),
        servers=primary.servers,
        gateways=primary.gateways,
        port=primary.gateway_port,
    )


def _entry(datacenter: Datacenter) -> str:
    return _ENTRY.format(name=_scalar(datacenter.name), context=_scalar(datacenter.context))


def _scalar(text: str) -> str:
    """A text as YAML: plain where it stays a text, quoted where YAML would see a number, a switch or syntax."""
    resolved = yaml.SafeLoader("").resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    plain = _PLAIN.fullmatch(text) and resolved.endswith(":str")
    return text if plain else json.dumps(text, ensure_ascii=False)
