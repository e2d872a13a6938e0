"""Whether a cluster's Consul is this federation's: asked before it is removed with its data.

The marker tells. It is there before anything but the namespace, also where an installation is adopted, and goes after
everything else; so, wherever a run was killed, a cluster without one holds nothing of the federation's. If Consul is
there all the same, the marker was lost, or that Consul is somebody else's: its adoption was killed, or the context has
come to lead to another cluster. A release that meshkit has installed says so itself. What GitOps brings does not, and
has to be marked again first.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from meshkit.consul.names import CONSUL_RELEASE, SERVER_SELECTOR
from meshkit.errors import MeshkitError
from meshkit.federation import facts, releases, uninstall
from meshkit.federation.context import Context
from meshkit.federation.facts import Marker
from meshkit.federation.steps import leftovers
from meshkit.model import Datacenter

SHOWN = 3


def require(context: Context, dc: Datacenter, spare: str) -> None:
    """MeshkitError when the cluster is another federation's or datacenter's, or holds a Consul that is not marked.

    ``spare`` says how to leave the cluster as it is.
    """
    marker = facts.read_marker(context.kube[dc.name], dc.namespace)
    if marker is None:
        _refuse_unmarked(context, dc, spare)
    elif not _is_of(context, marker):
        raise MeshkitError(
            f"{dc.name}: the cluster belongs to another federation, {marker.federation}",
            hint=f"is {dc.context} the context that is meant? {spare}",
        )
    elif marker.datacenter != dc.name:
        raise MeshkitError(
            f"{dc.name}: the cluster is the federation's datacenter {marker.datacenter}",
            hint=f"is {dc.context} the context that is meant? {spare}",
        )


def _is_of(context: Context, marker: Marker) -> bool:
    """By its id; without the state directory the federation was found by such markers, and its name is all there is."""
    identity = context.state.identity()
    if identity is None:
        return marker.federation == context.federation.name
    return marker.federation_id == identity.id


def _refuse_unmarked(context: Context, dc: Datacenter, spare: str) -> None:
    """Nothing of a Consul may be there without the marker, unless it came by a release of meshkit's."""
    release = context.helm(dc.name).release(CONSUL_RELEASE, dc.namespace)
    if release and releases.is_meshkits(release):
        return
    found = ([f"helm release {CONSUL_RELEASE}"] if release else []) + list(_consul(context, dc))
    if found:
        federation = context.federation
        clusters = shlex.join(f"{each.name}={each.context}" for each in federation.datacenters)
        mark = f"if it is, meshkit federate {clusters} --federation {federation.name} marks it; "
        raise MeshkitError(
            f"{dc.name}: Consul is there, and nothing says that it is federation {federation.name}'s: "
            f"{uninstall.listed(found, SHOWN)}",
            hint=f"{mark if federation.gitops else ''}{spare}",
        )


def _consul(context: Context, dc: Datacenter) -> Iterator[str]:
    """Servers anywhere in the cluster, since what removing deletes is not of one namespace alone; and data."""
    kube = context.kube[dc.name]
    for servers in kube.list("StatefulSet", selector=SERVER_SELECTOR):
        yield f"statefulset {servers['metadata']['namespace']}/{servers['metadata']['name']}"
    yield from leftovers.data(kube, dc.namespace)
