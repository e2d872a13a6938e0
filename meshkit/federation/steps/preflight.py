"""Preflight: look at every cluster and report all problems of all clusters together, before anything is touched.

Only then, and with the official chart alone, is taken away what an earlier uninstall left that is nobody's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial

from meshkit.errors import CombinedError, MeshkitError
from meshkit.federation import chart_check, facts, suitability
from meshkit.federation.change import Change
from meshkit.federation.context import Context
from meshkit.federation.facts import ClusterFacts, Marker
from meshkit.federation.state import State, known
from meshkit.federation.steps import leftovers
from meshkit.federation.steps.leftovers import Leftovers
from meshkit.federation.upgrade import needed
from meshkit.kubernetes import kubectl
from meshkit.model import Datacenter
from meshkit.pki import inspect
from meshkit.platforms.catalogue import platform

MAX_SKEW_S = 30
"""Certificates are issued with five minutes of slack, but ACL and Raft timing is read by people across clusters."""

MINIMUM_VERSION = (1, 25)
"""The first Kubernetes with server-side apply, policy/v1 and seccomp defaults all stable."""


def plan(context: Context) -> tuple[Change, ...]:
    """Observe all clusters at the same time, and raise every problem of every cluster; nothing changes here.

    What is left is what an earlier uninstall left behind and ``act`` takes away.
    """
    return examine(context, expected=context.federation.gitops)


def examine(context: Context, *, expected: bool) -> tuple[Change, ...]:
    """The same; a Consul is ``expected`` where GitOps brings it, and where it is about to be adopted."""
    seen: dict[str, ClusterFacts] = {}
    problems: list[MeshkitError] = []
    for name, found in context.each(lambda dc: _observed(context, dc, expected=expected)).items():
        if isinstance(found, ClusterFacts):
            seen[name] = found
        else:
            problems.append(found)
    problems += judge(seen, context.state, [dc.name for dc in context.federation.datacenters])
    problems += suitability.problems(context.federation, seen)
    identity = context.state.identity()
    upgrades = list(needed.problems(context.federation, identity.federation if identity else None, seen))
    problems += upgrades
    left = [] if expected else _leftovers(context, seen)
    problems += (problem for found in left for problem in leftovers.judge(found))
    without_helm = list(_helm(context))
    # A cluster that was not seen may have had a say in which chart it is.
    render = not without_helm and not upgrades and len(seen) == len(context.federation.datacenters)
    problems += (*without_helm, *chart_check.problems(context, render=render))
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise CombinedError(
            f"{len(problems)} problems stand in the way; nothing was changed",
            tuple(problems),
            hint="mend these and run the same command again",
        )
    told = (note for found in left for note in leftovers.notes(found))
    for note in (*suitability.notes(context.federation, seen), *told):
        context.observe(note)
    return tuple(change for found in left for change in leftovers.mending(found))


def act(context: Context) -> None:
    """Take away what an earlier uninstall left; ``plan`` has judged everything else."""

    def mend(dc: Datacenter) -> None:
        found = leftovers.observe(context, dc)
        if found:
            leftovers.mend(context, found)

    context.each(mend)


def _leftovers(context: Context, seen: Collection[str]) -> list[Leftovers]:
    """What other Consuls have left in the clusters that answer; the light chart makes nothing it could stumble over."""
    datacenters = [dc for dc in context.federation.datacenters if dc.name in seen and context.federation.official]
    return [found for found in context.each(partial(leftovers.observe, context), datacenters).values() if found]


def _observed(context: Context, datacenter: Datacenter, *, expected: bool) -> ClusterFacts | MeshkitError:
    """What a cluster looks like, or why that can't be seen: one cluster's silence must not hide another's problem."""
    try:
        kube, official = context.kube[datacenter.name], context.federation.official
        seen = facts.observe(kube, datacenter, context.clock, official=official)
    except MeshkitError as error:
        return error
    if expected:
        others = (place for place in seen.foreign_consul if not place.startswith(f"{datacenter.namespace}/"))
        return replace(seen, foreign_consul=tuple(others))
    return seen


def _helm(context: Context) -> Iterator[MeshkitError]:
    """What is wrong with helm itself: needed only after secrets are written, which is late to find out."""
    try:
        context.helm(context.federation.primary.name)
    except MeshkitError as error:
        yield error


def judge(seen: Mapping[str, ClusterFacts], state: State, described: Collection[str] = ()) -> Iterator[MeshkitError]:
    """Every problem, cluster by cluster and then between clusters; ``described`` are all datacenters' names."""
    for cluster in seen.values():
        yield from _version(cluster)
        yield from _permissions(cluster)
        if not cluster.refused:
            yield from _objects(cluster)
        yield from _membership(cluster, state)
        yield from _newer(cluster, state, described)
    yield from _same_cluster(seen)
    yield from _clocks(seen)


def _version(cluster: ClusterFacts) -> Iterator[MeshkitError]:
    numbers = re.match(r"v(\d+)\.(\d+)", cluster.version)
    if numbers and (int(numbers[1]), int(numbers[2])) < MINIMUM_VERSION:
        yield MeshkitError(
            f"{cluster.datacenter}: Kubernetes {cluster.version} is too old", hint="upgrade to 1.25 or later"
        )


def _permissions(cluster: ClusterFacts) -> Iterator[MeshkitError]:
    for p in cluster.refused:
        where = f" in namespace {p.namespace}" if p.namespace else ""
        resource = f"{p.resource}.{p.group}" if p.group else p.resource
        flag = f" -n {p.namespace}" if p.namespace else ""
        yield MeshkitError(
            f"{cluster.datacenter}: no permission to {p.verb} {resource}{where}",
            hint="ask the cluster's owner; check with: "
            f"{kubectl(cluster.context or 'CONTEXT')} auth can-i {p.verb} {resource}{flag}",
        )


def _objects(cluster: ClusterFacts) -> Iterator[MeshkitError]:
    name = cluster.datacenter
    if not cluster.storage_class:
        wanted = cluster.wanted_storage_class
        found = platform(cluster.platform)
        lacking = f"no StorageClass {wanted}" if wanted else "no default StorageClass"
        yield MeshkitError(
            f"{name}: there is {lacking} for the servers' volumes",
            hint="name one that is there in values.server.storageClass, or make one the default: "
            f"{kubectl(cluster.context or 'CONTEXT')} annotate storageclass NAME "
            "storageclass.kubernetes.io/is-default-class=true"
            f"{f' ({found.title}: {found.storage})' if found else ''}",
        )
    if cluster.namespace_phase == "Terminating":
        yield MeshkitError(
            f"{name}: the namespace is being deleted", hint="wait until it is gone, or choose another with --namespace"
        )
    if cluster.lives_in:
        yield MeshkitError(
            f"{name}: the cluster's Consul is meshkit's already, in namespace {cluster.lives_in}",
            hint=f"--namespace {cluster.lives_in}; or let it go there first: meshkit leave, or meshkit destroy",
        )
    for foreign in cluster.foreign_consul:
        yield MeshkitError(
            f"{name}: a Consul that meshkit did not install is there: statefulset {foreign}",
            hint="meshkit federate --adopt takes it over, or says why it can't; else uninstall it",
        )


def _membership(cluster: ClusterFacts, state: State) -> Iterator[MeshkitError]:
    """A cluster of another federation, and one whose state directory was lost, must never get a second CA."""
    marker = cluster.marker
    if marker is None:
        return
    identity = state.identity()
    certificate = state.ca_certificate()
    if identity is None or certificate is None or state.secrets() is None:
        yield _without_state(cluster.datacenter, marker, state)
    elif marker.federation_id != identity.id:
        yield MeshkitError(
            f"{cluster.datacenter}: the cluster belongs to another federation, {marker.federation}",
            hint="let it go there first: meshkit leave, or meshkit destroy",
        )
    elif marker.ca_fingerprint != inspect.inspect(certificate).fingerprint:
        yield MeshkitError(
            f"{cluster.datacenter}: the cluster was federated with another CA than the one in {state.path}",
            hint="restore the state directory from a backup",
        )
    elif marker.datacenter != cluster.datacenter:
        yield MeshkitError(
            f"{cluster.datacenter}: the cluster is already in the federation as datacenter {marker.datacenter}",
            hint=f"keep that name: {marker.datacenter}=CONTEXT",
        )


def _without_state(datacenter: str, marker: Marker, state: State) -> MeshkitError:
    """The state that made this federation is not the one at hand: lost, or only not named."""
    if marker.federation != state.path.name and marker.federation in known():
        return MeshkitError(
            f"{datacenter}: the cluster belongs to federation {marker.federation}",
            hint=f"--federation {marker.federation}",
        )
    path = state.path.with_name(marker.federation)
    return MeshkitError(
        f"{datacenter}: the cluster belongs to federation {marker.federation}, "
        "whose state directory is not on this machine, or not whole",
        hint=f"restore {path} from a backup; only meshkit destroy lets go of the federation without it",
    )


def _newer(cluster: ClusterFacts, state: State, described: Collection[str]) -> Iterator[MeshkitError]:
    """A state directory from before a datacenter joined would drop that datacenter again."""
    identity, marker = state.identity(), cluster.marker
    if not described or identity is None or marker is None or marker.federation_id != identity.id:
        return
    unknown = [dc.name for dc in marker.layout if dc.name not in described]
    if unknown:
        yield MeshkitError(
            f"{cluster.datacenter}: the cluster knows datacenters that {state.path} does not: {', '.join(unknown)}",
            hint=f"finish meshkit leave {' '.join(unknown)} if it was interrupted; "
            "else the state directory is an old one: restore the newest",
        )


def _same_cluster(seen: Mapping[str, ClusterFacts]) -> Iterator[MeshkitError]:
    by_uid: dict[str, str] = {}
    for cluster in seen.values():
        if cluster.uid in by_uid:
            yield MeshkitError(
                f"{by_uid[cluster.uid]} and {cluster.datacenter} are the same cluster under two contexts",
                hint="name each cluster once",
            )
        if cluster.uid:  # kube-system may be out of these credentials' sight
            by_uid.setdefault(cluster.uid, cluster.datacenter)


def _clocks(seen: Mapping[str, ClusterFacts]) -> Iterator[MeshkitError]:
    """The two clusters furthest apart; naming every pair would bury the one that is wrong."""
    if not seen:
        return
    ordered = sorted(seen.values(), key=lambda cluster: cluster.skew_s)
    behind, ahead = ordered[0], ordered[-1]
    apart = ahead.skew_s - behind.skew_s
    if apart > MAX_SKEW_S:
        yield MeshkitError(
            f"the clock of {behind.datacenter} is {apart:.0f} s behind that of {ahead.datacenter}",
            hint="set both by NTP; certificates and tokens are refused by clocks that disagree",
        )
